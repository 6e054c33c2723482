import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import { compileArms, drawArm } from '../model/weighted-arms.ts';
import { seededRandom } from '../util/random.ts';
import { type Decision, failed, NOBODY_LISTENS, SEED, shares } from './explain-decision.ts';
import type { Peer, SessionListenerConfig } from './explain-listener.ts';
import type { LiveState } from './explain-live.ts';
import { AskedPools, type Choice, chooseEndpoint, type LinkedPool } from './explain-pool.ts';

/**
 * Decides about a session as the data path would, by the same policies. Opens no socket and changes nothing.
 * @param live State of the endpoints; without it, as right after a start.
 */
export function decideSession(
  config: Config,
  listener: SessionListenerConfig,
  client: Peer,
  live: LiveState | undefined,
): Decision {
  const random = seededRandom(SEED);
  const pools = new AskedPools(config.pools, { random, log: NOBODY_LISTENS, live });
  try {
    const { name, address, pool: poolName, split } = listener;
    const arms = split === undefined ? undefined : compileArms<LinkedPool>(split, (arm) => pools.get(arm));
    const linked = arms === undefined ? pools.get(poolName!) : drawArm(arms, random);
    const { pool, choice } = chooseEndpoint(pools, linked, undefined, client, random);
    return {
      listener: { name, address: formatAddress(address) },
      client: client.ip,
      routes: [],
      filters: [],
      ...(arms !== undefined && { split: shares(arms) }),
      pool,
      result: resultOf(choice),
    };
  } finally {
    pools.publisher.stop();
  }
}

function resultOf(choice: Choice): Decision['result'] {
  if ('failure' in choice) return failed(choice.failure);
  if ('queue' in choice) return { kind: 'queue', size: choice.queue.size, timeoutMs: choice.queue.timeout };
  const { endpoint, because } = choice;
  const address = formatAddress(endpoint.config.address);
  return { kind: 'endpoint', endpoint: endpoint.name, address, because, sends: [] };
}
