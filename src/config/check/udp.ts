import type { Draft } from '../draft.ts';
import { poolsOf } from '../pool-references.ts';
import type { Config } from '../schema/config.ts';
import type { Report } from './report.ts';

/** What belongs to connections and has no meaning for datagrams; left out silently it would send in the open what was to be private. */
const OF_CONNECTIONS = {
  tls: 'there is no TLS for datagrams: they would be sent as they are',
  proxyProtocol: 'there is no PROXY header for datagrams',
} as const;

/** Pools of udp listeners promise nothing that datagrams cannot have. */
export function checkUdp(draft: Draft<Config>, report: Report): void {
  for (const listener of draft.listeners ?? []) {
    if (listener?.protocol !== 'udp') continue;
    const named = new Set(poolsOf(listener));
    for (const [index, pool] of (draft.pools ?? []).entries()) {
      if (pool?.name === undefined || !named.has(pool.name)) continue;
      for (const [key, reason] of Object.entries(OF_CONNECTIONS)) {
        const at = ['pools', index, key];
        if (!report.written(at)) continue;
        const message = `listener "${listener.name ?? ''}" speaks udp, and ${reason}`;
        const hint = 'give the listener a pool of its own';
        report.error({ code: 'conflict', at, on: 'key', message, hint });
      }
    }
  }
}
