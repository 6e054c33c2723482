import { routeNames } from '../config/route-names.ts';
import type { TcpListenerConfig } from '../config/schema/tcp-listener.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { ClientCells } from '../model/shared/cells.ts';
import { drawArm, type WeightedArms } from '../model/weighted-arms.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Acceptor } from '../net/listen.ts';
import {
  type IntroducedAcceptor,
  ProxyEntrance,
  proxyRulesOf,
} from '../net/proxy-protocol/proxy-entrance.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import { Roster } from '../util/roster.ts';
import { ClientLimits, perClientOf } from './client-limits.ts';
import type { L4Pool } from './l4-pool.ts';
import type { L4Shared } from './l4-shared.ts';
import { TcpSession, type TcpSessionOwner } from './tcp-session.ts';
import { recordTcpSession } from './tcp-session-log.ts';
import { type TlsGreeting, type TlsRoute, TlsRouter } from './tls-router.ts';

/** So many sessions of an endpoint that is taken out are ended at once, and as many after each pause. */
const SPREAD_COUNT = 100;
const SPREAD_MS = 100;

/** Where the sessions of a listener go: one pool, or one drawn by weight. */
export type TcpTarget = L4Pool | WeightedArms<L4Pool>;

/** Serves the TCP clients of one listener. */
export class TcpListener implements Acceptor, IntroducedAcceptor, TcpSessionOwner {
  readonly transport = 'tcp';
  readonly name: string;
  readonly stats: ListenerStats;
  readonly shared: L4Shared;
  config: TcpListenerConfig;
  #target: TcpTarget | TlsRouter<TcpTarget>;
  readonly #clients: ClientLimits;
  readonly #sessions = new Roster<TcpSession>();
  readonly #entrance: ProxyEntrance;

  constructor(
    config: TcpListenerConfig,
    target: TcpTarget | TlsRouter<TcpTarget>,
    stats: ListenerStats,
    shared: L4Shared,
    clients?: ClientCells,
  ) {
    this.name = config.name;
    this.stats = stats;
    this.shared = shared;
    this.config = config;
    this.#target = target;
    stats.nameRoutes(() => routeNames(config));
    this.#clients = new ClientLimits(perClientOf(config), clients);
    this.#entrance = new ProxyEntrance(proxyRulesOf(config.proxyProtocol), shared.wheel, this);
  }

  /** Adopts a new configuration, for sessions from now on; those that are open go on as they began. */
  configure(
    config: TcpListenerConfig,
    target: TcpTarget | TlsRouter<TcpTarget>,
    clients?: ClientCells,
  ): void {
    this.config = config;
    this.#target = target;
    this.stats.nameRoutes(() => routeNames(config));
    this.#clients.configure(perClientOf(config), clients);
    this.#entrance.rules = proxyRulesOf(config.proxyProtocol);
  }

  accept(connection: Connection): ConnectionHandler | undefined {
    const { stats } = this;
    if (!stats.connections.take(this.config.limits.connections)) return this.#reject('connection_limit');
    const handler = this.#entrance.enter(connection);
    if (handler === undefined) {
      stats.connections.give();
      return undefined;
    }
    return handler;
  }

  onIntroduced(connection: Connection): ConnectionHandler | undefined {
    const claim = this.#clients.enter(connection.remoteAddress, turnNowMs());
    if (typeof claim === 'string') return this.#reject(claim);
    this.stats.connectionsTotal++;
    const session = new TcpSession(this, connection, claim);
    this.#sessions.add(session);
    const target = this.#target;
    if (target instanceof TlsRouter) session.preread();
    else if (!session.begin(this.draw(target))) return undefined;
    return session;
  }

  /** The route of a TLS client; undefined when none takes it. */
  route(greeting: TlsGreeting): TlsRoute<TcpTarget> | undefined {
    const target = this.#target;
    // A reload may have taken the routes away meanwhile.
    const route = target instanceof TlsRouter ? target.route(greeting) : undefined;
    if (route !== undefined) this.stats.countRoute(route.index);
    return route;
  }

  /** The pool for one session. */
  draw(target: TcpTarget): L4Pool {
    return 'arms' in target ? drawArm(target, this.shared.random) : target;
  }

  onNotIntroduced(code: FailureCode): void {
    this.#reject(code);
  }

  #reject(code: FailureCode): undefined {
    this.stats.connectionsRejected++;
    this.stats.countFailure(code);
  }

  released(handler: ConnectionHandler): void {
    this.stats.connections.give();
    this.#entrance.release(handler);
  }

  /** Whether that handler, which is not released yet, was given out here. */
  serves(handler: ConnectionHandler): boolean {
    return handler instanceof TcpSession ? handler.isOf(this) : this.#entrance.holds(handler);
  }

  /** A session is over: counters and the access log. */
  finished(session: TcpSession): void {
    this.#sessions.delete(session);
    session.claim?.give();
    recordTcpSession(this, session);
  }

  /** Sessions that are open or look for an endpoint. */
  get busy(): number {
    return this.#sessions.size;
  }

  /** Sessions end when their clients and endpoints like: there is no last request to wait for. */
  drain(): void {
    this.#entrance.abandon();
  }

  leave(): void {}

  /** Asks both ends of the sessions with `endpoint` to close, not all at once: their clients will come back. */
  closeSessions(endpoint: Endpoint): void {
    this.#closeSpread(
      [...this.#sessions].filter((session) => session.endpoint === endpoint),
      0,
    );
  }

  #closeSpread(sessions: readonly TcpSession[], from: number): void {
    const to = from + SPREAD_COUNT;
    for (const session of sessions.slice(from, to)) session.shutdown('endpoint_drained');
    if (to < sessions.length)
      this.shared.clock.after(SPREAD_MS, () => runTurn(() => this.#closeSpread(sessions, to)));
  }

  /** Resets the sessions with `endpoint`, which is down. */
  cutSessions(endpoint: Endpoint): void {
    for (const session of this.#sessions)
      if (session.endpoint === endpoint) session.cut('endpoint_unhealthy');
  }

  /** Resets what is still open. Returns how many sessions that was. */
  cut(): number {
    this.#entrance.abandon();
    const cut = this.#sessions.size;
    for (const session of this.#sessions) session.cut('shutting_down');
    return cut;
  }
}
