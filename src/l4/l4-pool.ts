import type { PoolQueue } from '../connector/queue.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { hashClient, hashedKey } from '../model/hashed-key.ts';
import type { Pool } from '../model/pool.ts';
import type { dial, Dialler } from '../net/dial.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';

/** A pool as sessions use it. Its queue is that of the HTTP exchanges of the same pool, so that nobody overtakes. */
export class L4Pool {
  readonly pool: Pool;
  readonly queue: PoolQueue;
  readonly #wheel: TimerWheel;
  readonly #dial: typeof dial;

  constructor(pool: Pool, queue: PoolQueue, wheel: TimerWheel, connect: typeof dial) {
    this.pool = pool;
    this.queue = queue;
    this.#wheel = wheel;
    this.#dial = connect;
  }

  /** Hash of the client, an unsigned 32-bit number; -1 when the policy does not hash. */
  hashOf(clientIp: string): number {
    return hashedKey(this.pool.config) === undefined ? -1 : hashClient(clientIp);
  }

  /** Connects to an endpoint; the returned function gives up. */
  dial(endpoint: Endpoint, dialler: Dialler): () => void {
    const { host, port } = endpoint.config.address;
    return this.#dial(this.#wheel, host, port, this.pool.config.timeouts.connect, dialler);
  }
}
