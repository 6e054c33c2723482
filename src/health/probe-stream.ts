import type { PoolConfig } from '../config/schema/pool.ts';
import { type EndpointConnectionOwner, H1EndpointConnection } from '../http/h1-client.ts';
import { type H2ConnectionOwner, H2EndpointConnection } from '../http/h2-client.ts';
import type { EndpointStream } from '../http/streams.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { ProbeDeps } from './probe.ts';

/** How much later the limits of the connection are than that of the check, milliseconds: longer than a process stands still. */
const BEHIND_MS = 60_000;

/** What is spoken to the endpoints of a pool. */
export type EndpointProtocol = PoolConfig['protocol'];

/** Who wants to send one request over a connection of its own. */
export interface ProbeStreamOwner {
  /** The request may be sent. */
  onStream(stream: EndpointStream): void;
  /** The endpoint does not speak the protocol. */
  onNoStream(code: FailureCode, detail: string): void;
}

/** A connection that is used for one request, in the protocol of the pool, and closed behind it. */
export class ProbeConnection implements EndpointConnectionOwner, H2ConnectionOwner {
  readonly handler: ConnectionHandler;
  readonly #owner: ProbeStreamOwner;
  readonly #shared: H2EndpointConnection | undefined = undefined;
  readonly #single: H1EndpointConnection | undefined = undefined;

  constructor(
    deps: ProbeDeps,
    protocol: EndpointProtocol,
    connection: Connection,
    timeoutMs: number,
    owner: ProbeStreamOwner,
  ) {
    this.#owner = owner;
    // The check has a deadline of its own: those of the connection must not come first, even when
    // the process stood still and finds several of them due.
    const neverMs = timeoutMs + BEHIND_MS;
    const limits = { response: neverMs, responseBody: neverMs, idle: neverMs };
    const nowMs = deps.clock.nowMs();
    if (protocol === 'http1') {
      this.#single = new H1EndpointConnection(connection, this, limits, deps.wheel, nowMs);
      this.handler = this.#single;
      return;
    }
    this.#shared = new H2EndpointConnection(
      connection,
      this,
      { ...limits, connect: neverMs, streams: 1, pingInterval: 0, pingTimeout: neverMs },
      deps.wheel,
      protocol === 'h2',
      nowMs,
    );
    this.handler = this.#shared;
  }

  /** Offers the stream as soon as there is one; that may be at once. */
  begin(): void {
    if (this.#single !== undefined) this.#owner.onStream(this.#single);
  }

  /** Closes the connection, whatever happens on it. */
  close(): void {
    this.#shared?.failUnanswered('endpoint_closed', '');
    this.#shared?.retire();
  }

  // ---- HTTP/1.1 ----

  onIdle(): boolean {
    return false;
  }

  // ---- HTTP/2 ----

  onReady(connection: H2EndpointConnection): void {
    if (connection.room > 0) this.#owner.onStream(connection.open());
    else this.#owner.onNoStream('stream_refused', 'no streams are allowed');
  }

  onUnready(_connection: H2EndpointConnection, code: FailureCode, detail: string): void {
    this.#owner.onNoStream(code, detail);
  }

  onRoom(connection: H2EndpointConnection): void {
    connection.drain();
  }

  // ---- either ----

  onGone(): void {}
}
