import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { dial } from '../net/dial.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';
import { type Enlisted, Roster } from '../util/roster.ts';
import type { EndpointConnector, SessionWaiter } from './endpoint-connector.ts';

/** A connection to an endpoint as a codec keeps it between exchanges. */
export interface Session extends ConnectionHandler, Enlisted {
  readonly openedMs: number;
  /** Looked at now, nothing has come on it that was not asked for, nor its end; the system is asked. */
  readonly untouched: boolean;
  /** Is kept idle from now on. */
  rest(): void;
  /** Is not wanted any more. */
  retire(): void;
  /** Fails the exchange under way if the endpoint has not begun to answer it. */
  failUnanswered(code: FailureCode, detail: string): void;
}

/** How connections to one endpoint are kept: milliseconds and counts. */
export interface ConnectorSettings {
  readonly connectTimeoutMs: number;
  readonly maxAgeMs: number;
  readonly maxIdle: number;
}

/**
 * Connections to one endpoint: the most recently used idle one is taken first, so that those that are not needed grow old
 * and close. When none is idle one is dialled, and whichever comes first, the new one or one that becomes free, serves
 * the request that has waited longest.
 */
export class Connector<S extends Session> implements EndpointConnector<S> {
  readonly endpoint: Endpoint;
  readonly #settings: ConnectorSettings;
  readonly #wheel: TimerWheel;
  readonly #dial: typeof dial;
  readonly #createSession: (connection: Connection, connector: Connector<S>) => S;
  readonly #idle: S[] = [];
  /** All that are open, idle or not. */
  readonly #sessions = new Roster<S>();
  #waiting: SessionWaiter<S>[] = [];
  /** Connections on their way. */
  #dialling = 0;
  #closed = false;

  constructor(
    endpoint: Endpoint,
    settings: ConnectorSettings,
    wheel: TimerWheel,
    connect: typeof dial,
    createSession: (connection: Connection, connector: Connector<S>) => S,
  ) {
    this.endpoint = endpoint;
    this.#settings = settings;
    this.#wheel = wheel;
    this.#dial = connect;
    this.#createSession = createSession;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get unused(): boolean {
    return this.#sessions.size === 0 && this.#waiting.length === 0 && this.#dialling === 0;
  }

  take(careful: boolean): S | undefined {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      const young = turnNowMs() - session.openedMs < this.#settings.maxAgeMs;
      if (young && (!careful || session.untouched)) {
        this.endpoint.stats.connectionsReused++;
        return session;
      }
      this.#sessions.delete(session);
      session.retire();
    }
    return undefined;
  }

  dial(waiter: SessionWaiter<S>): void {
    this.#waiting.push(waiter);
    this.#dialling++;
    const sinceMs = turnNowMs();
    const { host, port } = this.endpoint.config.address;
    this.#dial(this.#wheel, host, port, this.#settings.connectTimeoutMs, {
      onConnected: (connection) => {
        this.endpoint.stats.connect.record(turnNowMs() - sinceMs);
        return this.#connected(connection);
      },
      onDialFailed: (code, detail) => {
        this.endpoint.stats.connectFailures++;
        this.#dialling--;
        // Whoever asked for it may have been served by another, or has left: those who wait have dials of their own.
        if (this.#waiting.length > this.#dialling) this.#waiting.shift()!.onDialFailed(code, detail);
      },
    });
  }

  cancel(waiter: SessionWaiter<S>): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
  }

  #connected(connection: Connection): ConnectionHandler {
    this.endpoint.stats.connectionsOpened++;
    this.#dialling--;
    const session = this.#createSession(connection, this);
    connection.handler = session;
    this.#sessions.add(session);
    if (!this.onIdle(session)) {
      this.#sessions.delete(session);
      session.retire();
    }
    return session;
  }

  /** A session became free: it serves whoever waits, or is kept. False when it is not wanted. */
  onIdle(session: S): boolean {
    const waiter = this.#waiting[0];
    // Whoever is careful has a dial of its own on its way.
    if (waiter?.careful === true && !session.untouched) return false;
    if (waiter !== undefined) {
      this.#waiting.shift();
      waiter.onSession(session);
      return true;
    }
    if (this.#closed || this.#idle.length >= this.#settings.maxIdle) return false;
    this.#idle.push(session);
    session.rest();
    return true;
  }

  /** A session ended, idle or not. */
  onGone(session: S): void {
    this.#sessions.delete(session);
    const index = this.#idle.indexOf(session);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  abandon(code: FailureCode, detail: string): void {
    this.#retireIdle();
    for (const session of this.#sessions) session.failUnanswered(code, detail);
  }

  #retireIdle(): void {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      this.#sessions.delete(session);
      session.retire();
    }
  }

  close(): void {
    this.#closed = true;
    this.#retireIdle();
  }
}
