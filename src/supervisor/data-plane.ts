import { balancer } from '../balancer/flow.ts';
import { createPool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { parseStatusSet } from '../config/status-set.ts';
import { CookieAffinity } from '../filters/affinity/cookie-affinity.ts';
import { createFilter } from '../filters/registry.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import { ForwardingPolicy } from '../l7/client-forwarding.ts';
import { type HashKey, hashKeyOf } from '../l7/hash-key.ts';
import { L7Listener } from '../l7/l7-listener.ts';
import { L7Pool } from '../l7/l7-pool.ts';
import { compileRoutes } from '../l7/router.ts';
import type { AccessLog } from '../model/access-entry.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { ListenerStats } from '../model/listener-stats.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, Transition, TransitionListener } from '../model/ports.ts';
import type { ListenerView } from '../model/runtime-view.ts';
import { dial } from '../net/dial.ts';
import { listen, type ListeningSocket } from '../net/listen.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { runTurn } from '../net/turn.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';

/** What requests are hashed on; undefined when the policy does not hash. `ip-hash` always takes the client's address. */
function hashOf({ policy, hash }: PoolConfig): HashKey | undefined {
  if (policy === 'ip-hash') return hashKeyOf('client-ip');
  return policy === 'ring-hash' || policy === 'maglev' ? hashKeyOf(hash.key) : undefined;
}

/** What a data plane is told and tells. */
export interface DataPlaneOptions {
  readonly log: Log;
  readonly accessLog: AccessLog | undefined;
  readonly transitions: TransitionListener;
  /** Tells this Pointsman from others in Via; the same after a restart. */
  readonly instance: string;
}

interface RunningListener {
  readonly config: ListenerConfig;
  readonly served: L7Listener;
  socket: ListeningSocket | undefined;
}

/** Everything that carries traffic, built from one configuration: pools, health, listeners. */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #wheel = new TimerWheel();
  readonly #publisher: Publisher;
  readonly #health: HealthMonitor;
  readonly #pools = new Map<string, L7Pool>();
  readonly #listeners: RunningListener[] = [];

  /** Builds; nothing listens and nothing is probed yet. */
  constructor(config: Config, options: DataPlaneOptions) {
    this.#options = options;
    const { log } = options;
    this.#publisher = new Publisher({ clock: systemClock, random: systemRandom }, log, (pool) =>
      runTurn(() => this.#pools.get(pool.name)?.wakeQueue()),
    );
    this.#health = new HealthMonitor({
      clock: systemClock,
      random: systemRandom,
      wheel: this.#wheel,
      dial,
      publisher: this.#publisher,
      transitions: this,
      log,
    });
    for (const pool of config.pools) this.#pools.set(pool.name, this.#buildPool(pool));
    const shared: L7Shared = {
      balancer,
      observer: this.#health.observer,
      accessLog: options.accessLog,
      log,
      wheel: this.#wheel,
      clock: systemClock,
      random: systemRandom,
    };
    for (const listener of config.listeners) {
      this.#listeners.push({
        config: listener,
        served: this.#buildListener(listener, shared),
        socket: undefined,
      });
    }
  }

  #buildPool(config: PoolConfig): L7Pool {
    const pool = createPool(config, this.#publisher);
    return new L7Pool(
      pool,
      {
        affinity: config.affinity === undefined ? undefined : new CookieAffinity(pool, config.affinity),
        hashKey: hashOf(config),
        retryStatus: config.retry.statuses.length === 0 ? undefined : parseStatusSet(config.retry.statuses),
      },
      this.#wheel,
      dial,
    );
  }

  #buildListener(config: ListenerConfig, shared: L7Shared): L7Listener {
    const router = compileRoutes<L7Pool>(config.routes, {
      pool: (name) => {
        const pool = this.#pools.get(name);
        if (pool === undefined) throw new RangeError(`there is no pool "${name}"`);
        return pool;
      },
      filter: (filter) => createFilter(filter, { log: this.#options.log }),
    });
    const forwarding = new ForwardingPolicy(config, this.#options.instance);
    return new L7Listener(config, router, forwarding, new ListenerStats(), shared);
  }

  /**
   * Binds every listener, then starts the health checks.
   * @throws Error naming the listener when one cannot be bound; those bound before are closed again.
   */
  async start(): Promise<void> {
    for (const listener of this.#listeners) {
      const { name, address } = listener.config;
      try {
        listener.socket = await listen(address.host, address.port, listener.served);
      } catch (cause) {
        this.stopListening();
        const code =
          cause !== null && typeof cause === 'object' && 'code' in cause ? String(cause.code) : String(cause);
        throw new Error(`listener ${name}: cannot listen on ${formatAddress(address)}: ${code}`, { cause });
      }
    }
    for (const { pool } of this.#pools.values()) this.#health.watch(pool);
  }

  /** What health found: requests that wait on a dead endpoint go elsewhere, those that wait in the queue are asked again. */
  onTransition(transition: Transition): void {
    const l7Pool = this.#pools.get(transition.pool.name);
    runTurn(() => {
      if (transition.kind === 'unhealthy') l7Pool?.abandon(transition.endpoint, transition.reason);
      l7Pool?.wakeQueue();
    });
    this.#options.transitions.onTransition(transition);
  }

  get listening(): boolean {
    return this.#listeners.every((listener) => listener.socket !== undefined);
  }

  pools(): readonly Pool[] {
    return [...this.#pools.values()].map(({ pool }) => pool);
  }

  listeners(): readonly ListenerView[] {
    return this.#listeners.map(({ config, served, socket }) => ({
      name: config.name,
      address: formatAddress({ host: config.address.host, port: socket?.port ?? config.address.port }),
      pools: [
        ...new Set(config.routes.flatMap((route) => route.pool ?? route.split?.map((arm) => arm.pool) ?? [])),
      ],
      stats: served.stats,
    }));
  }

  idleConnections(endpoint: Endpoint): number {
    return this.#pools.get(endpoint.pool)?.connector(endpoint).idleCount ?? 0;
  }

  /** Requests and tunnels under way. */
  get busy(): number {
    return this.#listeners.reduce((sum, { served }) => sum + served.busy, 0);
  }

  /** Accepts no more connections. */
  stopListening(): void {
    for (const listener of this.#listeners) {
      listener.socket?.stop();
      listener.socket = undefined;
    }
  }

  /** Takes no more requests; those under way go on. */
  drain(): void {
    runTurn(() => {
      for (const { served } of this.#listeners) served.drain();
    });
  }

  /** Ends what is still under way; returns how much that was. */
  cut(): number {
    let count = 0;
    runTurn(() => {
      for (const { served } of this.#listeners) count += served.cut();
    });
    return count;
  }

  /** Ends checks and timers, and closes idle connections to endpoints. */
  close(): void {
    this.#health.stop();
    this.#publisher.stop();
    for (const pool of this.#pools.values()) pool.close();
  }
}
