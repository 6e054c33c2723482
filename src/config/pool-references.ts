import type { Draft } from './draft.ts';
import type { Path } from './issue.ts';
import type { ListenerConfig, RouteConfig } from './schema/listener.ts';
import type { TlsRouteConfig } from './schema/tls-route.ts';

type PoolChoice = Pick<RouteConfig, 'pool' | 'split'>;

/** A place where a listener names a pool. */
export interface PoolReference {
  readonly pool: string;
  /** Below the listener. */
  readonly at: Path;
}

/** The routes of a listener; none when it does not speak HTTP. */
export function httpRoutes(
  listener: Draft<ListenerConfig> | undefined,
): readonly (Draft<RouteConfig> | undefined)[] {
  return listener?.protocol === 'http' ? (listener.routes ?? []) : [];
}

/** The routes of a listener of any protocol. */
export function allRoutes(
  listener: Draft<ListenerConfig> | undefined,
): readonly (Draft<RouteConfig> | Draft<TlsRouteConfig> | undefined)[] {
  return listener?.protocol === 'tcp' ? (listener.routes ?? []) : httpRoutes(listener);
}

/** Every place where a listener of any protocol names a pool, in order. */
export function poolReferences(listener: Draft<ListenerConfig> | undefined): PoolReference[] {
  if (listener === undefined) return [];
  const direct = listener.protocol === 'tcp' || listener.protocol === 'udp' ? choices(listener, []) : [];
  const passedOn = listener.protocol === 'http' ? routed(listener.passThrough ?? [], 'passThrough') : [];
  return [...direct, ...passedOn, ...routed(allRoutes(listener), 'routes')];
}

function routed(routes: readonly (Draft<PoolChoice> | undefined)[], key: string): PoolReference[] {
  return routes.flatMap((route, index) => choices(route ?? {}, [key, index]));
}

/** Names of the pools that a listener leads to, each once. */
export function poolsOf(listener: Draft<ListenerConfig>): string[] {
  return [...new Set(poolReferences(listener).map(({ pool }) => pool))];
}

/** The pools that only udp listeners lead to, so that nobody connects to their endpoints. */
export function datagramPools(listeners: readonly ListenerConfig[]): ReadonlySet<string> {
  const pools = new Set<string>();
  for (const listener of listeners)
    if (listener.protocol === 'udp') for (const pool of poolsOf(listener)) pools.add(pool);
  if (pools.size === 0) return pools;
  for (const listener of listeners)
    if (listener.protocol !== 'udp') for (const pool of poolsOf(listener)) pools.delete(pool);
  return pools;
}

function choices({ pool, split }: Draft<PoolChoice>, at: Path): PoolReference[] {
  const references: PoolReference[] = pool === undefined ? [] : [{ pool, at: [...at, 'pool'] }];
  for (const [place, arm] of (split ?? []).entries()) {
    if (arm?.pool !== undefined) references.push({ pool: arm.pool, at: [...at, 'split', place, 'pool'] });
  }
  return references;
}
