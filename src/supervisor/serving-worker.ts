import type { Judge } from '../health/outlier-detector.ts';
import { SharedState } from '../model/shared/shared-state.ts';
import { DescriptorReceiver } from '../net/descriptor-channel.ts';
import { openSharedMemory } from '../net/shared-memory.ts';
import { WorkerCalls } from '../net/worker-calls.ts';
import { BatchedAccessLog } from '../telemetry/access-log.ts';
import { EventLoopLag } from '../telemetry/event-loop-lag.ts';
import { LineWriter } from '../telemetry/line-writer.ts';
import { AppLog } from '../telemetry/log.ts';
import { systemClock as clock } from '../util/clock.ts';
import { FIRST_COVER_HANDLE } from './covers.ts';
import { DataPlane, type PreparedConfig } from './data-plane.ts';
import { readFigures } from './figures.ts';
import type { Offers } from './handed-socket.ts';
import type { FromWorker, Snapshot, ToWorker } from './messages.ts';
import { SharedCells } from './shared-cells.ts';
import { finish } from './shutdown.ts';
import { ToldTicketKeys } from './ticket-keyring.ts';

/** The first message to a worker. */
export type Start = Extract<ToWorker, { readonly type: 'start' }>;
type CoverOrder = Extract<ToWorker, { readonly type: 'cover' }>;
/** What comes after `start`. */
type Order = Exclude<ToWorker, Start>;
/** What is done at once. */
type QuickOrder = Exclude<Order, { readonly type: 'prepare' | 'cover' }>;

/** Descriptor of the channel that sockets come by, as the supervisor starts workers. */
const SOCKET_CHANNEL = 3;
/** How long the last log lines may take to be written, milliseconds. */
const LAST_LINES_MS = 1000;
/** After an upgrade, connections that are idle stay open for so long, milliseconds. */
const HANDED_OVER_IDLE_MS = 5000;
/** Without its supervisor a worker finishes what it can in so long, milliseconds. */
const ORPHAN_MS = 1000;

/** A worker that was told who it is and what to do: the data plane, and all that it logs to, counts in and is handed sockets by. */
export class ServingWorker {
  readonly #tell: (message: FromWorker) => void;
  readonly #lines: LineWriter;
  readonly #log: AppLog;
  readonly #accessLog: BatchedAccessLog | undefined;
  readonly #ticketKeys = new ToldTicketKeys();
  readonly #state: SharedState;
  readonly #cells: SharedCells;
  readonly #plane: DataPlane;
  readonly #calls: WorkerCalls;
  /** Undefined where this process opens its sockets itself. */
  readonly #sockets: DescriptorReceiver | undefined;
  readonly #lag = new EventLoopLag(clock);
  #prepared: PreparedConfig | undefined = undefined;
  #ending = false;

