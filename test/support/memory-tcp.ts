import { balancer } from '../../src/balancer/flow.ts';
import { tcpListener as listenerSchema } from '../../src/config/schema/tcp-listener.ts';
import { PoolQueue } from '../../src/connector/queue.ts';
import { L4Pool } from '../../src/l4/l4-pool.ts';
import { TcpListener } from '../../src/l4/tcp-listener.ts';
import { TlsRouter } from '../../src/l4/tls-router.ts';
import type { FailureCode } from '../../src/model/failures.ts';
import { ListenerStats } from '../../src/model/listener-stats.ts';
import type { Pool } from '../../src/model/pool.ts';
import type { SessionEntry } from '../../src/model/session-entry.ts';
import { openDatagrams } from '../../src/net/resolving-datagrams.ts';
import { seededRandom } from '../../src/util/random.ts';
import { FakeTime } from './fake-time.ts';
import { MemoryClients } from './memory-clients.ts';
import { MemoryNetwork, type MemoryPeer } from './memory-connection.ts';
import { PolicyPool, type PoolSpec } from './policy-pool.ts';

interface MemoryTcpOptions {
  /** As in a file: timeouts, limits ... */
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly pool?: Partial<PoolSpec>;
}

/**
 * The TCP data path of a listener with one pool, from its real parts, over connections in memory and with time that stands still. Give
 * the time back with `restore`.
 */
export class MemoryTcp {
  readonly time = new FakeTime();
  readonly network = new MemoryNetwork();
  readonly balanced: PolicyPool;
  readonly l4Pool: L4Pool;
  readonly listener: TcpListener;
  /** The access log. */
  readonly entries: SessionEntry[] = [];
  /** What outlier detection was told. */
  readonly observed: [endpoint: string, failure: FailureCode | undefined][] = [];
  readonly #clients: MemoryClients;

  constructor(options: MemoryTcpOptions = {}) {
    this.balanced = new PolicyPool({ policy: 'first', endpoints: [1, 1], ...options.pool });
    const { wheel, clock } = this.time;
    this.l4Pool = new L4Pool(
      this.pool,
      new PoolQueue(wheel, this.pool),
      wheel,
      this.network.dial,
      openDatagrams,
    );
    const config = listenerSchema.parse({
      name: 'raw',
      address: '127.0.0.1:80',
      protocol: 'tcp',
      ...(options.listener?.['routes'] === undefined ? { pool: 'pool' } : {}),
      ...options.listener,
    });
    const { routes } = config;
    const target = routes === undefined ? this.l4Pool : new TlsRouter(routes, () => this.l4Pool);
    this.listener = new TcpListener(config, target, new ListenerStats(), {
      balancer,
      observer: {
        observe: (_pool, { name }, failure) => void this.observed.push([name, failure]),
      },
      accessLog: { record() {}, recordSession: (entry) => void this.entries.push({ ...entry }) },
      wheel,
      clock,
      random: seededRandom(1),
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
    this.#clients = new MemoryClients(this.network, this.listener);
  }

  /** Connections that are not released yet. */
  get accepted(): number {
    return this.#clients.accepted;
  }

  get pool(): Pool {
    return this.balanced.pool;
  }

  /** Sessions at the endpoints, in their order. */
  get inFlight(): number[] {
    return this.pool.view.all.map(({ inFlight }) => inFlight);
  }

  /** Failure code, endpoint and attempts of every session that has ended. */
  get log(): [failure: string, endpoint: string, attempts: number][] {
    return this.entries.map(({ failure, endpoint, attempts }) => [failure, endpoint, attempts]);
  }

  /** How often a connection ended for that reason. */
  failed(code: FailureCode): number {
    return new Map(this.listener.stats.failures()).get(code) ?? 0;
  }

  /** What is held for sessions: all of it is 0 when there is none. */
  get held(): Record<string, number> {
    const { activeRequests, queued, view } = this.pool;
    const sum = (of: 'inFlight' | 'sessions') =>
      view.all.reduce((total, endpoint) => total + endpoint[of], 0);
    const { connectionsOpen } = this.listener.stats;
    const { busy } = this.listener;
    return {
      inFlight: sum('inFlight'),
      sessions: sum('sessions'),
      activeRequests,
      queued,
      busy,
      connectionsOpen,
    };
  }

  /** A client that has just connected. When it is not served it is reset. */
  connect(address?: string): MemoryPeer {
    return this.#clients.connect(address);
  }

  /** Accepts the oldest dial that is on its way. */
  acceptDial(): MemoryPeer {
    return this.network.acceptDial();
  }

  /** A session. */
  open(): { client: MemoryPeer; endpoint: MemoryPeer } {
    return { client: this.connect(), endpoint: this.acceptDial() };
  }

  advance(ms: number): void {
    this.time.advance(ms);
    this.network.settle();
  }

  restore(): void {
    this.time.restore();
  }
}
