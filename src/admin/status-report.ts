import type { WorkerView } from '../model/runtime-view.ts';
import type { AdminState } from './state.ts';

/** One process that carries traffic. */
export interface WorkerReport {
  /** From 1. */
  readonly worker: number;
  /** `starting`, `ready`, `waiting` (it died again and again, and is started again later), `stopping` or `gone`. */
  readonly state: string;
  /** Null while there is no process. */
  readonly pid: number | null;
  readonly upSeconds: number;
  /** Processes that died and were replaced. */
  readonly restarts: number;
  /** Has not answered for so long; 0 when it does. */
  readonly stuckSeconds: number;
  /** The worker that accepts for it while it is away; null when none does. */
  readonly coveredBy: number | null;
  /** Client connections open now. */
  readonly connections: number;
  /** Since the start, in this place. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly eventLoopLagMs: number;
}

function reportWorker(view: WorkerView): WorkerReport {
  const { pid = null, coveredBy = null, userCpuSeconds, systemCpuSeconds, ...rest } = view;
  return { ...rest, pid, coveredBy, cpuSeconds: userCpuSeconds + systemCpuSeconds };
}

/** What GET /api/v1/status says. */
export interface StatusReport {
  readonly version: string;
  readonly runtime: string;
  readonly pid: number;
  readonly revision: number;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly workers: readonly WorkerReport[];
  /** Certificates that an ACME server is asked for, with the last failure. */
  readonly automaticCertificates: readonly {
    readonly names: readonly string[];
    readonly nextAttempt: string;
    /** In a row. */
    readonly failures: number;
    readonly error: string | null;
  }[];
  readonly listeners: number;
  readonly pools: number;
  /** Differences from the configuration that operators made; GET /api/v1/changes lists them. */
  readonly runtimeChanges: number;
}

export function reportStatus({ view, clock, endpoints }: AdminState): StatusReport {
  const uptimeMs = clock.wallMs() - view.startWallMs;
  return {
    version: view.version,
    runtime: `bun ${Bun.version}`,
    pid: process.pid,
    revision: view.revision(),
    startedAt: new Date(view.startWallMs).toISOString(),
    uptimeSeconds: uptimeMs / 1000,
    ...view.readiness(),
    workers: view.workers().map(reportWorker),
    automaticCertificates: view.automaticCertificates().map(({ names, nextAttemptMs, failures, error }) => ({
      names,
      nextAttempt: new Date(nextAttemptMs).toISOString(),
      failures,
      error: error ?? null,
    })),
    listeners: view.listeners().length,
    pools: view.pools().length,
    runtimeChanges: endpoints.changes().length,
  };
}
