import { ChallengeStorage } from '../acme/challenge-storage.ts';
import { balancer } from '../balancer/flow.ts';
import type { Config } from '../config/schema/config.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { type Judge, OutlierDetector } from '../health/outlier-detector.ts';
import type { L7Listener } from '../l7/l7-listener.ts';
import type { AccessLog } from '../model/access-entry.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { Pool } from '../model/pool.ts';
import type { Log } from '../model/ports.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { runTurn } from '../net/turn.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import type { EndpointState } from './endpoint-states.ts';
import type { Offers } from './handed-socket.ts';
import { ListenerPlan } from './listener-plan.ts';
import type { TicketKeySource } from './ticket-keyring.ts';
import type { ServedListener } from './served-listener.ts';
import { type PoolPlan, ServedPools } from './served-pools.ts';
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

/**
 * Everything that carries traffic in one worker: listeners, and pools with their connections. A configuration is put into force whole or
 * not at all, and whatever it says nothing new about stays the same object, with all that it carries. How healthy endpoints are
 * and what the operator wants of them is decided elsewhere, and told.
 */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #shared: L7Listener['shared'];
  readonly #pools: ServedPools;
  #stopped = false;
  #listeners: readonly ListenerPlan[] = [];
  /** Listeners that are gone from the configuration, as long as they have connections. */
  #leaving: ServedListener[] = [];

  /** Nothing listens before the first configuration is in force. */
  constructor(options: DataPlaneOptions) {
    this.#options = options;
    const { log, slot, cells } = options;
    const wheel = new TimerWheel();
    const outliers = new OutlierDetector(systemClock, options.judge);
    this.#pools = new ServedPools({
      slot,
      cells,
      wheel,
      outliers,
      cutSessions: (endpoint) => {
        for (const served of this.#served()) served.cutSessions(endpoint);
      },
    });
    this.#shared = {
      balancer,
      observer: outliers,
      accessLog: options.accessLog,
      log,
      wheel,
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
    this.#shared.challenges =
      config.acme === undefined ? undefined : new ChallengeStorage(config.acme.storage);
    const pools = this.#pools.plan(config);
    const abandon = (): void =>
      runTurn(() => {
        for (const listener of listeners) listener.abandon();
        pools.abandon();
      });
    try {
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
    return { ports, commit: () => runTurn(() => this.#swap(pools, listeners)), abandon };
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

  #swap(pools: PoolPlan, listeners: readonly ListenerPlan[]): void {
    const listenersBefore = this.#listeners;
    const poolsGone = pools.commit();
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
    for (const served of poolsGone) this.#pools.close(served);
  }

  /** Puts another configuration of one pool into force; nothing for a pool that there is not. */
  updatePool(config: PoolConfig): void {
    this.#pools.update(config);
  }

  /** What became of endpoints of a pool. */
  setStates(poolName: string, states: readonly EndpointState[]): void {
    this.#pools.setStates(poolName, states);
  }

  /** There are more workers or fewer: what they count together is looked at anew. */
  republish(): void {
    this.#pools.republish();
  }

  pools(): readonly Pool[] {
    return this.#pools.pools();
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
    this.#pools.wakeQueues();
  }

  idleConnections(endpoint: Endpoint): number {
    return this.#pools.idleConnections(endpoint);
  }

  /** Listeners in force and those that leave. */
  #served(): readonly ServedListener[] {
    return [...this.#listeners.map(({ served }) => served), ...this.#leaving];
  }

  /** Requests, tunnels and sessions under way. */
  get busy(): number {
    return this.#served().reduce((sum, { busy }) => sum + busy, 0);
  }

  /** Whether clients are still being told that their connections end, or taking the last of what was sent. */
  get parting(): boolean {
    return this.#served().some((served) => served.parting === true);
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
    this.#pools.stop();
  }
}
