import { isHttp } from '../config/schema/listener.ts';
import type { Config } from '../config/schema/config.ts';
import { tlsProblem } from '../net/tls/openssl.ts';
import { TICKET_KEY_BYTES, TicketKeys } from '../net/tls/ticket-keys.ts';
import { createListenerTls } from './listener-tls.ts';
import { createPoolTls } from './pool-dial.ts';

/** What would keep this machine from speaking TLS as a configuration says: no library, or a setting that it does not take. */
export function tlsProblems({ listeners, pools }: Config): string[] {
  const secure = listeners.filter(isHttp).filter(({ tls }) => tls !== undefined);
  const securePools = pools.filter(({ tls }) => tls !== undefined);
  if (secure.length === 0 && securePools.length === 0) return [];
  const missing = tlsProblem();
  if (missing !== undefined) return [missing];
  const keys = new TicketKeys([Buffer.alloc(TICKET_KEY_BYTES)]);
  const problems: string[] = [];
  for (const { name, tls } of secure) attempt(problems, () => createListenerTls(name, tls!, keys, undefined));
  for (const pool of securePools) attempt(problems, () => createPoolTls(pool));
  return problems;
}

function attempt(problems: string[], make: () => unknown): void {
  try {
    make();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
}
