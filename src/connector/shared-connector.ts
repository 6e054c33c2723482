import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { dial } from '../net/dial.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';
import type { EndpointConnector, SessionWaiter } from './endpoint-connector.ts';

/** A connection to an endpoint that carries many exchanges at a time, as a codec keeps it. */
export interface SharedSession<S> extends ConnectionHandler {
  readonly openedMs: number;
  /** Exchanges that may begin on it now. */
  readonly room: number;
  /** Exchanges are under way on it. */
  readonly busy: boolean;
  /** Begins one; there is room. */
  open(): S;
  /** Takes no more, and closes with the last. */
  drain(): void;
  /** Fails the exchanges that the endpoint has not begun to answer. */
  failUnanswered(code: FailureCode, detail: string): void;
}

/** How connections to one endpoint are kept: milliseconds and counts. */
export interface SharedConnectorSettings {
  readonly connectTimeoutMs: number;
  readonly maxAgeMs: number;
  /** Exchanges on one connection at a time, at most. */
  readonly streams: number;
}

/**
 * Shared connections to one endpoint. The oldest that has room takes the next exchange, so that as few as possible are in use and
 * the others grow idle and close; when none has room another is dialled. Whoever waits is served first come, first served, by
 * whichever connection has room first.
 */
export class SharedConnector<C extends SharedSession<S>, S> implements EndpointConnector<S> {
  readonly endpoint: Endpoint;
  readonly #settings: SharedConnectorSettings;
  readonly #wheel: TimerWheel;
  readonly #dial: typeof dial;
  readonly #createSession: (connection: Connection, connector: SharedConnector<C, S>) => C;
  /** Those that are ready, in the order in which they became so. */
  readonly #sessions: C[] = [];
  #waiting: SessionWaiter<S>[] = [];
  /** Connections on their way, up to the moment at which they are ready. */
  #dialling = 0;
  #closed = false;

  constructor(
    endpoint: Endpoint,
    settings: SharedConnectorSettings,
    wheel: TimerWheel,
    connect: typeof dial,
    createSession: (connection: Connection, connector: SharedConnector<C, S>) => C,
  ) {
    this.endpoint = endpoint;
    this.#settings = settings;
    this.#wheel = wheel;
    this.#dial = connect;
    this.#createSession = createSession;
  }

  get idleCount(): number {
    let idle = 0;
    for (const session of this.#sessions) if (!session.busy) idle++;
    return idle;
  }

  get unused(): boolean {
    return this.#sessions.length === 0 && this.#waiting.length === 0 && this.#dialling === 0;
  }

  /** On a shared connection an endpoint says which requests it has not looked at (GOAWAY): nobody need be careful. */
  take(): S | undefined {
    const sessions = this.#sessions;
    for (let index = 0; index < sessions.length; index++) {
      const session = sessions[index]!;
      if (session.room <= 0) continue;
      if (turnNowMs() - session.openedMs < this.#settings.maxAgeMs) {
        this.endpoint.stats.connectionsReused++;
        return session.open();
      }
      session.drain();
      if (sessions[index] !== session) index--;
    }
    return undefined;
  }

  dial(waiter: SessionWaiter<S>): void {
    this.#waiting.push(waiter);
    if (this.#waiting.length > this.#dialling * this.#settings.streams) this.#begin();
  }

  #begin(): void {
    this.#dialling++;
    const sinceMs = turnNowMs();
    const { host, port } = this.endpoint.config.address;
    this.#dial(this.#wheel, host, port, this.#settings.connectTimeoutMs, {
      onConnected: (connection) => {
        this.endpoint.stats.connect.record(turnNowMs() - sinceMs);
        this.endpoint.stats.connectionsOpened++;
        return this.#createSession(connection, this);
      },
      onDialFailed: (code, detail) => this.#failed(code, detail),
    });
  }

  /** A connection did not come about: those fail for whom no other is on its way. */
  #failed(code: FailureCode, detail: string): void {
    this.endpoint.stats.connectFailures++;
    this.#dialling--;
    this.#giveUp(code, detail);
  }

  #giveUp(code: FailureCode, detail: string): void {
    const hopeful = this.#dialling * this.#settings.streams;
    // Each is told once, also when what it does next is to wait here again.
    for (let left = this.#waiting.length - hopeful; left > 0 && this.#waiting.length > 0; left--)
      this.#waiting.shift()!.onDialFailed(code, detail);
  }

  cancel(waiter: SessionWaiter<S>): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
  }

  onReady(session: C): void {
    this.#dialling--;
    this.#sessions.push(session);
    const useless = session.room <= 0;
    this.#serve(session);
    if (useless) this.#giveUp('stream_refused', 'no streams are allowed');
    while (this.#waiting.length > this.#dialling * this.#settings.streams) this.#begin();
    if (this.#closed) session.drain();
  }

  onUnready(_session: C, code: FailureCode, detail: string): void {
    this.#failed(code, detail);
  }

  onRoom(session: C): void {
    this.#serve(session);
  }

  #serve(session: C): void {
    while (this.#waiting.length > 0 && session.room > 0) this.#waiting.shift()!.onSession(session.open());
  }

  onGone(session: C): void {
    const index = this.#sessions.indexOf(session);
    if (index >= 0) this.#sessions.splice(index, 1);
  }

  abandon(code: FailureCode, detail: string): void {
    for (const session of this.#sessions.slice()) {
      session.failUnanswered(code, detail);
      if (!session.busy) session.drain();
    }
  }

  close(): void {
    this.#closed = true;
    for (const session of this.#sessions.slice()) session.drain();
  }
}