  /**
   * Nothing listens before `begin`.
   * @param tell Sends to the supervisor.
   * @throws Error when the access log or the shared memory cannot be opened.
   */
  constructor(
    { slot, snapshot, memory, handsSockets, instance }: Start,
    tell: (message: FromWorker) => void,
  ) {
    const { log: logConfig, accessLog } = snapshot.config;
    this.#tell = tell;
    this.#lines = LineWriter.open({ destination: 'stderr', clock, flushEveryMs: 10 });
    const fields = { worker: slot + 1 };
    this.#log = new AppLog({ ...logConfig, clock, sink: this.#lines, fields });
    this.#accessLog = accessLog === false ? undefined : BatchedAccessLog.open(accessLog, clock, this.#log);
    const judge: Judge = {
      suspect: (pool, endpoint, suspicion) =>
        tell({ type: 'suspect', pool: pool.name, endpoint: endpoint.name, ...suspicion }),
    };
    this.#tellTicketKeys(snapshot);
    this.#state = SharedState.attach(openSharedMemory(memory), slot);
    this.#cells = new SharedCells(this.#state);
    this.#cells.learn(snapshot.slots);
    this.#state.span(snapshot.workers);
    this.#plane = new DataPlane({
      log: this.#log,
      accessLog: this.#accessLog,
      judge,
      instance,
      ticketKeys: this.#ticketKeys,
      slot,
      cells: this.#cells,
    });
    const calls = new WorkerCalls(slot, () => this.#plane.pools.wakeQueues());
    calls.learn(snapshot.calls);
    this.#state.call = (worker) => calls.call(worker);
    this.#calls = calls;
    this.#sockets = handsSockets ? new DescriptorReceiver(SOCKET_CHANNEL) : undefined;
  }

  /**
   * Puts the first snapshot into force and says so.
   * @throws Error saying what failed, such as an address in use.
   */
  async begin({ snapshot, states }: Start): Promise<void> {
    const prepared = await this.#plane.prepare(snapshot.config, this.#offersOf(snapshot));
    prepared.commit();
    for (const { pool, states: list } of states) this.#plane.pools.setStates(pool, list);
    this.#lag.start();
    this.#tell({ type: 'ready', ports: prepared.ports });
  }

  /** Does what is told; what is not done at once returns a promise, which does not reject. */
  handle(order: Order): Promise<void> | undefined {
    if (order.type === 'prepare') return this.#prepare(order.snapshot);
    if (order.type === 'cover') return this.#cover(order);
    this.#act(order);
    return undefined;
  }

  #act(order: QuickOrder): void {
    const { pools, listeners } = this.#plane;
    switch (order.type) {
      case 'commit':
        this.#prepared?.commit();
        this.#prepared = undefined;
        break;
      case 'abandon':
        this.#prepared?.abandon();
        this.#prepared = undefined;
        this.#sockets?.discard((id) => id < FIRST_COVER_HANDLE);
        break;
      case 'pool':
        this.#cells.learn(order.slots);
        pools.update(order.config);
        break;
      case 'states':
        pools.setStates(order.pool, order.states);
        break;
      case 'close-sessions':
        this.#closeSessions(order.pool, order.endpoint);
        break;
      case 'ticket-keys':
        this.#ticketKeys.tell(order.listener, order.keys);
        break;
      case 'uncover':
        listeners.uncover(order.slot);
        break;
      case 'report':
        this.#report();
        break;
      case 'reopen':
        this.#accessLog?.reopen();
        break;
      case 'stop':
        void this.#stop(order.deadlineMs, order.handedOver);
        break;
    }
  }

  async #prepare(snapshot: Snapshot): Promise<void> {
    const { revision } = snapshot;
    try {
      this.#cells.learn(snapshot.slots);
      this.#meetWorkers(snapshot);
      this.#tellTicketKeys(snapshot);
      this.#prepared = await this.#plane.prepare(snapshot.config, this.#offersOf(snapshot));
      this.#tell({ type: 'prepared', revision, ports: this.#prepared.ports });
    } catch (error) {
      this.#tell({ type: 'refused', revision, message: messageOf(error) });
    }
  }

  /** At once, not only when the snapshot comes into force: those that are new count as soon as they are there. */
  #meetWorkers({ calls, workers }: Snapshot): void {
    this.#calls.learn(calls);
    if (this.#state.workers === workers) return;
    this.#state.span(workers);
    this.#plane.pools.republish();
  }

  #tellTicketKeys({ ticketKeys }: Snapshot): void {
    for (const [listener, keys] of Object.entries(ticketKeys)) this.#ticketKeys.tell(listener, keys);
  }

  #offersOf({ sockets }: Snapshot): Offers {
    const ports = new Map(Object.values(sockets).map(({ id, port }) => [id, port]));
    const received = this.#sockets;
    return {
      idOf: (listener) => sockets[listener]!.id,
      take: (id) => (received === undefined ? undefined : { fd: received.take(id), port: ports.get(id)! }),
    };
  }

  /** A listener that a reload has closed meanwhile needs no cover. */
  async #cover({ slot, sockets: offered }: CoverOrder): Promise<void> {
    const sockets = this.#sockets;
    for (const { id, handle } of offered) {
      const door = this.#plane.listeners.doorOf(id);
      try {
        if (door === undefined) sockets?.drop(handle);
        else if (sockets !== undefined) await door.cover(slot, sockets.take(handle));
      } catch (error) {
        // This process may open no more descriptors: those clients wait for their worker, as if nobody covered it.
        this.#log.error('cover-failed', { covered: slot + 1, reason: messageOf(error) });
      }
    }
  }

  #closeSessions(poolName: string, name: string): void {
    const { pools, listeners } = this.#plane;
    const pool = pools.all().find((candidate) => candidate.name === poolName);
    const endpoint = pool?.view.all.find((candidate) => candidate.name === name);
    if (endpoint !== undefined) listeners.closeSessions(endpoint);
  }

  #report(): void {
    const figures = readFigures(this.#plane, this.#accessLog, this.#lag.largestMs());
    this.#tell({ type: 'figures', figures });
  }

  async #stop(deadlineMs: number, handedOver: boolean): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    // Two that read from one UDP socket would take each other's datagrams.
    if (handedOver) this.#plane.listeners.muteDatagrams();
    const cut = await finish(this.#plane, deadlineMs, clock, handedOver ? HANDED_OVER_IDLE_MS : 0);
    this.#report();
    this.#tell({ type: 'stopped', cut });
    await this.#end(0);
  }

  /** The supervisor is gone: whoever replaces it starts workers of its own, so this one makes room at once and ends soon. */
  async orphaned(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#log.error('supervisor-gone', { reason: 'this worker ends too' });
    // Sockets of UDP stay open as long as sessions do, and whoever comes next needs the address.
    this.#plane.listeners.stop();
    this.#plane.listeners.cutDatagrams();
    await finish(this.#plane, ORPHAN_MS, clock);
    await this.#end(1);
  }

  async #end(code: number): Promise<void> {
    await this.#accessLog?.close(LAST_LINES_MS);
    await this.#lines.close(LAST_LINES_MS);
    process.exit(code);
  }

  onDefect(error: string): void {
    this.#log.error('defect', { error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
