import { routeNames } from '../config/route-names.ts';
import type { HttpListenerConfig, ListenerConfig } from '../config/schema/listener.ts';
import type { TcpListenerConfig } from '../config/schema/tcp-listener.ts';
import type { UdpListenerConfig } from '../config/schema/udp-listener.ts';
import { createFilter } from '../filters/registry.ts';
import type { L4Pool } from '../l4/l4-pool.ts';
import { TcpListener, type TcpTarget } from '../l4/tcp-listener.ts';
import { UdpListener } from '../l4/udp-listener.ts';
import type { SessionSettings } from '../l4/tcp-session.ts';
import { TlsPassThrough } from '../l4/tls-pass-through.ts';
import { TlsRouter } from '../l4/tls-router.ts';
import { ForwardingPolicy } from '../l7/client-forwarding.ts';
import { L7Listener } from '../l7/l7-listener.ts';
import type { L7Pool } from '../l7/l7-pool.ts';
import { compileRoutes, type Router } from '../l7/router.ts';
import type { ListenerTls } from '../l7/tls-client.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { compileArms } from '../model/weighted-arms.ts';
import { KeptFilters } from './kept-filters.ts';
import { createListenerTls } from './listener-tls.ts';
import type { TicketKeySource } from './ticket-keyring.ts';
import { listenerStats } from './shared-cells.ts';
import type { ServedListener } from './served-listener.ts';
import type { ServedPool } from './served-pools.ts';

/** What a listener is made from besides its configuration. */
export interface ListenerParts {
  readonly pools: ReadonlyMap<string, ServedPool>;
  readonly shared: L7Listener['shared'];
  readonly instance: string;
  readonly ticketKeys: TicketKeySource;
  readonly cells: CellSource;
}

/** The listener of that name in force. */
export interface KnownListener {
  readonly config: ListenerConfig;
  readonly served: ServedListener;
}

/** A listener as it will be. Until `adopt`, nothing that is in force was touched. */
export interface PreparedListener {
  /** The one in force, if it can be changed to this; else a new one. */
  readonly served: ServedListener;
  readonly adopt: () => void;
}

/**
 * Makes the listener of a configuration, of whatever protocol, or prepares the change of the one in force.
 * @throws RangeError or SyntaxError on what the check of a configuration refuses.
 */
export function prepareListener(
  config: ListenerConfig,
  known: KnownListener | undefined,
  parts: ListenerParts,
): PreparedListener {
  if (config.protocol === 'tcp') return prepareTcp(config, known, parts);
  if (config.protocol === 'udp') return prepareUdp(config, known, parts);
  return prepareHttp(config, known, parts);
}

function adoptsNothing(): void {}

function prepareHttp(
  config: HttpListenerConfig,
  known: KnownListener | undefined,
  parts: ListenerParts,
): PreparedListener {
  const before = known?.config.protocol === 'http' ? known.config : undefined;
  const same = known?.served instanceof L7Listener ? known.served : undefined;
  const router = compileHttp(config, before, same, parts);
  const forwarding = new ForwardingPolicy(config, parts.instance);
  const tls = tlsOf(config, before, same, parts);
  const passOn = preparePassThrough(config, parts);
  if (same !== undefined) {
    const adopt = (): void => {
      same.configure(config, router, forwarding, tls);
      passOn(same);
    };
    return { served: same, adopt };
  }
  const stats = listenerStats(parts.cells, config.name);
  const served = new L7Listener(config, router, forwarding, stats, parts.shared, tls);
  passOn(served);
  return { served, adopt: adoptsNothing };
}

