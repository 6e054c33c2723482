import type { TcpListenerConfig } from '../config/schema/tcp-listener.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import { drawArm, type WeightedArms } from '../model/weighted-arms.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Acceptor } from '../net/listen.ts';
import type { L4Pool } from './l4-pool.ts';
import type { L4Shared } from './l4-shared.ts';
import { TcpSession } from './tcp-session.ts';

/** Where the sessions of a listener go: one pool, or one drawn by weight. */
export type TcpTarget = L4Pool | WeightedArms<L4Pool>;

/** Serves the TCP clients of one listener. */
export class TcpListener implements Acceptor {
  readonly name: string;
  readonly stats: ListenerStats;
  readonly shared: L4Shared;
  timeouts: TcpListenerConfig['timeouts'];
  #limits: TcpListenerConfig['limits'];
  #target: TcpTarget;
  readonly #sessions = new Set<TcpSession>();
  /** Connections that are not released yet. */
  readonly #connections = new Set<ConnectionHandler>();

  constructor(config: TcpListenerConfig, target: TcpTarget, stats: ListenerStats, shared: L4Shared) {
    this.name = config.name;
    this.stats = stats;
    this.shared = shared;
    this.timeouts = config.timeouts;
    this.#limits = config.limits;
    this.#target = target;
  }

  /** Adopts a new configuration, for sessions from now on; those that are open go on as they began. */
  configure(config: TcpListenerConfig, target: TcpTarget): void {
    this.timeouts = config.timeouts;
    this.#limits = config.limits;
    this.#target = target;
  }

  accept(connection: Connection): ConnectionHandler | undefined {
    const { stats } = this;
    if (!stats.connections.take(this.#limits.connections)) {
      stats.connectionsRejected++;
      stats.countFailure('connection_limit');
      return undefined;
    }
    stats.connectionsTotal++;
    const target = this.#target;
    const pool = 'arms' in target ? drawArm(target, this.shared.random) : target;
    const session = new TcpSession(this, pool, connection);
    this.#sessions.add(session);
    if (!session.begin()) {
      stats.connections.give();
      return undefined;
    }
    this.#connections.add(session);
    return session;
  }

  released(handler: ConnectionHandler): void {
    this.stats.connections.give();
    this.#connections.delete(handler);
  }

  /** Whether that handler was given out here, and is not released yet. */
  serves(handler: ConnectionHandler): boolean {
    return this.#connections.has(handler);
  }

  /** A session is over. */
  finished(session: TcpSession): void {
    this.#sessions.delete(session);
    if (session.failure !== undefined) this.stats.countFailure(session.failure);
  }

  /** Sessions that are open or look for an endpoint. */
  get busy(): number {
    return this.#sessions.size;
  }

  /** Sessions end when their clients and endpoints like. */
  drain(): void {}

  leave(): void {}

  /** Asks both ends of the sessions with `endpoint` to close. */
  closeSessions(endpoint: Endpoint): void {
    for (const session of this.#sessions) {
      if (session.endpoint === endpoint) session.shutdown('endpoint_drained');
    }
  }

  /** Ends what is still open. Returns how many sessions that was. */
  cut(): number {
    const cut = this.#sessions.size;
    for (const session of this.#sessions) session.cut('shutting_down');
    return cut;
  }
}
