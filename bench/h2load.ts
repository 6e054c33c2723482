import { readFileSync, rmSync } from 'node:fs';

import { pinned } from './machine.ts';
import type { Workspace } from './workspace.ts';
import type { LoadResult } from './wrk.ts';

/** One run of h2load: every connection keeps so many requests under way. */
export interface H2Load {
  readonly port: number;
  readonly connections: number;
  readonly streams: number;
  readonly seconds: number;
  /** `/` when absent. */
  readonly path?: string;
  /** Requests are POST with this body; GET when absent. */
  readonly body?: Uint8Array;
  /** Requests are unary calls of gRPC with this message, whatever else is said. */
  readonly message?: Uint8Array;
  /** Without TLS, by prior knowledge. */
  readonly cleartext?: boolean;
}

/** Every call is of this method; endpoints answer it with trailers. */
export const GRPC_METHOD = '/bench.Echo/Unary';

/** Runs h2load on one thread, on the core of the load. */
export async function runH2load(load: H2Load, workspace: Workspace): Promise<LoadResult> {
  const log = workspace.path('h2load.log');
  const command = [
    'h2load',
    '--threads=1',
    `--clients=${load.connections}`,
    `--max-concurrent-streams=${load.streams}`,
    `--duration=${load.seconds}`,
    `--log-file=${log}`,
    ...requestOf(load, workspace),
    `${load.cleartext === true ? 'http' : 'https'}://127.0.0.1:${load.port}${load.message === undefined ? (load.path ?? '/') : GRPC_METHOD}`,
  ];
  const printed = await workspace.run(pinned('load', command), (load.seconds + 30) * 1000);
  const times = readFileSync(log, 'latin1');
  rmSync(log);
  return parseH2load(printed, times);
}

function requestOf({ body, message }: H2Load, workspace: Workspace): string[] {
  if (message !== undefined) return callOf(message, workspace);
  return body === undefined ? [] : [`--data=${workspace.write('request-body', body)}`];
}

/** What makes a request a call: a message is its flag, its length and itself. */
function callOf(message: Uint8Array, workspace: Workspace): string[] {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  const fields = ['content-type: application/grpc', 'te: trailers', 'grpc-timeout: 10S'];
  return [`--data=${workspace.write('call', framed)}`, ...fields.map((line) => `--header=${line}`)];
}

/**
 * Reads what h2load prints, and its log, which has a line for each request: when it began, status, microseconds.
 * @throws Error when it is something else.
 */
export function parseH2load(printed: string, log: string): LoadResult {
  const finished = /finished in ([\d.]+)(us|ms|s),/.exec(printed);
  const counts = /requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(printed);
  if (finished === null || counts === null) throw new Error(`h2load printed no result:\n${printed}`);
  const unit = { us: 1e-6, ms: 1e-3, s: 1 }[finished[2] as 'us' | 'ms' | 's'];
  const [succeeded = 0, ...bad] = counts.slice(1).map(Number);
  const timesUs = log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split('\t')[2]));
  timesUs.sort((a, b) => a - b);
  return {
    requests: succeeded,
    seconds: Number(finished[1]) * unit,
    p50Us: timesUs[Math.floor(timesUs.length * 0.5)] ?? Number.NaN,
    p99Us: timesUs[Math.floor(timesUs.length * 0.99)] ?? Number.NaN,
    errors: bad.reduce((sum, count) => sum + count, 0),
  };
}
