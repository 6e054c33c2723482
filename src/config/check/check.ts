import { dirname } from 'node:path';

import type { Draft } from '../draft.ts';
import type { Path, Problem } from '../issue.ts';
import type { Config } from '../schema/config.ts';
import { checkAcme } from './acme.ts';
import { checkAddresses } from './addresses.ts';
import { checkHashing } from './hashing.ts';
import { checkNames } from './names.ts';
import { checkPools } from './pools.ts';
import type { ReadFile } from './named-files.ts';
import type { Report } from './report.ts';
import { checkRoutes } from './routes.ts';
import { checkTls } from './tls.ts';
import { checkUdp } from './udp.ts';

/** What checks ask of the machine. */
export interface Environment {
  directoryExists(path: string): boolean;
  /** What would keep us from writing into a directory, or from making it; undefined for nothing. */
  storageProblem(path: string): string | undefined;
  /** Reads a file that the configuration names. */
  readonly readFile: ReadFile;
  /** Wall-clock milliseconds since 1970. */
  nowMs(): number;
}

export interface Findings {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Everything that the shape alone does not tell: names that must exist, things that cannot stand together.
 * @param draft what is right of the configuration, which is all of it when the schema took it
 * @param input the configuration as it was written
 */
export function check(draft: Draft<Config>, input: unknown, environment: Environment): Findings {
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const report: Report = {
    error: (problem) => void errors.push(problem),
    warning: (problem) => void warnings.push(problem),
    written: (at) => isWritten(input, at),
  };
  checkNames(draft, report);
  checkRoutes(draft, report);
  checkAddresses(draft, report);
  checkPools(draft, report);
  checkHashing(draft, report);
  checkUdp(draft, report);
  checkListeners(draft, report);
  checkAccessLog(draft, report, environment);
  checkAcme(draft, report, (directory) => environment.storageProblem(directory));
  checkTls(draft, report, environment.readFile, environment.nowMs());
  return { errors, warnings };
}

function checkListeners(draft: Draft<Config>, report: Report): void {
  for (const [index, listener] of (draft.listeners ?? []).entries()) {
    const introduced =
      listener !== undefined && 'proxyProtocol' in listener ? listener.proxyProtocol : undefined;
    for (const [place, peers] of (introduced?.from ?? []).entries()) {
      if (peers?.endsWith('/0') !== true) continue;
      const message = `${peers} believes every client what it says of its own address`;
      report.warning({ code: 'risky', at: ['listeners', index, 'proxyProtocol', 'from', place], message });
    }
    if (listener?.protocol !== 'http') continue;
    for (const [place, proxies] of (listener.trustedProxies ?? []).entries()) {
      if (proxies?.endsWith('/0') !== true) continue;
      const message = `${proxies} believes every client what it says of its own address`;
      report.warning({ code: 'risky', at: ['listeners', index, 'trustedProxies', place], message });
    }
    const { requestLine, headerBytes } = listener.limits ?? {};
    if (requestLine === undefined || headerBytes === undefined || requestLine <= headerBytes) continue;
    const at: Path = ['listeners', index, 'limits'];
    const key = report.written([...at, 'headerBytes']) ? 'headerBytes' : 'requestLine';
    const message = `headerBytes (${headerBytes}) holds the request line too, whose limit (${requestLine}) is larger`;
    report.error({ code: 'conflict', at: [...at, key], message });
  }
}

function checkAccessLog(draft: Draft<Config>, report: Report, environment: Environment): void {
  const path = draft.accessLog === false ? undefined : draft.accessLog?.path;
  if (path === undefined || path === 'stdout' || path === 'stderr') return;
  const directory = dirname(path);
  if (environment.directoryExists(directory)) return;
  report.error({
    code: 'reference',
    at: ['accessLog', 'path'],
    message: `there is no directory ${JSON.stringify(directory)}`,
  });
}

function isWritten(input: unknown, at: Path): boolean {
  let value = input;
  for (const part of at) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return false;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value !== undefined;
}
