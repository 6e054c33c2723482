import { type ConfigChange, diffConfigs, withoutRestart } from '../config/diff.ts';
import type { Config } from '../config/schema/config.ts';
import { isHttp } from '../config/schema/listener.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Log, TransitionListener } from '../model/ports.ts';
import { systemClock as clock } from '../util/clock.ts';
import { systemRandom as random } from '../util/random.ts';
import { CountingMemory } from './counting-memory.ts';
import { FigureBook } from './figures.ts';
import { HeldListeners, socketNumbers, type SocketPlan } from './held-listeners.ts';
import type { Inheritance } from './inheritance.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import { ListenerBook } from './listener-book.ts';
import type { Ports, Snapshot } from './messages.ts';
import { PlaneView } from './plane-view.ts';
import { TicketKeyring } from './ticket-keyring.ts';
import { WatchedPools } from './watched-pools.ts';
import { workerCount } from './worker-count.ts';
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
  readonly view: PlaneView;
  readonly #log: Log;
  readonly #holdsSockets: boolean;
  readonly #memory: CountingMemory;
  readonly #sockets: HeldListeners;
  readonly #pools: WatchedPools;
  readonly #listeners: ListenerBook;
  readonly #ticketKeys: TicketKeyring;
  readonly #figures = new FigureBook();
  readonly #workers: Workers;
  #config: Config | undefined = undefined;
  #revision = 0;
  #stopped = false;

  /** Starts the workers, which do nothing before the first `apply`. */
  constructor(options: ControlPlaneOptions, first: Config) {
    const { log, transitions, instance, holdsSockets, inherited, inheritance } = options;
    this.#log = log;
    this.#holdsSockets = holdsSockets;
    this.#revision = inheritance?.revision ?? 0;
    this.#memory = new CountingMemory(options.workers, clock, random);
    this.#sockets = new HeldListeners(holdsSockets, inherited);
    this.#pools = new WatchedPools({
      clock,
      random,
      log,
      transitions,
      cells: this.#memory.cells,
      survivors: inheritance?.endpoints ?? [],
      onNews: (news) => this.#workers.broadcast({ type: 'states', ...news }),
    });
    this.#listeners = new ListenerBook(this.#memory.cells);
    this.#ticketKeys = new TicketKeyring(clock, (listener, keys) =>
      this.#workers.broadcast({ type: 'ticket-keys', listener, keys }),
    );
    this.#ticketKeys.inherit(inheritance?.ticketKeys ?? {});
    this.#workers = new Workers(options.workers, inherited.slots, {
      clock,
      log,
      instance,
      handsSockets: holdsSockets,
      watchdog: () => (this.#config ?? first).workerWatchdog,
      inForce: () => this.#inForce(),
      held: () => this.#sockets.held,
      onFigures: (slot, figures) => this.#figures.set(slot, figures),
      onDied: (slot) => {
        this.#memory.onDied(slot);
        this.#figures.forget(slot);
      },
      onSuspect: (pool, endpoint, suspicion) => this.#pools.suspect(pool, endpoint, suspicion),
    });
    this.view = new PlaneView({
      memory: this.#memory,
      sockets: this.#sockets,
      pools: this.#pools,
      listeners: this.#listeners,
      figures: this.#figures,
      workers: this.#workers,
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
    const adoptPools = this.#pools.plan(config);
    const workers = before === undefined ? this.#workers.extent : this.#wantedOf(config);
    this.#memory.span(Math.max(workers, this.#workers.extent));
    this.#memory.assign(config);
    const plan = await this.#sockets.plan(config.listeners, workers);
    for (const { name, tls } of config.listeners.filter(isHttp)) {
      if (tls !== undefined) this.#ticketKeys.keysOf(name, tls);
    }
    if (before === undefined) {
      plan.commit();
      this.#adopt(config, adoptPools);
      this.#listeners.learnPorts(await this.#workers.begin());
    } else {
      await this.#change(config, plan, adoptPools);
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
  async #change(config: Config, plan: SocketPlan, adoptPools: () => void): Promise<void> {
    const snapshot = this.#snapshotOf(this.#revision + 1, config, plan.held);
    let ports: Ports;
    try {
      this.#refuseStopped();
      ports = await this.#workers.rollout.prepare(snapshot, plan.held);
      this.#refuseStopped();
    } catch (error) {
      this.#workers.rollout.abandon();
      plan.abandon();
      throw error;
    }
    plan.commit();
    this.#workers.rollout.commit(snapshot, plan.held);
    this.#listeners.learnPorts(ports);
    this.#adopt(config, adoptPools);
  }

  #refuseStopped(): void {
    if (this.#stopped) throw new Error('Pointsman is shutting down');
  }

  /** Brings what is kept here to what workers have now. */
  #adopt(config: Config, adoptPools: () => void): void {
    this.#revision++;
    this.#config = config;
    // What was changed at run time meanwhile was given its places by the configuration before.
    this.#memory.assign(config);
    this.#memory.retain(config);
    adoptPools();
    this.#listeners.adopt(config.listeners);
  }

  /** Puts another configuration of one pool into force; nothing for a pool that there is not. */
  updatePool(config: PoolConfig): void {
    const before = this.#config;
    const known = before?.pools.find(({ name }) => name === config.name);
    if (before === undefined || known === undefined || Bun.deepEquals(known, config)) return;
    const after = { ...before, pools: before.pools.map((one) => (one === known ? config : one)) };
    const slots = this.#memory.assign(after);
    this.#config = after;
    // Routes do not change, and workers may have prepared others.
    this.#workers.broadcast({ type: 'pool', config, slots: { ...slots, routes: [] } });
    this.#pools.update(config);
    this.#memory.retain(after);
  }

  #snapshotOf(revision: number, config: Config, held: SocketPlan['held']): Snapshot {
    const sockets = socketNumbers(held);
    const { workers, calls } = this.#memory;
    const slots = this.#memory.assign(config);
    return { revision, config, sockets, slots, ticketKeys: this.#ticketKeys.all(), workers, calls };
  }

  #inForce(): InForce {
    const { held } = this.#sockets;
    return {
      snapshot: this.#snapshotOf(this.#revision, this.#config!, held),
      held,
      memory: this.#memory.path,
      states: this.#pools.states(),
    };
  }

  /** What another process goes on with, and the descriptors that belong to `sockets`. */
  handOver(): {
    readonly state: Pick<Inheritance, 'sockets' | 'revision' | 'endpoints' | 'ticketKeys'>;
    readonly descriptors: readonly number[];
  } {
    const { sockets, descriptors } = this.#sockets.handOver();
    const endpoints = this.#pools.handOver();
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

  /** Resolves when workers have in force what was decided so far; one that hangs is not waited for. */
  settle(): Promise<void> {
    return this.#workers.settle();
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
    this.#pools.stop();
    return cut;
  }

  /** Ends everything at once. */
  kill(): void {
    this.#stopped = true;
    this.#ticketKeys.stop();
    this.#workers.kill();
    this.#sockets.close();
    this.#pools.stop();
  }
}
