import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import { ConnectionSide } from '../net/connection-side.ts';
import { Relay, type RelayEnding, type RelayMeter } from '../net/relay.ts';
import { Deadline, type Timed } from '../net/timer-wheel.ts';
import { TcpAttempts, type TcpAttemptsOwner } from './tcp-attempts.ts';
import type { L4Pool } from './l4-pool.ts';
import type { TcpListener } from './tcp-listener.ts';

const NOTHING = Buffer.alloc(0);

const FAILURE_OF_ENDING: Readonly<Record<RelayEnding, FailureCode | undefined>> = {
  ended: undefined,
  'client-gone': 'client_closed',
  'endpoint-gone': 'endpoint_reset',
  idle: 'session_idle',
  asked: undefined,
};

/**
 * One TCP session: a client's connection, and the one to its endpoint. The endpoint is dialled at once, for in many protocols the
 * server speaks first; until it is there nothing is read from the client, so that its first bytes wait in the kernel.
 */
export class TcpSession implements ConnectionHandler, TcpAttemptsOwner, RelayMeter, Timed {
  /** Why it ended, as far as it was not by both sides. */
  failure: FailureCode | undefined = undefined;
  readonly attempts: TcpAttempts;
  readonly #listener: TcpListener;
  readonly #client: Connection;
  readonly #oldest: Deadline | undefined;
  /** What came before the client was held back. */
  #early: Buffer = NOTHING;
  #relay: Relay | undefined = undefined;
  #over = false;

  constructor(listener: TcpListener, l4Pool: L4Pool, client: Connection) {
    const { shared, timeouts } = listener;
    this.#listener = listener;
    this.#client = client;
    this.attempts = new TcpAttempts(l4Pool, client.remoteAddress, shared, this);
    this.#oldest = timeouts.session === 0 ? undefined : new Deadline(shared.wheel, this);
    this.#oldest?.start(timeouts.session);
  }

  /** The endpoint that it was given; undefined before. */
  get endpoint(): Endpoint | undefined {
    return this.attempts.endpoint;
  }

  /** Looks for an endpoint. False when there is none: then it is over already. */
  begin(): boolean {
    this.#client.pause();
    const failure = this.attempts.begin();
    if (failure !== undefined) this.#finish(failure);
    return failure === undefined;
  }

  // ---- the client, as long as there is no endpoint ----

  onData(bytes: Buffer): void {
    this.#early = Buffer.concat([this.#early, bytes]);
  }

  onEnd(): void {}

  onCongested(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#finish('client_closed');
  }

  // ---- the endpoint ----

  onReached(connection: Connection): ConnectionHandler {
    const { shared, timeouts } = this.#listener;
    const client = new ConnectionSide(this.#client, this.#early);
    const endpoint = new ConnectionSide(connection, NOTHING);
    const onEnd = (relay: Relay): void => this.#finish(this.failure ?? FAILURE_OF_ENDING[relay.ending!]);
    const relay = new Relay(client, endpoint, shared.wheel, timeouts.idle, onEnd, this);
    this.#relay = relay;
    this.#early = NOTHING;
    relay.begin();
    return connection.handler;
  }

  onGivenUp(code: FailureCode): void {
    this.#finish(code);
    this.#client.reset();
  }

  relayed(bytesToEndpoint: number, bytesToClient: number): void {
    const { stats } = this.#listener;
    const endpoint = this.endpoint!.stats;
    stats.bytesIn += bytesToEndpoint;
    stats.bytesOut += bytesToClient;
    endpoint.bytesOut += bytesToEndpoint;
    endpoint.bytesIn += bytesToClient;
  }

  // ---- the end ----

  /** It is as old as it may get. */
  onDeadline(): void {
    this.shutdown('session_expired');
  }

  /** Asks both sides to end, and cuts them soon if they do not. */
  shutdown(failure: FailureCode): void {
    if (this.#over) return;
    this.failure ??= failure;
    if (this.#relay === undefined) this.onGivenUp(failure);
    else this.#relay.shutdown();
  }

  /** Ends at once: both sides are reset. */
  cut(failure: FailureCode): void {
    if (this.#over) return;
    this.failure ??= failure;
    if (this.#relay === undefined) this.onGivenUp(failure);
    else this.#relay.cut();
  }

  #finish(failure: FailureCode | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.failure = failure;
    this.#oldest?.cancel();
    this.attempts.end();
    this.#listener.finished(this);
  }
}
