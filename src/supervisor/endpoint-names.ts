import { isIP } from 'node:net';

import type { Config } from '../config/schema/config.ts';
import type { Log } from '../model/ports.ts';

/** Whether some of the addresses are alternatives, not the same machine by IPv4 and IPv6. */
function hasAlternatives(ips: readonly string[]): boolean {
  return [4, 6].some((family) => ips.filter((ip) => isIP(ip) === family).length > 1);
}

/**
 * Warns of endpoints whose name stands for several addresses: an endpoint is one server, reached by the first of its addresses that
 * answers, and whoever wrote the name may have meant all of them (`docs/decisions/names-of-endpoints.md`).
 */
export class EndpointNames {
  readonly #resolve: (host: string) => Promise<readonly string[]>;
  readonly #log: Log;
  /** Of which it was said. */
  readonly #warned = new Set<string>();

  constructor(resolve: (host: string) => Promise<readonly string[]>, log: Log) {
    this.#resolve = resolve;
    this.#log = log;
  }

  /** Looks at what is in force now. Never rejects: a name that is not found is the business of health checks. */
  async look({ pools }: Config): Promise<void> {
    for (const { name: pool, endpoints } of pools) {
      for (const { name: endpoint, address } of endpoints) {
        const { host } = address;
        if (isIP(host) !== 0 || this.#warned.has(host)) continue;
        const ips = await this.#resolve(host).catch(() => []);
        if (!hasAlternatives(ips)) continue;
        this.#warned.add(host);
        this.#log.warn('endpoint-addresses', {
          pool,
          endpoint,
          addresses: ips.join(','),
          advice:
            'an endpoint is one server, the first that answers; to balance over all, write each as an endpoint',
        });
      }
    }
  }
}
