import { Connector } from '../connector/connector.ts';
import { PoolQueue } from '../connector/queue.ts';
import { H1EndpointConnection } from '../http/h1-client.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Affinity } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import type { Pool } from '../model/pool.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import { turnNowMs } from '../net/turn.ts';

/** What is linked to a pool from outside this room. */
export interface L7PoolParts {
  readonly affinity: Affinity | undefined;
  /** Unsigned 32-bit hash of what the pool hashes on, or -1; undefined when its policy does not hash. */
  readonly hashKey: ((request: RequestHead, clientIp: string) => number) | undefined;
  /** Statuses on which an idempotent request is tried again; undefined for none. */
  readonly retryStatus: ((status: number) => boolean) | undefined;
}

/** A pool as HTTP exchanges use it: its endpoints' connections, its queue, and what its configuration asks of them. */
export class L7Pool {
  readonly pool: Pool;
  readonly affinity: Affinity | undefined;
  readonly hashKey: ((request: RequestHead, clientIp: string) => number) | undefined;
  readonly retryStatus: ((status: number) => boolean) | undefined;
  readonly queue: PoolQueue;
  readonly #wheel: TimerWheel;
  readonly #connectors = new Map<Endpoint, Connector<H1EndpointConnection>>();

  constructor(pool: Pool, parts: L7PoolParts, wheel: TimerWheel) {
    this.pool = pool;
    this.affinity = parts.affinity;
    this.hashKey = parts.hashKey;
    this.retryStatus = parts.retryStatus;
    this.#wheel = wheel;
    this.queue = new PoolQueue(wheel);
  }

  /** Connections to `endpoint`. */
  connector(endpoint: Endpoint): Connector<H1EndpointConnection> {
    const known = this.#connectors.get(endpoint);
    if (known !== undefined) return known;
    const { timeouts, maxIdleConnections } = this.pool.config;
    const settings = {
      connectTimeoutMs: timeouts.connect,
      maxAgeMs: timeouts.maxAge,
      maxIdle: maxIdleConnections,
    };
    const connector = new Connector<H1EndpointConnection>(
      endpoint,
      settings,
      this.#wheel,
      (connection, owner) => new H1EndpointConnection(connection, owner, timeouts, this.#wheel, turnNowMs()),
    );
    this.#connectors.set(endpoint, connector);
    return connector;
  }

  /** The endpoint was found unhealthy: requests that it has not begun to answer are failed over, idle connections closed. */
  abandon(endpoint: Endpoint, reason: string): void {
    const connector = this.#connectors.get(endpoint);
    if (connector === undefined) return;
    connector.retireIdle();
    connector.forEach((session) => session.failUnanswered('endpoint_unhealthy', reason));
  }

  /** Requests that wait for room are asked again. */
  wakeQueue(): void {
    if (this.queue.length === 0) return;
    this.queue.wake();
    this.pool.queued = this.queue.length;
  }

  /** Keeps no connection any more. */
  close(): void {
    for (const connector of this.#connectors.values()) connector.close();
  }
}
