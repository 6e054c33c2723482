import { balancer } from '../../src/balancer/flow.ts';
import { type HttpListenerConfig, httpListener as listenerSchema } from '../../src/config/schema/listener.ts';
import { parseStatusSet } from '../../src/config/status-set.ts';
import { CookieAffinity } from '../../src/filters/affinity/cookie-affinity.ts';
import { ForwardingPolicy } from '../../src/l7/client-forwarding.ts';
import { L7Listener } from '../../src/l7/l7-listener.ts';
import { L7Pool } from '../../src/l7/l7-pool.ts';
import { compileRoutes } from '../../src/l7/router.ts';
import type { AccessEntry } from '../../src/model/access-entry.ts';
import type { FailureCode } from '../../src/model/failures.ts';
import type { Filter } from '../../src/model/filter.ts';
import { ListenerStats } from '../../src/model/listener-stats.ts';
import type { Pool } from '../../src/model/pool.ts';
import { seededRandom } from '../../src/util/random.ts';
import { FakeTime } from './fake-time.ts';
import { MemoryClients } from './memory-clients.ts';
import { MemoryNetwork, type MemoryPeer } from './memory-connection.ts';
import { PolicyPool, type PoolSpec } from './policy-pool.ts';

export const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A request with a body of known length. */
export function withBody(method: string, body: string): string {
  return `${method} / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Status of the first response that a client got; 0 before there is one. */
export function statusOf(client: MemoryPeer): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(client.received)?.[1] ?? 0);
}

/** What outlier detection would be told. */
interface Observed {
  readonly endpoint: string;
  readonly failure: FailureCode | undefined;
  readonly status: number;
}

interface MemoryProxyOptions {
  /** As in a file: routes, timeouts, limits ... */
  readonly listener?: Readonly<Record<string, unknown>>;
  readonly pool?: Partial<PoolSpec>;
  /** Steps of the one route, in place of what the configuration names. */
  readonly filters?: readonly Filter[];
}

/**
 * The HTTP data path of a listener with one pool, from its real parts, over connections in memory and with time that stands still. Give
 * the time back with `restore`.
 */
export class MemoryProxy {
  readonly time = new FakeTime();
  readonly network = new MemoryNetwork();
  readonly balanced: PolicyPool;
  readonly l7Pool: L7Pool;
  readonly config: HttpListenerConfig;
  readonly forwarding: ForwardingPolicy;
  readonly listener: L7Listener;
  /** The access log. */
  readonly entries: AccessEntry[] = [];
  readonly observed: Observed[] = [];
  readonly #clients: MemoryClients;

  constructor(options: MemoryProxyOptions = {}) {
    this.balanced = new PolicyPool({ policy: 'first', endpoints: [1, 1], ...options.pool });
    const { pool } = this;
    const { affinity, retry } = pool.config;
    this.l7Pool = new L7Pool(
      pool,
      {
        affinity: affinity === undefined ? undefined : new CookieAffinity(pool, affinity),
        hashKey: undefined,
        retryStatus: retry.statuses.length === 0 ? undefined : parseStatusSet(retry.statuses),
        retryGrpcStatus: undefined,
      },
      this.time.wheel,
      this.network.dial,
    );
    const config = listenerSchema.parse({
      name: 'web',
      address: '127.0.0.1:80',
      routes: [{ pool: 'pool' }],
      ...options.listener,
    });
    this.config = config;
    this.forwarding = new ForwardingPolicy(config, 'test');
    const routes = compileRoutes<L7Pool>(config.routes, {
      pool: () => this.l7Pool,
      filter: () => {
        throw new RangeError('filters are given ready-made');
      },
    });
    for (const route of routes.routes) Object.assign(route, { filters: options.filters ?? [] });
    this.listener = new L7Listener(
      config,
      routes,
      this.forwarding,
      new ListenerStats(),
      {
        balancer,
        observer: {
          observe: (_pool, { name }, failure, status) => {
            this.observed.push({ endpoint: name, failure, status });
          },
        },
        accessLog: { record: (entry) => this.entries.push({ ...entry }), recordSession() {} },
        log: { debug() {}, info() {}, warn() {}, error() {} },
        wheel: this.time.wheel,
        clock: this.time.clock,
        random: seededRandom(1),
      },
      undefined,
    );
    this.#clients = new MemoryClients(this.network, this.listener);
  }

  /** Connections that are not released yet. */
  get accepted(): number {
    return this.#clients.accepted;
  }

  get pool(): Pool {
    return this.balanced.pool;
  }

  /** Requests in flight at the endpoints, in their order. */
  get inFlight(): number[] {
    return this.pool.view.all.map(({ inFlight }) => inFlight);
  }

  /** Status, failure code and attempts of every request that has ended. */
  get log(): [status: number, failure: string, attempts: number][] {
    return this.entries.map(({ status, failure, attempts }) => [status, failure, attempts]);
  }

  /** What is held for requests: all of it is 0 when none is under way. */
  get held(): Record<string, number> {
    const { activeRequests, activeRetries, queued } = this.pool;
    const inFlight = this.inFlight.reduce((sum, count) => sum + count, 0);
    return { inFlight, activeRequests, activeRetries, queued, busy: this.listener.busy };
  }

  /** A client that has just connected. */
  connect(): MemoryPeer {
    return this.#clients.connect();
  }

  /** Accepts the oldest dial that is on its way. */
  acceptDial(): MemoryPeer {
    return this.network.acceptDial();
  }

  /** A client and a connection to an endpoint that have exchanged a request and a response. */
  used(): { client: MemoryPeer; endpoint: MemoryPeer } {
    const client = this.connect().send(GET);
    const endpoint = this.acceptDial().send(OK);
    client.takeReceived();
    endpoint.takeReceived();
    return { client, endpoint };
  }

  advance(ms: number): void {
    this.time.advance(ms);
    this.network.settle();
  }

  restore(): void {
    this.time.restore();
  }
}
