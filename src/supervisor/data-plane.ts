import { balancer } from '../balancer/flow.ts';
import { createPool, updatePool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import { type ConfigChange, diffConfigs, withoutRestart } from '../config/diff.ts';
import { poolsOf } from '../config/pool-references.ts';
import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import { OutlierDetector } from '../health/outlier-detector.ts';
import { L4Pool } from '../l4/l4-pool.ts';
import type { L7Listener } from '../l7/l7-listener.ts';
import { L7Pool } from '../l7/l7-pool.ts';
import type { AccessLog } from '../model/access-entry.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, Transition, TransitionListener } from '../model/ports.ts';
import type { ListenerView } from '../model/runtime-view.ts';
import { connectDatagrams } from '../net/datagrams.ts';
import { dial } from '../net/dial.ts';
import { resolveHost } from '../net/resolve.ts';
import { openDatagrams } from '../net/resolving-datagrams.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { tlsHandshake } from '../net/tls-handshake.ts';
import { runTurn } from '../net/turn.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import { certificateViews } from './certificate-views.ts';
import type { ServedPool } from './listener-kinds.ts';
import { ListenerPlan } from './listener-plan.ts';
import { PoolDial } from './pool-dial.ts';
import { poolParts } from './pool-parts.ts';
import type { TicketKeyring } from './ticket-keyring.ts';
import type { ServedListener } from './served-listener.ts';

/** What a data plane is told and tells. */
export interface DataPlaneOptions {
  readonly log: Log;
  readonly accessLog: AccessLog | undefined;
  readonly transitions: TransitionListener;
  /** Tells this Pointsman from others in Via; the same after a restart. */
  readonly instance: string;
  /** The keys of session tickets, which outlive every configuration. */
  readonly ticketKeys: TicketKeyring;
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
  readonly all: Map<string, ServedPool>;
  readonly created: readonly ServedPool[];
  /** Puts what is new about TLS towards endpoints into force. */
  secure: () => void;
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
  #pools = new Map<string, ServedPool>();
  #listeners: readonly ListenerPlan[] = [];
  /** Listeners that are gone from the configuration, as long as they have connections. */
  #leaving: ServedListener[] = [];

  /** Nothing listens and nothing is probed before the first `apply`. */
  constructor(options: DataPlaneOptions) {
    this.#options = options;
    const { log } = options;
    this.#publisher = new Publisher({ clock: systemClock, random: systemRandom }, log, (pool) =>
      runTurn(() => this.#pools.get(pool.name)?.l7.queue.wake()),
    );
    this.#health = new HealthMonitor({
      clock: systemClock,
      random: systemRandom,
      wheel: this.#wheel,
      dialOf: (pool) => this.#pools.get(pool.name)?.dial.dial ?? dial,
      resolve: resolveHost,
      connectDatagrams,
      tlsHandshake,
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
    const listeners: ListenerPlan[] = [];
    const pools = this.#planPools(config);
    try {
      pools.secure = this.#planPoolTls(config, pools.all);
      for (const listener of config.listeners) listeners.push(this.#planListener(listener, pools));
      for (const listener of listeners) {
        await listener.open(this.#listeners);
        if (this.#stopped) throw new Error('Pointsman is shutting down');
      }
    } catch (error) {
      runTurn(() => {
        for (const listener of listeners) listener.abandon();
        for (const served of pools.created) this.#closePool(served);
      });
      throw error;
    }
    runTurn(() => this.#swap(config, pools, listeners));
    this.#revision++;
    return { revision: this.#revision, changes };
  }

  #planPools(config: Config): PoolPlan {
    const all = new Map<string, ServedPool>();
    const created: ServedPool[] = [];
    for (const poolConfig of config.pools) {
      let served = this.#pools.get(poolConfig.name);
      if (served === undefined) {
        const pool = createPool(poolConfig, this.#publisher);
        const dial = new PoolDial();
        const l7 = new L7Pool(pool, poolParts(pool, poolConfig), this.#wheel, dial.dial);
        served = { pool, l7, l4: new L4Pool(pool, l7.queue, this.#wheel, dial.dial, openDatagrams), dial };
        created.push(served);
      }
      all.set(poolConfig.name, served);
    }
    return { all, created, secure: () => {} };
  }

  /** @throws Error naming the pool whose TLS cannot be. */
  #planPoolTls({ pools }: Config, all: ReadonlyMap<string, ServedPool>): () => void {
    const adoptions = pools.map((config) => {
      const { pool, l7, dial } = all.get(config.name)!;
      // What was made for this configuration is still to get its TLS; what is in force keeps it while nothing changed.
      if (this.#pools.has(config.name) && Bun.deepEquals(pool.config.tls, config.tls)) return () => {};
      const adopt = dial.prepare(config);
      return () => {
        adopt();
        l7.forget(pool.view.all);
      };
    });
    return () => {
      for (const adopt of adoptions) adopt();
    };
  }

  #planListener(config: ListenerConfig, { all }: PoolPlan): ListenerPlan {
    const known = this.#listeners.find(({ name }) => name === config.name);
    return new ListenerPlan(config, known, {
      pools: all,
      shared: this.#shared,
      instance: this.#options.instance,
      ticketKeys: this.#options.ticketKeys,
    });
  }

  #swap(config: Config, pools: PoolPlan, listeners: readonly ListenerPlan[]): void {
    const poolsBefore = this.#pools;
    const listenersBefore = this.#listeners;
    this.#config = config;
    this.#pools = pools.all;
    pools.secure();
    for (const poolConfig of config.pools) this.#configurePool(poolConfig);
    for (const { pool } of pools.created) this.#health.watch(pool);
    for (const listener of listeners) listener.commit();
    this.#listeners = listeners;
    const doors = new Set(listeners.map(({ door }) => door));
    const served = new Set(listeners.map((listener) => listener.served));
    this.#leaving = this.#leaving.filter(({ stats }) => stats.connections.own > 0);
    for (const listener of listenersBefore) {
      if (!doors.has(listener.door)) listener.door?.stop();
      if (served.has(listener.served)) continue;
      listener.served.leave();
      this.#leaving.push(listener.served);
    }
    for (const served of poolsBefore.values()) {
      if (pools.all.get(served.pool.name) === served) continue;
      this.#health.forget(served.pool);
      this.#closePool(served);
    }
  }

  /** Requests under way and those that wait in its queue still end as they would have. */
  #closePool({ pool, l7 }: ServedPool): void {
    this.#publisher.forget(pool);
    l7.close();
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
    const { pool, l7 } = this.#pools.get(config.name)!;
    if (Bun.deepEquals(pool.config, config)) return;
    l7.configure(config, poolParts(pool, config, l7.affinity));
    const { removed } = updatePool(pool, config, this.#publisher);
    l7.forget(removed);
    this.#health.watch(pool);
  }

  /** What health found: requests that wait on a dead endpoint go elsewhere, those that wait in the queue are asked again. */
  onTransition(transition: Transition): void {
    const { pool, endpoint, kind, reason } = transition;
    runTurn(() => {
      if (kind === 'ejected') this.#outliers.forgive(endpoint);
      if (kind === 'unhealthy') this.#onDown(pool, endpoint, reason);
      this.#pools.get(pool.name)?.l7.queue.wake();
    });
    this.#options.transitions.onTransition(transition);
  }

  #onDown(pool: Pool, endpoint: Endpoint, reason: string): void {
    this.#pools.get(pool.name)?.l7.abandon(endpoint, reason);
    if (pool.config.onEndpointDown !== 'close') return;
    for (const served of this.#served()) served.cutSessions(endpoint);
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
      protocol: config.protocol,
      pools: poolsOf(config),
      stats: served.stats,
      certificates: certificateViews(config),
    }));
  }

  idleConnections(endpoint: Endpoint): number {
    return this.#pools.get(endpoint.pool)?.l7.idleConnections(endpoint) ?? 0;
  }

  /** Listeners in force and those that leave. */
  #served(): readonly ServedListener[] {
    return [...this.#listeners.map(({ served }) => served), ...this.#leaving];
  }

  /** Requests, tunnels and sessions under way. */
  get busy(): number {
    return this.#served().reduce((sum, { busy }) => sum + busy, 0);
  }

  /** Asks both ends of the tunnels and sessions with an endpoint to close. */
  closeSessions(endpoint: Endpoint): void {
    runTurn(() => {
      for (const served of this.#served()) served.closeSessions(endpoint);
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
    for (const { l7 } of this.#pools.values()) l7.close();
  }
}
