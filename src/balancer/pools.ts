import { formatAddress } from '../config/address.ts';
import type { EndpointConfig, PoolConfig } from '../config/schema/pool.ts';
import { Endpoint } from '../model/endpoint.ts';
import { Pool, type PoolView } from '../model/pool.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { PeakEwma } from './peak-ewma.ts';
import type { Publisher } from './publish.ts';
import { POLICIES } from './registry.ts';

/** What a new configuration did to a pool. */
export interface MembershipChange {
  readonly added: readonly Endpoint[];
  /** No longer in `pool.view`; what they have under way goes on. */
  readonly removed: readonly Endpoint[];
}

const NOTHING: PoolView = Object.freeze({
  all: [],
  available: [],
  picker: { pick: () => undefined },
  panic: false,
});

/**
 * Makes a pool and publishes its first view.
 * @param cells Where it and its endpoints count; left out, they count for themselves.
 */
export function createPool(config: PoolConfig, publisher: Publisher, cells?: CellSource): Pool {
  const pool = new Pool(config, NOTHING, cells?.pool(config.name));
  const endpoints = config.endpoints.map((endpoint) => createEndpoint(pool, endpoint, publisher, cells));
  fitLatency(endpoints, config);
  publisher.publishMembers(pool, endpoints);
  return pool;
}

/**
 * Gives a pool a new configuration. An endpoint of the same name and address keeps its identity: health, counters, what it
 * has in flight, and what an operator did to it at run time unless its `state` in the file changed. The same name at another
 * address is another server, and so another endpoint.
 */
export function updatePool(
  pool: Pool,
  config: PoolConfig,
  publisher: Publisher,
  cells?: CellSource,
): MembershipChange {
  const before = new Map(pool.view.all.map((endpoint) => [endpoint.name, endpoint]));
  const added: Endpoint[] = [];
  const kept = new Set<Endpoint>();
  pool.config = config;
  const endpoints = config.endpoints.map((endpointConfig) => {
    const known = before.get(endpointConfig.name);
    if (known !== undefined && sameAddress(known.config, endpointConfig)) {
      if (endpointConfig.state !== known.config.state) known.admin = endpointConfig.state;
      known.config = endpointConfig;
      kept.add(known);
      return known;
    }
    const endpoint = createEndpoint(pool, endpointConfig, publisher, cells);
    added.push(endpoint);
    return endpoint;
  });
  const removed = pool.view.all.filter((endpoint) => !kept.has(endpoint));
  // Whoever still holds one, such as a request that waits for the endpoint it is bound to, must not choose it any more.
  for (const endpoint of removed) endpoint.admin = 'disabled';
  fitLatency(endpoints, config);
  publisher.publishMembers(pool, endpoints);
  return { added, removed };
}

function sameAddress(a: EndpointConfig, b: EndpointConfig): boolean {
  return a.address.host === b.address.host && a.address.port === b.address.port;
}

function createEndpoint(
  pool: Pool,
  config: EndpointConfig,
  publisher: Publisher,
  cells: CellSource | undefined,
): Endpoint {
  const own = cells?.endpoint(pool.name, config.name, formatAddress(config.address));
  const endpoint = new Endpoint(pool.name, config, own);
  const { healthCheck } = pool.config;
  if (healthCheck !== undefined) endpoint.health = healthCheck.initial;
  endpoint.healthSinceMs = publisher.deps.clock.nowMs();
  return endpoint;
}

/** The latency metric lies on endpoints only where the policy reads it: it costs an exponential for every answer. */
function fitLatency(endpoints: readonly Endpoint[], config: PoolConfig): void {
  const { usesLatency } = POLICIES[config.policy];
  for (const endpoint of endpoints) {
    if (!usesLatency) endpoint.latency = undefined;
    else endpoint.latency ??= new PeakEwma(config.timeouts.response);
  }
}