/** Which clients of a listener are passed on. Sessions that are open go on, whatever becomes of the routes. */
function preparePassThrough(
  config: HttpListenerConfig,
  { pools, shared }: ListenerParts,
): (listener: L7Listener) => void {
  const { passThrough, name, timeouts, tls } = config;
  const firstRoute = config.routes.length;
  const names = routeNames(config);
  const routes =
    passThrough === undefined
      ? undefined
      : new TlsRouter(
          passThrough.map(({ match }, index) => ({ match, name: names[firstRoute + index] })),
          (index) =>
            targetOf({ ...passThrough[index]!, protocol: 'tcp' }, (pool) => poolNamed(pool, pools).l4),
        );
  const settings: SessionSettings = {
    timeouts: { clientHello: tls?.handshakeTimeout ?? 0, idle: timeouts.tunnel, session: 0 },
    limits: { clientHelloBytes: 0 },
    keepAlive: 0,
  };
  return (listener) => {
    const known = listener.passThrough;
    if (known === undefined && routes === undefined) return;
    const passing =
      known instanceof TlsPassThrough ? known : new TlsPassThrough(name, listener.stats, shared, settings);
    passing.configure(settings, routes, firstRoute);
    listener.passThrough = passing;
  };
}

/** The TLS in force is kept when nothing about it changed. */
function tlsOf(
  { name, tls }: HttpListenerConfig,
  before: HttpListenerConfig | undefined,
  same: L7Listener | undefined,
  { ticketKeys, shared }: ListenerParts,
): ListenerTls | undefined {
  if (tls === undefined) return undefined;
  if (same?.tls !== undefined && Bun.deepEquals(before?.tls, tls)) return same.tls;
  return createListenerTls(name, tls, ticketKeys.keysOf(name, tls), shared.challenges);
}

function compileHttp(
  config: HttpListenerConfig,
  before: HttpListenerConfig | undefined,
  same: L7Listener | undefined,
  { pools, shared, cells }: ListenerParts,
): Router<L7Pool> {
  const filters = same?.router.routes.map((route) => route.filters) ?? [];
  const kept = before === undefined ? undefined : new KeptFilters(before, filters, config);
  return compileRoutes<L7Pool>(config.routes, {
    pool: (name) => poolNamed(name, pools).l7,
    filter: (filter, route, place) =>
      kept?.take(route, filter) ??
      createFilter(filter, { log: shared.log, memory: cells.filter(config.name, route, place) }),
  });
}

function prepareTcp(
  config: TcpListenerConfig,
  known: KnownListener | undefined,
  { pools, shared, cells }: ListenerParts,
): PreparedListener {
  const same = known?.served instanceof TcpListener ? known.served : undefined;
  const named = (name: string): L4Pool => poolNamed(name, pools).l4;
  const { routes, protocol } = config;
  const target =
    routes === undefined
      ? targetOf(config, named)
      : new TlsRouter(routes, (index) => targetOf({ ...routes[index]!, protocol }, named));
  const clients = cells.clients(config.name);
  if (same !== undefined) return { served: same, adopt: () => same.configure(config, target, clients) };
  const stats = listenerStats(cells, config.name);
  return { served: new TcpListener(config, target, stats, shared, clients), adopt: adoptsNothing };
}

function prepareUdp(
  config: UdpListenerConfig,
  known: KnownListener | undefined,
  { pools, shared, cells }: ListenerParts,
): PreparedListener {
  const same = known?.served instanceof UdpListener ? known.served : undefined;
  const target = targetOf(config, (name) => poolNamed(name, pools).l4);
  const clients = cells.clients(config.name);
  if (same !== undefined) return { served: same, adopt: () => same.configure(config, target, clients) };
  const stats = listenerStats(cells, config.name);
  return { served: new UdpListener(config, target, stats, shared, clients), adopt: adoptsNothing };
}

function targetOf(
  { pool, split, protocol }: Pick<TcpListenerConfig | UdpListenerConfig, 'pool' | 'split' | 'protocol'>,
  named: (name: string) => L4Pool,
): TcpTarget {
  if (pool !== undefined) return named(pool);
  if (split !== undefined) return compileArms(split, named);
  throw new RangeError(`a ${protocol} listener needs pool or split`);
}

function poolNamed(name: string, pools: ReadonlyMap<string, ServedPool>): ServedPool {
  const pool = pools.get(name);
  if (pool === undefined) throw new RangeError(`there is no pool "${name}"`);
  return pool;
}
