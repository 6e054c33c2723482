import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import { drawArm } from '../model/weighted-arms.ts';
import type { Connection } from '../net/connection.ts';
import type { ClientHello } from '../net/tls-hello/client-hello.ts';
import { Roster } from '../util/roster.ts';
import type { L4Pool } from './l4-pool.ts';
import type { L4Shared } from './l4-shared.ts';
import { type SessionSettings, TcpSession, type TcpSessionOwner } from './tcp-session.ts';
import type { TcpTarget } from './tcp-listener.ts';
import { recordTcpSession } from './tcp-session-log.ts';
import type { TlsGreeting, TlsRoute, TlsRouter } from './tls-router.ts';

/**
 * The clients of an http listener whose TLS is passed on: those that a route takes by name or protocol. All others are the listener's,
 * which ends TLS for them.
 */
export class TlsPassThrough implements TcpSessionOwner {
  readonly name: string;
  readonly stats: ListenerStats;
  readonly shared: L4Shared;
  config: SessionSettings;
  #routes: TlsRouter<TcpTarget> | undefined;
  /** Place of its first route among those of the listener. */
  #firstRoute = 0;
  readonly #sessions = new Roster<TcpSession>();

  /** @param stats Those of the listener. */
  constructor(name: string, stats: ListenerStats, shared: L4Shared, config: SessionSettings) {
    this.name = name;
    this.stats = stats;
    this.shared = shared;
    this.config = config;
  }

  /**
   * Adopts other routes, undefined for none, for clients from now on.
   * @param firstRoute Place of the first of them among all routes of the listener.
   */
  configure(config: SessionSettings, routes: TlsRouter<TcpTarget> | undefined, firstRoute: number): void {
    this.config = config;
    this.#routes = routes;
    this.#firstRoute = firstRoute;
  }

  get busy(): number {
    return this.#sessions.size;
  }

  take(connection: Connection, hello: ClientHello, bytes: Buffer): TcpSession | undefined {
    const route = this.route(hello);
    if (route === undefined) return undefined;
    this.stats.countRoute(this.#firstRoute + route.index);
    const session = new TcpSession(this, connection, undefined);
    this.#sessions.add(session);
    session.resume(hello, bytes, route);
    return session;
  }

  route(greeting: TlsGreeting): TlsRoute<TcpTarget> | undefined {
    return this.#routes?.route(greeting);
  }

  draw(target: TcpTarget): L4Pool {
    return 'arms' in target ? drawArm(target, this.shared.random) : target;
  }

  finished(session: TcpSession): void {
    this.#sessions.delete(session);
    recordTcpSession(this, session);
  }

  closeSessions(endpoint: Endpoint): void {
    for (const session of this.#sessions)
      if (session.endpoint === endpoint) session.shutdown('endpoint_drained');
  }

  cutSessions(endpoint: Endpoint): void {
    for (const session of this.#sessions)
      if (session.endpoint === endpoint) session.cut('endpoint_unhealthy');
  }
}
