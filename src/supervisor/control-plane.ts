import { createPool, updatePool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import { type ConfigChange, diffConfigs, withoutRestart } from '../config/diff.ts';
import { onlyDatagrams, poolsOf } from '../config/pool-references.ts';
import { formatAddress } from '../config/address.ts';
import { routeNames } from '../config/route-names.ts';
import type { Config } from '../config/schema/config.ts';
import { isHttp, type ListenerConfig, transportOf } from '../config/schema/listener.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, TransitionListener } from '../model/ports.ts';
import type { ListenerView, WorkerView } from '../model/runtime-view.ts';
import { connectDatagrams } from '../net/datagrams.ts';
import { lostDatagrams } from '../net/lost-datagrams.ts';
import { resolveHost } from '../net/resolve.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { tlsHandshake } from '../net/tls-handshake.ts';
import { systemClock as clock } from '../util/clock.ts';
import { systemRandom as random } from '../util/random.ts';
import { certificateViews } from './certificate-views.ts';
import { CountingMemory } from './counting-memory.ts';
import { StateNews, statesOf } from './endpoint-states.ts';
import { FigureBook } from './figures.ts';
import { HeldListeners, type SocketPlan } from './held-listeners.ts';
import { type Inheritance, revive, survivors } from './inheritance.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import type { Ports, Snapshot } from './messages.ts';
import { PoolDials } from './pool-dials.ts';
import { listenerStats } from './shared-cells.ts';
import { TicketKeyring } from './ticket-keyring.ts';
import { workerCount } from './worker-count.ts';
import { workerViews } from './worker-views.ts';
import { type InForce, Workers } from './workers.ts';

/** What a control plane is told and tells. */
export interface ControlPlaneOptions {
  readonly log: Log;
  readonly transitions: TransitionListener;
  /** Tells this Pointsman from others in Via; the same after a restart. */
  readonly instance: string;
  /** At first; a reload may change it. */
  readonly workers: number;
  /** Sockets belong to the supervisor and are handed to workers. Otherwise the one worker opens them itself. */
  readonly holdsSockets: boolean;
  /** Sockets that were open before. */
  readonly inherited: InheritedSockets;
  /** Of the process that this one takes over from. */
  readonly inheritance: Inheritance | undefined;
}

/** What `apply` did. */
export interface ApplyReport {
  /** Of the snapshot in force. */
  readonly revision: number;
  /** Everything that was different, also what only a restart brings; empty for the first configuration. */
  readonly changes: readonly ConfigChange[];
}

/**
 * Everything but traffic, which workers carry: the listening sockets, what is decided about endpoints (health, ejections, the
 * operator's will), and the sums of what workers count. A configuration is put into force in all workers or in none.
 */
export class ControlPlane {
  readonly #publisher: Publisher;
  readonly #health: HealthMonitor;
  readonly #news = new StateNews();
  readonly #book = new FigureBook();
  readonly #memory: CountingMemory;
  readonly #sockets: HeldListeners;
  readonly #workers: Workers;
  readonly #log: Log;
  readonly #holdsSockets: boolean;
  #config: Config | undefined = undefined;
  #revision = 0;
  #pools = new Map<string, Pool>();
  readonly #dials = new PoolDials();
  readonly #ticketKeys: TicketKeyring;
  /** What was known of endpoints before this process, until the first configuration is in force. */
  #survivors: Inheritance['endpoints'];
  #stats = new Map<string, ListenerStats>();
  #ports: Ports = {};
  #stopped = false;

  /** Starts the workers, which do nothing before the first `apply`. */
  constructor(options: ControlPlaneOptions, first: Config) {
    const { log, transitions, instance, holdsSockets, inherited, inheritance } = options;
    this.#log = log;
    this.#holdsSockets = holdsSockets;
    this.#revision = inheritance?.revision ?? 0;
    this.#survivors = inheritance?.endpoints ?? [];
    this.#publisher = new Publisher({ clock, random }, log, (pool) => this.#tellStates(pool));
    const wheel = new TimerWheel();
    const publisher = this.#publisher;
    this.#health = new HealthMonitor({
      clock,
      random,
      wheel,
      dialOf: (pool) => this.#dials.of(pool.name),
      connectsTo: ({ name }) => !onlyDatagrams(this.#config?.listeners ?? [], name),
      resolve: resolveHost,
      connectDatagrams,
      tlsHandshake,
      publisher,
      transitions,
      log,
    });
    this.#ticketKeys = new TicketKeyring(clock, (listener, keys) =>
      this.#workers.broadcast({ type: 'ticket-keys', listener, keys }),
    );
    this.#ticketKeys.inherit(inheritance?.ticketKeys ?? {});
    this.#memory = new CountingMemory(options.workers, clock, random);
    this.#sockets = new HeldListeners(holdsSockets, inherited);
    this.#workers = new Workers(options.workers, inherited.slots, {
      clock,
      log,
      instance,
      handsSockets: holdsSockets,
      watchdog: () => (this.#config ?? first).workerWatchdog,
      inForce: () => this.#inForce(),
      held: () => this.#sockets.held,
      onFigures: (slot, figures) => this.#book.set(slot, figures),
      onDied: (slot) => {
        this.#memory.onDied(slot);
        this.#book.forget(slot);
      },
      onSuspect: (poolName, name, suspicion) => {
        const pool = this.#pools.get(poolName);
        const endpoint = pool?.view.all.find((candidate) => candidate.name === name);
        if (pool !== undefined && endpoint !== undefined) this.#health.suspect(pool, endpoint, suspicion);
      },
    });
  }

  /**
   * Puts a configuration into force. Everything that can fail comes first: binding new addresses, compiling routes and filters in every
   * worker. Then all of it is swapped. One call at a time.
   * @throws Error saying what failed, such as an address in use; the configuration before is then still in force, whole.
   */
  async apply(next: Config): Promise<ApplyReport> {
    const before = this.#config;
    const changes = before === undefined ? [] : diffConfigs(before, next);
    if (before !== undefined && changes.every(({ restart }) => restart))
      return { revision: this.#revision, changes };
    const config = before === undefined ? next : withoutRestart(before, next);
    const adoptDials = this.#dials.plan(config, (pool) => this.#pools.get(pool)?.config.tls);
    const workers = before === undefined ? this.#workers.extent : this.#wantedOf(config);
    this.#memory.span(Math.max(workers, this.#workers.extent));
    this.#memory.assign(config);
    const plan = await this.#sockets.plan(config.listeners, workers);
    for (const { name, tls } of config.listeners.filter(isHttp)) {
      if (tls !== undefined) this.#ticketKeys.keysOf(name, tls);
    }
    if (before === undefined) {
      plan.commit();
      adoptDials();
      this.#adopt(config);
      this.#survivors = [];
      this.#ports = await this.#workers.begin();
    } else {
      await this.#change(config, plan, adoptDials);
      this.#resize(workers);
    }
    return { revision: this.#revision, changes };
  }

  /** How many workers a configuration is to have. */
  #wantedOf({ workers }: Config): number {
    if (!this.#holdsSockets) return 1;
    const wanted = workerCount(workers);
    const most = this.#memory.mostWorkers;
    // There is no room for more in the shared memory, which an upgrade makes anew.
    if (wanted > most) this.#log.warn('restart-needed', { settings: 'workers', workers: most });
    return Math.min(wanted, most);
  }

  #resize(workers: number): void {
    const before = this.#workers.count;
    if (before === workers) return;
    this.#log.info('workers-changed', { from: before, to: workers });
    this.#workers.resize(workers, this.#config!.shutdown.deadline);
  }

  /** In every worker, or in none. */
  async #change(config: Config, plan: SocketPlan, adoptDials: () => void): Promise<void> {
    const snapshot = this.#snapshotOf(this.#revision + 1, config, plan.held);
    try {
      this.#refuseStopped();
      this.#ports = await this.#workers.prepare(snapshot, plan.held);
      this.#refuseStopped();
    } catch (error) {
      this.#workers.abandon();
      plan.abandon();
      throw error;
    }
    plan.commit();
    this.#workers.commit(snapshot, plan.held);
    adoptDials();
    this.#adopt(config);
  }

  #refuseStopped(): void {
    if (this.#stopped) throw new Error('Pointsman is shutting down');
  }

  /** Brings what is kept here to what workers have now. */
  #adopt(config: Config): void {
    this.#revision++;
    this.#config = config;
    this.#memory.retain(config);
    const before = this.#pools;
    this.#pools = new Map();
    for (const poolConfig of config.pools) {
      const known = before.get(poolConfig.name);
      const pool = known ?? createPool(poolConfig, this.#publisher, this.#memory.cells);
      this.#pools.set(pool.name, pool);
      if (known === undefined) {
        this.#revive(pool);
        this.#health.watch(pool);
      } else this.#configurePool(pool, poolConfig);
    }
    for (const pool of before.values()) {
      if (this.#pools.get(pool.name) === pool) continue;
      this.#health.forget(pool);
      this.#dials.forget(pool.name);
      this.#publisher.forget(pool);
    }
    const stats = new Map<string, ListenerStats>();
    for (const listener of config.listeners) {
      const { name } = listener;
      const own = this.#stats.get(name) ?? listenerStats(this.#memory.cells, name);
      own.nameRoutes(routeNames(listener));
      stats.set(name, own);
    }
    this.#stats = stats;
  }

  #revive(pool: Pool): void {
    if (this.#survivors.length === 0) return;
    revive(pool, this.#survivors, clock.nowMs());
    this.#publisher.publish(pool);
  }

  #configurePool(pool: Pool, config: PoolConfig): void {
    if (Bun.deepEquals(pool.config, config)) return;
    updatePool(pool, config, this.#publisher, this.#memory.cells);
    this.#health.watch(pool);
  }

  /** Puts another configuration of one pool into force; nothing for a pool that there is not. */
  updatePool(config: PoolConfig): void {
    const before = this.#config;
    const pool = this.#pools.get(config.name);
    if (before === undefined || pool === undefined || Bun.deepEquals(pool.config, config)) return;
    const after = { ...before, pools: before.pools.map((one) => (one.name === config.name ? config : one)) };
    const slots = this.#memory.assign(after);
    this.#config = after;
    this.#workers.broadcast({ type: 'pool', config, slots });
    this.#configurePool(pool, config);
    this.#memory.retain(after);
  }

  #tellStates(pool: Pool): void {
    const states = this.#news.of(pool, clock.nowMs());
    if (states.length > 0) this.#workers.broadcast({ type: 'states', pool: pool.name, states });
  }

  #snapshotOf(revision: number, config: Config, held: SocketPlan['held']): Snapshot {
    const sockets: Record<string, { readonly id: number; readonly port: number }> = {};
    for (const [listener, { id, sockets: own }] of held) sockets[listener] = { id, port: own?.port ?? 0 };
    const { workers, calls } = this.#memory;
    const slots = this.#memory.assign(config);
    return { revision, config, sockets, slots, ticketKeys: this.#ticketKeys.all(), workers, calls };
  }

  #inForce(): InForce {
    const { held } = this.#sockets;
    const nowMs = clock.nowMs();
    return {
      snapshot: this.#snapshotOf(this.#revision, this.#config!, held),
      held,
      memory: this.#memory.path,
      states: this.pools().map((pool) => ({ pool: pool.name, states: statesOf(pool, nowMs) })),
    };
  }

  /** What another process goes on with, and the descriptors that belong to `sockets`. */
  handOver(): {
    readonly state: Pick<Inheritance, 'sockets' | 'revision' | 'endpoints' | 'ticketKeys'>;
    readonly descriptors: readonly number[];
  } {
    const sockets: { readonly listener: string }[] = [];
    const descriptors: number[] = [];
    for (const [listener, { sockets: own }] of this.#sockets.held) {
      for (const fd of own?.descriptors ?? []) {
        sockets.push({ listener });
        descriptors.push(fd);
      }
    }
    const endpoints = survivors(this.pools(), clock.nowMs());
    const ticketKeys = this.#ticketKeys.handOver();
    return { state: { sockets, revision: this.#revision, endpoints, ticketKeys }, descriptors };
  }

  /** Number of the snapshot in force; 0 before the first. */
  get revision(): number {
    return this.#revision;
  }

  /** What is in force; undefined before the first `apply`. */
  get config(): Config | undefined {
    return this.#config;
  }

  pools(): readonly Pool[] {
    return [...this.#pools.values()];
  }

  listeners(): readonly ListenerView[] {
    return (this.#config?.listeners ?? []).map((config) => ({
      name: config.name,
      address: formatAddress({ host: config.address.host, port: this.#portOf(config) }),
      protocol: config.protocol,
      alpn: isHttp(config) ? config.tls?.alpn : undefined,
      pools: poolsOf(config),
      stats: this.#stats.get(config.name)!,
      certificates: certificateViews(config),
    }));
  }

  #portOf({ name, address }: ListenerConfig): number {
    return this.#sockets.held.get(name)?.sockets?.port ?? this.#ports[name] ?? address.port;
  }

  /** Datagrams that found the sockets of a udp listener full. */
  lostDatagrams(): ReadonlyMap<string, number> {
    const udp = [...this.#sockets.held].filter(([, { config }]) => transportOf(config) === 'udp');
    return lostDatagrams(new Map(udp.map(([name, { sockets }]) => [name, sockets?.descriptors ?? []])));
  }

  idleConnections(endpoint: Endpoint): number {
    return this.#book.idleConnections(endpoint);
  }

  /** Requests that workers have taken down in the access log. */
  get accessLog(): { readonly lines: number; readonly droppedLines: number } {
    return this.#book.accessLog;
  }

  workers(): readonly WorkerView[] {
    return workerViews(this.#workers, this.#book);
  }

  /** Why nobody accepts connections, for people; empty when somebody does. */
  get obstacles(): readonly string[] {
    const { slots } = this.#workers;
    if (slots.some(({ state }) => state === 'ready')) return [];
    const troubles = slots.flatMap(({ trouble }) => trouble ?? []);
    return troubles.length === 0 ? ['no worker accepts connections yet'] : troubles;
  }

  /** Requests, tunnels and sessions under way, as far as workers have told. */
  get busy(): number {
    return this.pools().reduce((sum, { activeRequests }) => sum + activeRequests, 0);
  }

  /** Brings all figures up to now, those that workers must be asked for, too. */
  async collect(): Promise<void> {
    await this.#workers.collect();
    this.gather();
  }

  /** Sums up what workers have counted in shared memory so far. */
  gather(): void {
    this.#memory.gather();
  }

  /** Asks both ends of the tunnels and sessions with an endpoint to close. */
  closeSessions({ pool, name }: Endpoint): void {
    this.#workers.broadcast({ type: 'close-sessions', pool, endpoint: name });
  }

  /** Has workers go on in a new file of the access log; for logrotate. */
  reopenAccessLog(): void {
    this.#workers.broadcast({ type: 'reopen' });
  }

  /**
   * Accepts no more, lets what is under way finish within `deadlineMs`, and ends the workers.
   * @param handedOver Another process takes from the same sockets.
   * @returns how many requests and tunnels were cut.
   */
  async stop(deadlineMs: number, handedOver = false): Promise<number> {
    this.#stopped = true;
    // First, so that what workers close is closed for good, and they fetch the last that came in.
    this.#sockets.close();
    this.#ticketKeys.stop();
    const cut = await this.#workers.stop(deadlineMs, handedOver);
    this.#health.stop();
    this.#publisher.stop();
    return cut;
  }

  /** Ends everything at once. */
  kill(): void {
    this.#stopped = true;
    this.#ticketKeys.stop();
    this.#workers.kill();
    this.#sockets.close();
    this.#health.stop();
    this.#publisher.stop();
  }
}
