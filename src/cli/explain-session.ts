import { formatAddress } from '../config/schema/address.ts';
import type { TcpListenerConfig } from '../config/schema/tcp-listener.ts';
import { type TlsGreeting, TlsRouter } from '../l4/tls-router.ts';
import type { Config } from '../config/schema/config.ts';
import { compileArms, drawArm } from '../model/weighted-arms.ts';
import { seededRandom } from '../util/random.ts';
import { type Decision, failed, NOBODY_LISTENS, SEED, shares } from './explain-decision.ts';
import type { Peer, SessionListener } from './explain-listener.ts';
import type { LiveState } from './explain-live.ts';
import { AskedPools, type Choice, chooseEndpoint, type LinkedPool } from './explain-pool.ts';

type Routes = NonNullable<TcpListenerConfig['routes']>;

/** How each route judged what the client says by TLS. */
function judged(
  routes: Routes,
  greeting: TlsGreeting,
): { verdicts: Decision['routes']; chosen: Routes[number] | undefined } {
  const router = new TlsRouter(routes, (index) => routes[index]!);
  const chosen = router.route(greeting);
  const verdicts = router.routes.map(({ name, index, target }) => {
    if (chosen === undefined || index < chosen.index)
      return { route: name, verdict: refusal(target, greeting) };
    return { route: name, verdict: { kind: index === chosen.index ? 'chosen' : 'not-reached' } as const };
  });
  return { verdicts, chosen: chosen?.target };
}

/** The first condition that does not hold. */
function refusal(
  { match }: Routes[number],
  { serverName, alpn }: TlsGreeting,
): Decision['routes'][number]['verdict'] {
  const named =
    new TlsRouter([{ match: { sni: match?.sni } }], () => 0).route({ serverName, alpn }) !== undefined;
  const [subject, wanted, seen] = named
    ? ['alpn', match?.alpn, alpn.join(', ')]
    : ['sni', match?.sni, serverName];
  return {
    kind: 'failed',
    subject,
    wants: [wanted ?? []].flat().join(', '),
    sees: seen === '' ? 'none' : seen,
  };
}

/**
 * Decides about a session as the data path would, by the same policies. Opens no socket and changes nothing.
 * @param greeting What the client says by TLS, where the listener looks at it.
 * @param live State of the endpoints; without it, as right after a start.
 */
export function decideSession(
  config: Config,
  listener: SessionListener,
  client: Peer,
  live: LiveState | undefined,
  greeting: TlsGreeting,
): Decision {
  const random = seededRandom(SEED);
  const pools = new AskedPools(config.pools, { random, log: NOBODY_LISTENS, live });
  try {
    const { name, address } = listener;
    const routed = listener.routes !== undefined ? judged(listener.routes, greeting) : undefined;
    const at = {
      listener: { name, address: formatAddress(address) },
      client: client.ip,
      routes: routed?.verdicts ?? [],
      filters: [],
    };
    if (routed !== undefined && routed.chosen === undefined)
      return { ...at, result: listener.endsTls ? { kind: 'tls-ended' } : failed('hello_no_route') };
    const { pool: poolName, split } = routed?.chosen ?? listener;
    const arms = split === undefined ? undefined : compileArms<LinkedPool>(split, (arm) => pools.get(arm));
    const linked = arms === undefined ? pools.get(poolName!) : drawArm(arms, random);
    const { pool, choice } = chooseEndpoint(pools, linked, undefined, client, random);
    return {
      ...at,
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
