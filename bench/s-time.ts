import { pinned } from './machine.ts';
import type { Workspace } from './workspace.ts';
import type { LoadResult } from './wrk.ts';

/** One run of `openssl s_time`: one connection after the other, with one request each, resuming the session of the first. */
export async function runResumed(port: number, seconds: number, workspace: Workspace): Promise<LoadResult> {
  const command = [
    'openssl',
    's_time',
    '-connect',
    `127.0.0.1:${port}`,
    '-reuse',
    '-www',
    '/',
    '-time',
    String(seconds),
  ];
  return parseResumed(await workspace.run(pinned('load', command), (seconds + 30) * 1000));
}

/** Reads what `openssl s_time -reuse` prints: an `r` for each resumed handshake, a `*` or `t` for each full one. */
export function parseResumed(printed: string): LoadResult {
  const total = /(\d+) connections in (\d+) real seconds/.exec(printed);
  const marks = /^starting\n([*rt]+)/m.exec(printed)?.[1];
  if (total === null || marks === undefined) throw new Error(`s_time printed no result:\n${printed}`);
  const requests = Number(total[1]);
  // It does not measure single connections; each waits for the one before it.
  const meanUs = (Number(total[2]) * 1e6) / requests;
  const full = marks.replaceAll('r', '').length;
  return { requests, seconds: Number(total[2]), p50Us: meanUs, p99Us: meanUs, errors: full };
}
