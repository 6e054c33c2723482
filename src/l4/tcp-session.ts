import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { SessionEntry } from '../model/session-entry.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import { ConnectionSide } from '../net/connection-side.ts';
import { Relay, type RelayEnding, type RelayMeter } from '../net/relay.ts';
import { Deadline, type Timed } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';
import type { L4Pool } from './l4-pool.ts';
import { TcpAttempts, type TcpAttemptsOwner } from './tcp-attempts.ts';
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
  readonly startMs: number = turnNowMs();
  /** What the client is counted as; undefined when it is not. */
  readonly clientKey: string | undefined;
  /** Why it ended, as far as it was not by both sides. */
  failure: FailureCode | undefined = undefined;
  readonly #attempts: TcpAttempts;
  readonly #listener: TcpListener;
  readonly #pool: L4Pool;
  readonly #client: Connection;
  /** When it is as old as it may get. */
  readonly #oldest: Deadline | undefined;
  /** What came although the client was held back. */
  #early: Buffer = NOTHING;
  #relay: Relay | undefined = undefined;
  #over = false;

  constructor(listener: TcpListener, pool: L4Pool, client: Connection, clientKey: string | undefined) {
    const { shared, config } = listener;
    this.#listener = listener;
    this.#pool = pool;
    this.#client = client;
    this.clientKey = clientKey;
    this.#attempts = new TcpAttempts(pool, client, shared, this);
    this.#oldest = config.timeouts.session === 0 ? undefined : new Deadline(shared.wheel, this);
    this.#oldest?.start(config.timeouts.session);
  }

  /** The endpoint that it was given; undefined before. */
  get endpoint(): Endpoint | undefined {
    return this.#attempts.endpoint;
  }

  /** Looks for an endpoint. False when there is none: then it is over already. */
  begin(): boolean {
    this.#client.pause();
    const failure = this.#attempts.begin();
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
    const { shared, config } = this.#listener;
    const { keepAlive, timeouts } = config;
    if (keepAlive > 0) {
      this.#client.keepAlive(keepAlive);
      connection.keepAlive(keepAlive);
    }
    const client = new ConnectionSide(this.#client, this.#early);
    const endpoint = new ConnectionSide(connection, NOTHING);
    const onEnd = (relay: Relay): void => this.#finish(this.failure ?? FAILURE_OF_ENDING[relay.ending!]);
    const relay = new Relay(client, endpoint, shared.wheel, timeouts.idle, onEnd, this);
    this.#relay = relay;
    this.#early = NOTHING;
    this.endpoint!.counts.sessions.add(1);
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

  onDeadline(): void {
    this.shutdown('session_expired');
  }

  /** Asks both sides to end, and cuts them soon if they do not. */
  shutdown(failure: FailureCode): void {
    this.#end(failure, (relay) => relay.shutdown());
  }

  /** Ends at once: both sides are reset. */
  cut(failure: FailureCode): void {
    this.#end(failure, (relay) => relay.cut());
  }

  #end(failure: FailureCode, how: (relay: Relay) => void): void {
    if (this.#over) return;
    if (this.#relay === undefined) {
      this.onGivenUp(failure);
      return;
    }
    this.failure ??= failure;
    how(this.#relay);
  }

  #finish(failure: FailureCode | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.failure = failure;
    this.#oldest?.cancel();
    if (this.#relay !== undefined) this.endpoint!.counts.sessions.add(-1);
    this.#attempts.end();
    this.#listener.finished(this);
  }

  /** Its part of the access log. */
  summary(): Omit<SessionEntry, 'startWallMs' | 'durationMs' | 'listener' | 'protocol' | 'failure'> {
    const { count, queuedMs, connectMs } = this.#attempts;
    return {
      pool: this.#pool.pool.name,
      endpoint: this.endpoint?.name ?? '',
      clientIp: this.#client.remoteAddress,
      clientPort: this.#client.remotePort,
      peerIp: this.#client.peerAddress,
      peerPort: this.#client.peerPort,
      requestBytes: this.#relay?.bytesToEndpoint ?? 0,
      responseBytes: this.#relay?.bytesToClient ?? 0,
      attempts: count,
      queuedMs,
      connectMs,
    };
  }
}
