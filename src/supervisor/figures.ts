import type { Endpoint } from '../model/endpoint.ts';
import { residentBytes } from '../telemetry/resident-memory.ts';
import type { DataPlane } from './data-plane.ts';

/** What a process uses and how it is. */
export interface ProcessFigures {
  /** Since its start. */
  readonly userCpuSeconds: number;
  readonly systemCpuSeconds: number;
  readonly residentBytes: number;
  /** Largest delay of its event loop in the last 10 to 20 seconds. */
  readonly eventLoopLagMs: number;
}

/** What a worker tells of itself; everything that is counted for a request lies in shared memory instead. Plain data. */
export interface WorkerFigures {
  readonly process: ProcessFigures;
  /** Client connections open now. */
  readonly connections: number;
  /** Connections to endpoints that carry nothing now, by pool and endpoint; what has none is left out. */
  readonly idle: Readonly<Record<string, number>>;
  /** Since its start. */
  readonly accessLog: { readonly lines: number; readonly droppedLines: number };
}

function keyOf({ pool, name }: Endpoint): string {
  return `${pool} ${name}`;
}

/** Of this process. */
export function readFigures(
  { pools, listeners }: DataPlane,
  accessLog: { readonly lines: number; readonly droppedLines: number } | undefined,
  eventLoopLagMs: number,
): WorkerFigures {
  const idle: Record<string, number> = {};
  for (const { view } of pools.all()) {
    for (const endpoint of view.all) {
      const count = pools.idleConnections(endpoint);
      if (count > 0) idle[keyOf(endpoint)] = count;
    }
  }
  const { user, system } = process.cpuUsage();
  const { lines = 0, droppedLines = 0 } = accessLog ?? {};
  return {
    process: {
      userCpuSeconds: user / 1e6,
      systemCpuSeconds: system / 1e6,
      residentBytes: residentBytes(),
      eventLoopLagMs,
    },
    connections: listeners.inForce().reduce((sum, { stats }) => sum + stats.connections.own, 0),
    idle,
    accessLog: { lines, droppedLines },
  };
}

/** Adds up in the supervisor what workers tell of themselves. */
export class FigureBook {
  /** By worker. */
  readonly #told = new Map<number, WorkerFigures>();
  /** Of workers that are gone. */
  readonly #past = { lines: 0, droppedLines: 0 };

  set(slot: number, figures: WorkerFigures): void {
    this.#told.set(slot, figures);
  }

  /** The worker is gone. */
  forget(slot: number): void {
    const { accessLog } = this.#told.get(slot) ?? {};
    this.#past.lines += accessLog?.lines ?? 0;
    this.#past.droppedLines += accessLog?.droppedLines ?? 0;
    this.#told.delete(slot);
  }

  /** Client connections that a worker has open. */
  connectionsOf(slot: number): number {
    return this.#told.get(slot)?.connections ?? 0;
  }

  /** Reusable connections to the endpoint that carry nothing now, in all workers. */
  idleConnections(endpoint: Endpoint): number {
    const key = keyOf(endpoint);
    let sum = 0;
    for (const { idle } of this.#told.values()) sum += idle[key] ?? 0;
    return sum;
  }

  /** Requests taken down in the access log, by all workers. */
  get accessLog(): WorkerFigures['accessLog'] {
    let { lines, droppedLines } = this.#past;
    for (const { accessLog } of this.#told.values()) {
      lines += accessLog.lines;
      droppedLines += accessLog.droppedLines;
    }
    return { lines, droppedLines };
  }
}
