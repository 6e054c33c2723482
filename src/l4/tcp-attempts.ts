import { triesOn } from '../connector/reach.ts';
import type { QueueTicket, QueueWaiter } from '../connector/queue-lines.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { type FailureCode, FAILURES } from '../model/failures.ts';
import type { PickRequest } from '../model/picker.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Dialler } from '../net/dial.ts';
import type { Origin } from '../net/origin.ts';
import { turnNowMs } from '../net/turn.ts';
import type { L4Pool } from './l4-pool.ts';
import type { L4Shared } from './l4-shared.ts';

const NONE_TRIED: readonly Endpoint[] = [];

/** The session that wants an endpoint. */
export interface TcpAttemptsOwner {
  /** Connected. Returns who serves the connection from now on. */
  onReached(connection: Connection): ConnectionHandler;
  /** No attempt is left; none is held. Not called within `begin`, which tells by itself. */
  onGivenUp(code: FailureCode): void;
}

/**
 * How a session finds its endpoint: pick and acquire in one step, dial, or wait in the queue; when an endpoint cannot be reached, the
 * next. Nothing was sent to it then, so that is always safe, and it ends, because no endpoint is picked twice. Holds at most
 * one place at one endpoint, until `end`.
 */
export class TcpAttempts implements Dialler, QueueWaiter, PickRequest {
  /** Of the latest attempt. */
  endpoint: Endpoint | undefined = undefined;
  /** Attempts that were begun. */
  count = 0;
  /** Time in the queue, milliseconds. */
  queuedMs = 0;
  /** Time that the latest attempt took to connect, milliseconds. */
  connectMs = 0;
  readonly hash: number;
  /** Sessions are bound to no endpoint. */
  readonly waitsFor = undefined;
  readonly #l4Pool: L4Pool;
  readonly #shared: L4Shared;
  readonly #owner: TcpAttemptsOwner;
  readonly #introduction: Buffer | undefined;
  #tried: Endpoint[] | undefined = undefined;
  #acquired = false;
  #ticket: QueueTicket | undefined = undefined;
  #cancelDial: (() => void) | undefined = undefined;
  /** What attempts in vain took together, milliseconds. */
  #lostMs = 0;
  /** When the latest wait or attempt began. */
  #sinceMs = 0;

  /** @param serverName Name that the client asked for by TLS; empty when that is not known. */
  constructor(l4Pool: L4Pool, client: Origin, serverName: string, shared: L4Shared, owner: TcpAttemptsOwner) {
    this.#l4Pool = l4Pool;
    this.#shared = shared;
    this.#owner = owner;
    this.#introduction = l4Pool.introductionOf(client, serverName);
    this.hash = l4Pool.hashOf(client.remoteAddress, client.remotePort);
  }

  get tried(): readonly Endpoint[] {
    return this.#tried ?? NONE_TRIED;
  }

  /** @returns why there is no endpoint; undefined when one is dialled or waited for. */
  begin(): FailureCode | undefined {
    const { pool } = this.#l4Pool;
    pool.counts.activeRequests.add(1);
    pool.stats.requests++;
    return this.#attempt();
  }

  #attempt(): FailureCode | undefined {
    const { pool, queue } = this.#l4Pool;
    // Nobody who comes now goes before those who wait in other workers.
    const endpoint = queue.othersFirst ? undefined : this.#shared.balancer.take(pool, this);
    if (endpoint === undefined) return this.#queueOrGiveUp();
    this.#connect(endpoint);
    return undefined;
  }

  #queueOrGiveUp(): FailureCode | undefined {
    const { pool, queue } = this.#l4Pool;
    if (!this.#anyUntried(pool.view.available)) {
      pool.stats.noEndpoint++;
      return 'no_endpoint';
    }
    const { size, timeout } = pool.config.queue;
    this.#ticket = queue.enter(this, size, timeout);
    this.#sinceMs = turnNowMs();
    if (this.#ticket !== undefined) return undefined;
    pool.stats.queueFull++;
    return 'queue_full';
  }

  /** None of those could be taken, so all were full, even if another worker has made room meanwhile. */
  #anyUntried(available: readonly Endpoint[]): boolean {
    return available.some((endpoint) => !this.tried.includes(endpoint));
  }

  onRoom(): boolean {
    const endpoint = this.#shared.balancer.take(this.#l4Pool.pool, this);
    if (endpoint === undefined) return false;
    this.#ticket = undefined;
    this.queuedMs += turnNowMs() - this.#sinceMs;
    this.#connect(endpoint);
    return true;
  }

  onQueueTimeout(): void {
    this.#ticket = undefined;
    this.#l4Pool.pool.stats.queueTimeouts++;
    this.queuedMs += turnNowMs() - this.#sinceMs;
    this.#owner.onGivenUp('queue_timeout');
  }

  /** Uses the place that was taken at `endpoint`. */
  #connect(endpoint: Endpoint): void {
    const { pool } = this.#l4Pool;
    this.#acquired = true;
    this.endpoint = endpoint;
    endpoint.stats.requests++;
    if (this.count++ > 0) {
      endpoint.stats.retries++;
      pool.stats.retries++;
    }
    this.#sinceMs = turnNowMs();
    this.#cancelDial = this.#l4Pool.dial(endpoint, this.#introduction, this);
  }

  onConnected(connection: Connection): ConnectionHandler {
    const endpoint = this.endpoint!;
    this.#cancelDial = undefined;
    this.connectMs = turnNowMs() - this.#sinceMs;
    endpoint.stats.connectionsOpened++;
    endpoint.stats.connect.record(this.connectMs);
    endpoint.latency?.observe(this.connectMs, turnNowMs());
    this.#shared.observer.observe(this.#l4Pool.pool, endpoint, undefined, 0);
    return this.#owner.onReached(connection);
  }

  onDialFailed(code: FailureCode): void {
    const { pool } = this.#l4Pool;
    const endpoint = this.endpoint!;
    this.#cancelDial = undefined;
    this.connectMs = turnNowMs() - this.#sinceMs;
    (this.#tried ??= []).push(endpoint);
    if (FAILURES[code].origin === 'endpoint') {
      endpoint.stats.errors++;
      endpoint.stats.connectFailures++;
      endpoint.latency?.observeFailure(this.connectMs, turnNowMs());
      this.#shared.observer.observe(pool, endpoint, code, 0);
    }
    this.#release();
    this.#lostMs += this.connectMs;
    const { retry } = pool.config;
    const reach = { failures: this.#tried.length, lostMs: this.#lostMs };
    const failure = retry.attempts === 0 || !triesOn(reach, retry) ? code : this.#attempt();
    // The last failure says more than that there is no other endpoint.
    if (failure !== undefined) this.#owner.onGivenUp(failure === 'no_endpoint' ? code : failure);
  }

  /** The session is over: lets go of queue, dial and place, whichever there is. Once. */
  end(): void {
    this.#l4Pool.pool.counts.activeRequests.add(-1);
    this.#cancelDial?.();
    this.#cancelDial = undefined;
    if (this.#ticket !== undefined) this.#l4Pool.queue.leave(this.#ticket);
    this.#ticket = undefined;
    this.#release();
  }

  #release(): void {
    if (!this.#acquired) return;
    this.#acquired = false;
    this.#shared.balancer.release(this.#l4Pool.pool, this.endpoint!);
    this.#l4Pool.queue.wake(this.endpoint);
  }
}
