import { AcmeStorage } from '../acme/storage.ts';
import { balancer } from '../balancer/flow.ts';
import { createPool, updatePool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import type { Config } from '../config/schema/config.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { type Judge, OutlierDetector } from '../health/outlier-detector.ts';
import { L4Pool } from '../l4/l4-pool.ts';
import type { L7Listener } from '../l7/l7-listener.ts';
import { L7Pool } from '../l7/l7-pool.ts';
import type { AccessLog } from '../model/access-entry.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { Pool } from '../model/pool.ts';
import type { Log } from '../model/ports.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { openDatagrams } from '../net/resolving-datagrams.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { runTurn } from '../net/turn.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import { adoptState, type EndpointState } from './endpoint-states.ts';
import type { Offers } from './handed-socket.ts';
import type { ServedPool } from './listener-kinds.ts';
import { ListenerPlan } from './listener-plan.ts';
import { PoolDial } from './pool-dial.ts';
import { poolParts } from './pool-parts.ts';
import type { TicketKeySource } from './ticket-keyring.ts';
import type { ServedListener } from './served-listener.ts';
import { UdpDoor } from './udp-door.ts';

/** What a data plane is told and tells. */
export interface DataPlaneOptions {
  readonly log: Log;
  readonly accessLog: AccessLog | undefined;
  /** Decides about endpoints that real traffic speaks against. */
  readonly judge: Judge;
  /** Tells this Pointsman from others in Via; the same after a restart. */
  readonly instance: string;
  /** The keys of session tickets, which outlive every configuration. */
  readonly ticketKeys: TicketKeySource;
  /** Number of this worker, from 0. */
  readonly slot: number;
  /** Memory that everything counts in. */
  readonly cells: CellSource;
}

/** A configuration that is ready to be put into force. Exactly one of its methods is to be called, once. */
export interface PreparedConfig {
  /** The port of each listener. */
  readonly ports: Readonly<Record<string, number>>;
  /** Swaps everything in one turn; cannot fail. */
  commit(): void;
  /** Nothing comes of it. */
  abandon(): void;
}

/** Pools as they would be, made and undone without anybody noticing. */
interface PoolPlan {
  readonly all: Map<string, ServedPool>;
  readonly created: readonly ServedPool[];
  /** Puts what is new about TLS towards endpoints into force. */
  secure: () => void;
}

/**
 * Everything that carries traffic in one worker: listeners, and pools with their connections. A configuration is put into force whole or
 * not at all, and whatever it says nothing new about stays the same object, with all that it carries. How healthy endpoints are
 * and what the operator wants of them is decided elsewhere, and told.
 */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #shared: L7Listener['shared'];
  readonly #wheel = new TimerWheel();
  readonly #publisher: Publisher;
  readonly #outliers: OutlierDetector;
  #config: Config | undefined = undefined;
  #stopped = false;
  #pools = new Map<string, ServedPool>();
  #listeners: readonly ListenerPlan[] = [];
  /** Listeners that are gone from the configuration, as long as they have connections. */
  #leaving: ServedListener[] = [];

  /** Nothing listens before the first configuration is in force. */
  constructor(options: DataPlaneOptions) {
    this.#options = options;
    const { log } = options;
    this.#publisher = new Publisher(
      { clock: systemClock, random: systemRandom, turns: options.slot },
      log,
      (pool) => runTurn(() => this.#pools.get(pool.name)?.l7.queue.wake()),
    );
    this.#outliers = new OutlierDetector(systemClock, options.judge);
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
   * Makes everything that a configuration needs, and touches nothing that is in force. One at a time: the one before must have been
   * committed or abandoned.
   * @throws Error saying what failed, such as an address in use; nothing is left of it then.
   */
  async prepare(config: Config, offers: Offers): Promise<PreparedConfig> {
    const listeners: ListenerPlan[] = [];
    this.#shared.challenges = config.acme === undefined ? undefined : new AcmeStorage(config.acme.storage);
    const pools = this.#planPools(config);
    const abandon = (): void =>
      runTurn(() => {
        for (const listener of listeners) listener.abandon();
        for (const served of pools.created) this.#closePool(served);
      });
    try {
      pools.secure = this.#planPoolTls(config, pools.all);
      for (const listener of config.listeners) listeners.push(this.#planListener(listener, pools));
      for (const listener of listeners) {
        await listener.open(this.#listeners, offers);
        if (this.#stopped) throw new Error('Pointsman is shutting down');
      }
    } catch (error) {
      abandon();
      throw error;
    }
    const ports = Object.fromEntries(listeners.map(({ name, door }) => [name, door!.port]));
    return { ports, commit: () => runTurn(() => this.#swap(config, pools, listeners)), abandon };
  }

  #planPools(config: Config): PoolPlan {
    const all = new Map<string, ServedPool>();
    const created: ServedPool[] = [];
    for (const poolConfig of config.pools) {
      let served = this.#pools.get(poolConfig.name);
      if (served === undefined) {
        const pool = createPool(poolConfig, this.#publisher, this.#options.cells);
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
      cells: this.#options.cells,
    });
  }

  #swap(config: Config, pools: PoolPlan, listeners: readonly ListenerPlan[]): void {
    const poolsBefore = this.#pools;
    const listenersBefore = this.#listeners;
    this.#config = config;
    this.#pools = pools.all;
    pools.secure();
    for (const poolConfig of config.pools) this.#configurePool(poolConfig);
    for (const listener of listeners) listener.commit();
    this.#listeners = listeners;
    const doors = new Set(listeners.map(({ door }) => door));
    const served = new Set(listeners.map((listener) => listener.served));
    this.#leaving = this.#leaving.filter(({ stats }) => stats.connections.own > 0);
    for (const listener of listenersBefore) {
      if (!doors.has(listener.door)) listener.door?.stop();
      if (served.has(listener.served)) continue;
      listener.http3?.stop();
      listener.served.leave();
      this.#leaving.push(listener.served);
    }
    for (const served of poolsBefore.values()) {
      if (pools.all.get(served.pool.name) === served) continue;
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
    const { removed } = updatePool(pool, config, this.#publisher, this.#options.cells);
    l7.forget(removed);
  }

  /**
   * What became of endpoints of a pool. Requests that wait on one that is dead go elsewhere, those that wait in the queue are asked
   * again. Endpoints that there are not are passed over.
   */
  setStates(poolName: string, states: readonly EndpointState[]): void {
    const served = this.#pools.get(poolName);
    if (served === undefined) return;
    const { pool, l7 } = served;
    const nowMs = systemClock.nowMs();
    const down: { endpoint: Endpoint; reason: string }[] = [];
    for (const state of states) {
      const endpoint = pool.view.all.find(({ name }) => name === state.name);
      if (endpoint === undefined) continue;
      if (state.health === 'unhealthy' && endpoint.health !== 'unhealthy')
        down.push({ endpoint, reason: state.reason });
      if (state.ejectedForMs > 0 && endpoint.ejectedUntilMs <= nowMs) this.#outliers.forgive(endpoint);
      adoptState(endpoint, state, nowMs);
    }
    runTurn(() => {
      this.#publisher.publish(pool);
      for (const { endpoint, reason } of down) this.#onDown(served, endpoint, reason);
      l7.queue.wake();
    });
  }

  #onDown({ pool, l7 }: ServedPool, endpoint: Endpoint, reason: string): void {
    l7.abandon(endpoint, reason);
    if (pool.config.onEndpointDown !== 'close') return;
    for (const served of this.#served()) served.cutSessions(endpoint);
  }

  /** There are more workers or fewer: what they count together is looked at anew. */
  republish(): void {
    runTurn(() => {
      for (const { pool } of this.#pools.values()) this.#publisher.publish(pool);
    });
  }

  pools(): readonly Pool[] {
    return [...this.#pools.values()].map(({ pool }) => pool);
  }

  /** Listeners in force, with their counters. */
  listeners(): readonly { readonly name: string; readonly stats: ListenerStats }[] {
    return this.#listeners.map(({ name, served }) => ({ name, stats: served.stats }));
  }

  /** The door with the socket of that number; undefined when no listener in force has it. */
  doorOf(id: number): ListenerPlan['door'] {
    return this.#listeners.find(({ door }) => door?.id === id)?.door;
  }

  /** Takes no more from the sockets of the worker of that slot. */
  uncover(slot: number): void {
    for (const { door } of this.#listeners) door?.uncover(slot);
  }

  /** Another worker has made room, or says that it is the turn of those who wait here. */
  wakeQueues(): void {
    for (const { l7 } of this.#pools.values()) l7.queue.called();
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
    for (const listener of this.#listeners) listener.stopListening();
  }

  /** Hears no more datagrams of clients; sessions may still answer. */
  muteDatagrams(): void {
    for (const { door } of this.#listeners) if (door instanceof UdpDoor) door.mute();
  }

  /** Connections of clients that are open; sessions of UDP are none. */
  get connections(): number {
    return this.#served().reduce(
      (sum, { transport, stats }) => (transport === 'udp' ? sum : sum + stats.connections.own),
      0,
    );
  }

  /** Every connection ends with its next response; those that are idle for so long are closed. */
  leave(idleMs: number): void {
    runTurn(() => {
      for (const served of this.#served()) served.leave(idleMs);
    });
  }

  /** Takes no more requests; those under way go on. */
  drain(): void {
    runTurn(() => {
      for (const served of this.#served()) served.drain();
    });
  }

  /** Ends the UDP sessions, and with them the sockets that they hold. */
  cutDatagrams(): void {
    runTurn(() => {
      for (const served of this.#served()) if (served.transport === 'udp') served.cut();
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

  /** Ends timers, and closes idle connections to endpoints. */
  close(): void {
    this.#publisher.stop();
    for (const { l7 } of this.#pools.values()) l7.close();
  }
}
