import { wallTime } from './report-values.ts';
import type { AdminState } from './state.ts';

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
    startedAt: wallTime(clock, clock.nowMs() - uptimeMs),
    uptimeSeconds: uptimeMs / 1000,
    ...view.readiness(),
    listeners: view.listeners().length,
    pools: view.pools().length,
    runtimeChanges: endpoints.changes().length,
  };
}
