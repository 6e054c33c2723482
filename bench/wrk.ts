import { pinned } from './machine.ts';
import type { Workspace } from './workspace.ts';

/** What a load generator saw. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Connections that failed, and answers that were not 2xx. */
  readonly errors: number;
}

/** One run of wrk: closed loop, every connection sends its next request when the answer to the last has come. */
export interface WrkLoad {
  readonly port: number;
  readonly path: string;
  /** By https; wrk makes a full handshake for each connection. */
  readonly tls?: boolean;
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: readonly string[];
  /** Lua that wrk runs: see its `wrk` table and `request` function. */
  readonly script?: string;
}

const UNIT_US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1e6, m: 60e6 };

/** Runs wrk on one thread, on the core of the load. */
export async function runWrk(load: WrkLoad, workspace: Workspace): Promise<LoadResult> {
  const script = load.script === undefined ? [] : ['-s', workspace.write('load.lua', load.script)];
  const headers = (load.headers ?? []).flatMap((header) => ['-H', header]);
  const command = [
    'wrk',
    '--latency',
    '--threads=1',
    `--connections=${load.connections}`,
    `--duration=${load.seconds}s`,
    '--timeout=10s',
    ...headers,
    ...script,
    `${load.tls === true ? 'https' : 'http'}://127.0.0.1:${load.port}${load.path}`,
  ];
  return parseWrk(await workspace.run(pinned('load', command), (load.seconds + 30) * 1000));
}

/** Reads what `wrk --latency` prints; throws when it is something else. */
export function parseWrk(printed: string): LoadResult {
  const total = /(\d+) requests in ([\d.]+)(us|ms|s|m),/.exec(printed);
  if (total === null) throw new Error(`wrk printed no result:\n${printed}`);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(printed);
  const notOk = Number(/Non-2xx or 3xx responses: (\d+)/.exec(printed)?.[1] ?? 0);
  return {
    requests: Number(total[1]),
    seconds: (Number(total[2]) * (UNIT_US[total[3] ?? ''] ?? Number.NaN)) / 1e6,
    p50Us: percentileUs(printed, '50%'),
    p99Us: percentileUs(printed, '99%'),
    errors: (socketErrors?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), notOk),
  };
}

function percentileUs(printed: string, label: string): number {
  const match = new RegExp(`^\\s*${label}\\s+([\\d.]+)(us|ms|s|m)$`, 'm').exec(printed);
  return Number(match?.[1]) * (UNIT_US[match?.[2] ?? ''] ?? Number.NaN);
}
