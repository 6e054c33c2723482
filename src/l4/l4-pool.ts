import type { PoolQueue } from '../connector/queue.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { hashClient, hashClientPort, hashedKey } from '../model/hashed-key.ts';
import type { Pool } from '../model/pool.ts';
import type { DatagramHandler, DatagramSocket } from '../net/datagram-socket.ts';
import type { dial, Dialler } from '../net/dial.ts';
import type { Origin } from '../net/origin.ts';
import { introductionOf } from '../net/proxy-protocol/introduction.ts';
import type { openDatagrams } from '../net/resolving-datagrams.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';

/** A pool as sessions use it. Its queue is that of the HTTP exchanges of the same pool, so that nobody overtakes. */
export class L4Pool {
  readonly pool: Pool;
  readonly queue: PoolQueue;
  readonly #wheel: TimerWheel;
  readonly #dial: typeof dial;
  readonly #openDatagrams: typeof openDatagrams;

  constructor(
    pool: Pool,
    queue: PoolQueue,
    wheel: TimerWheel,
    connect: typeof dial,
    connectDatagrams: typeof openDatagrams,
  ) {
    this.pool = pool;
    this.queue = queue;
    this.#wheel = wheel;
    this.#dial = connect;
    this.#openDatagrams = connectDatagrams;
  }

  /** Whether the policy asks for a hash of the client. */
  get hashes(): boolean {
    return hashedKey(this.pool.config) !== undefined;
  }

  /** Hash of the client, an unsigned 32-bit number; -1 when the policy does not hash. */
  hashOf(clientIp: string, clientPort: number): number {
    const key = hashedKey(this.pool.config);
    if (key === undefined) return -1;
    return key === 'client-ip-port' ? hashClientPort(clientIp, clientPort) : hashClient(clientIp);
  }

  /** What tells an endpoint whom a connection is for; undefined when it is not told. */
  introductionOf(client: Origin, serverName: string): Buffer | undefined {
    const { proxyProtocol } = this.pool.config;
    return proxyProtocol === undefined ? undefined : introductionOf(client, proxyProtocol, serverName);
  }

  /** Connects to an endpoint, with these bytes first; the returned function gives up. */
  dial(endpoint: Endpoint, introduction: Buffer | undefined, dialler: Dialler): () => void {
    const { host, port } = endpoint.config.address;
    return this.#dial(this.#wheel, host, port, this.pool.config.timeouts.connect, dialler, introduction);
  }

  /**
   * Opens a UDP socket to an endpoint.
   * @throws an error with `code` when there is no descriptor or no route.
   */
  openDatagrams(endpoint: Endpoint, handler: DatagramHandler): DatagramSocket {
    const { host, port } = endpoint.config.address;
    return this.#openDatagrams(host, port, handler);
  }
}
