import { balancer } from '../balancer/flow.ts';
import { createPool, updatePool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import { type ConfigChange, diffConfigs, withoutRestart } from '../config/diff.ts';
import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import { OutlierDetector } from '../health/outlier-detector.ts';
import type { L7Listener } from '../l7/l7-listener.ts';
import { L7Pool } from '../l7/l7-pool.ts';
import type { AccessLog } from '../model/access-entry.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, Transition, TransitionListener } from '../model/ports.ts';
import type { ListenerView } from '../model/runtime-view.ts';
import { dial } from '../net/dial.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { runTurn } from '../net/turn.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import { ListenerPlan } from './listener-plan.ts';
import { poolParts } from './pool-parts.ts';

/** What a data plane is told and tells. */
export interface DataPlaneOptions {
  readonly log: Log;
  readonly accessLog: AccessLog | undefined;
  readonly transitions: TransitionListener;
  /** Tells this Pointsman from others in Via; the same after a restart. */
  readonly instance: string;
}

/** What `apply` did. */
export interface ApplyReport {
  /** Of the snapshot in force. */
  readonly revision: number;
  /** Everything that was different, also what only a restart brings; empty for the first configuration. */
  readonly changes: readonly ConfigChange[];
}

/** Pools as they would be, made and undone without anybody noticing. */
interface PoolPlan {
  readonly all: Map<string, L7Pool>;
  readonly created: readonly L7Pool[];
}

/**
 * Everything that carries traffic: pools, health, listeners. A configuration is put into force whole or not at all, and
 * whatever it says nothing new about stays the same object, with all that it carries.
 */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #shared: L7Listener['shared'];
  readonly #wheel = new TimerWheel();
  readonly #publisher: Publisher;
  readonly #health: HealthMonitor;
  readonly #outliers: OutlierDetector;
  #config: Config | undefined = undefined;
  #revision = 0;
  #stopped = false;
  #pools = new Map<string, L7Pool>();
  #listeners: readonly ListenerPlan[] = [];
  /** Listeners that are gone from the configuration, as long as they have connections. */
  #leaving: L7Listener[] = [];

  /** Nothing listens and nothing is probed before the first `apply`. */
  constructor(options: DataPlaneOptions) {
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
    this.#outliers = new OutlierDetector(systemClock, this.#health);
    this.#shared = {
      balancer,
      observer: this.#outliers,
      accessLog: options.accessLog,
      log,
      wheel: this.#wheel,
      clock: systemClock,
      random: systemRandom,
    };
  }

  /**
   * Puts a configuration into force. Everything that can fail comes first: compiling routes and filters, binding new
   * addresses. Then all of it is swapped in one turn. One call at a time.
   * @throws Error saying what failed, such as an address in use; the configuration before is then still in force, whole.
   */
  async apply(next: Config): Promise<ApplyReport> {
    const before = this.#config;
    const changes = before === undefined ? [] : diffConfigs(before, next);
    if (before !== undefined && changes.every(({ restart }) => restart))
      return { revision: this.#revision, changes };
    const config = before === undefined ? next : withoutRestart(before, next);
    const pools = this.#planPools(config);
    const listeners: ListenerPlan[] = [];
    try {
      for (const listener of config.listeners) listeners.push(this.#planListener(listener, pools));
      for (const listener of listeners) {
        await listener.open(this.#listeners);
        if (this.#stopped) throw new Error('Pointsman is shutting down');
      }
    } catch (error) {
      runTurn(() => {
        for (const listener of listeners) listener.abandon();
        for (const l7Pool of pools.created) this.#closePool(l7Pool);
      });
      throw error;
    }
    runTurn(() => this.#swap(config, pools, listeners));
    this.#revision++;
    return { revision: this.#revision, changes };
  }

  #planPools(config: Config): PoolPlan {
    const all = new Map<string, L7Pool>();
    const created: L7Pool[] = [];
    for (const poolConfig of config.pools) {
      let l7Pool = this.#pools.get(poolConfig.name);
      if (l7Pool === undefined) {
        const pool = createPool(poolConfig, this.#publisher);
        l7Pool = new L7Pool(pool, poolParts(pool, poolConfig), this.#wheel, dial);
        created.push(l7Pool);
      }
      all.set(poolConfig.name, l7Pool);
    }
    return { all, created };
  }

  #planListener(config: ListenerConfig, { all }: PoolPlan): ListenerPlan {
    const known = this.#listeners.find(({ name }) => name === config.name);
    return new ListenerPlan(config, known, {
      pools: all,
      shared: this.#shared,
      instance: this.#options.instance,
    });
  }

  #swap(config: Config, pools: PoolPlan, listeners: readonly ListenerPlan[]): void {
    const poolsBefore = this.#pools;
    const listenersBefore = this.#listeners;
    this.#config = config;
    this.#pools = pools.all;
    for (const poolConfig of config.pools) this.#configurePool(poolConfig);
    for (const { pool } of pools.created) this.#health.watch(pool);
    for (const listener of listeners) listener.commit();
    this.#listeners = listeners;
    const doors = new Set(listeners.map(({ door }) => door));
    const served = new Set(listeners.map((listener) => listener.served));
    this.#leaving = this.#leaving.filter(({ stats }) => stats.connectionsOpen > 0);
    for (const listener of listenersBefore) {
      if (!doors.has(listener.door)) listener.door?.stop();
      if (served.has(listener.served)) continue;
      listener.served.leave();
      this.#leaving.push(listener.served);
    }
    for (const l7Pool of poolsBefore.values()) {
      if (pools.all.get(l7Pool.pool.name) === l7Pool) continue;
      this.#health.forget(l7Pool.pool);
      this.#closePool(l7Pool);
    }
  }

  /** Requests under way and those that wait in its queue still end as they would have. */
  #closePool(l7Pool: L7Pool): void {
    this.#publisher.forget(l7Pool.pool);
    l7Pool.close();
  }

  /** Puts another configuration of one pool into force; nothing for a pool that there is not. */
  updatePool(config: PoolConfig): void {
    const before = this.#config;
    if (before === undefined || !this.#pools.has(config.name)) return;
    const pools = before.pools.map((pool) => (pool.name === config.name ? config : pool));
    this.#config = { ...before, pools };
    runTurn(() => this.#configurePool(config));
  }

  #configurePool(config: PoolConfig): void {
    const l7Pool = this.#pools.get(config.name)!;
    const { pool } = l7Pool;
    if (Bun.deepEquals(pool.config, config)) return;
    l7Pool.configure(config, poolParts(pool, config, l7Pool.affinity));
    const { removed } = updatePool(pool, config, this.#publisher);
    l7Pool.forget(removed);
    this.#health.watch(pool);
  }

  /** What health found: requests that wait on a dead endpoint go elsewhere, those that wait in the queue are asked again. */
  onTransition(transition: Transition): void {
    const l7Pool = this.#pools.get(transition.pool.name);
    runTurn(() => {
      if (transition.kind === 'ejected') this.#outliers.forgive(transition.endpoint);
      if (transition.kind === 'unhealthy') l7Pool?.abandon(transition.endpoint, transition.reason);
      l7Pool?.wakeQueue();
    });
    this.#options.transitions.onTransition(transition);
  }

  /** Number of the snapshot in force; 0 before the first. */
  get revision(): number {
    return this.#revision;
  }

  /** What is in force; undefined before the first `apply`. */
  get config(): Config | undefined {
    return this.#config;
  }

  get listening(): boolean {
    return this.#listeners.every(({ door }) => door?.isOpen === true);
  }

  pools(): readonly Pool[] {
    return [...this.#pools.values()].map(({ pool }) => pool);
  }

  listeners(): readonly ListenerView[] {
    return this.#listeners.map(({ config, served, door }) => ({
      name: config.name,
      address: formatAddress({ host: config.address.host, port: door?.port ?? config.address.port }),
      pools: [
        ...new Set(config.routes.flatMap((route) => route.pool ?? route.split?.map((arm) => arm.pool) ?? [])),
      ],
      stats: served.stats,
    }));
  }

  idleConnections(endpoint: Endpoint): number {
    return this.#pools.get(endpoint.pool)?.connector(endpoint).idleCount ?? 0;
  }

  /** Listeners in force and those that leave. */
  #served(): readonly L7Listener[] {
    return [...this.#listeners.map(({ served }) => served), ...this.#leaving];
  }

  /** Requests and tunnels under way. */
  get busy(): number {
    return this.#served().reduce((sum, { busy }) => sum + busy, 0);
  }

  /** Asks both ends of the tunnels to an endpoint to close. */
  closeTunnels(endpoint: Endpoint): void {
    runTurn(() => {
      for (const served of this.#served()) served.closeTunnels(endpoint);
    });
  }

  /** Accepts no more connections, for good. */
  stopListening(): void {
    this.#stopped = true;
    for (const { door } of this.#listeners) door?.stop();
  }

  /** Takes no more requests; those under way go on. */
  drain(): void {
    runTurn(() => {
      for (const served of this.#served()) served.drain();
    });
  }

  /** Ends what is still under way; returns how much that was. */
  cut(): number {
    let count = 0;
    runTurn(() => {
      for (const served of this.#served()) count += served.cut();
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
