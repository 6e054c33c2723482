import type { Judge } from '../health/outlier-detector.ts';
import { SharedState } from '../model/shared/shared-state.ts';
import { openSharedMemory } from '../net/shared-memory.ts';
import { WorkerCalls } from '../net/worker-calls.ts';
import { DescriptorReceiver } from '../net/descriptor-channel.ts';
import { BatchedAccessLog } from '../telemetry/access-log.ts';
import { EventLoopLag } from '../telemetry/event-loop-lag.ts';
import { LineWriter } from '../telemetry/line-writer.ts';
import { AppLog } from '../telemetry/log.ts';
import { systemClock as clock } from '../util/clock.ts';
import { DataPlane, type PreparedConfig } from './data-plane.ts';
import { readFigures } from './figures.ts';
import type { Offers } from './handed-socket.ts';
import type { FromWorker, Snapshot, ToWorker } from './messages.ts';
import { FIRST_COVER_HANDLE } from './covers.ts';
import { SharedCells } from './shared-cells.ts';
import { finish } from './shutdown.ts';
import { ToldTicketKeys } from './ticket-keyring.ts';

type Start = Extract<ToWorker, { readonly type: 'start' }>;
type CoverOrder = Extract<ToWorker, { readonly type: 'cover' }>;
/** What is done at once. */
type Order = Exclude<ToWorker, { readonly type: 'start' | 'prepare' | 'cover' }>;

/** Descriptor of the channel that sockets come by, as the supervisor starts workers. */
const SOCKET_CHANNEL = 3;
/** How long the last log lines may take to be written, milliseconds. */
const LAST_LINES_MS = 1000;
/** After an upgrade, connections that are idle stay open for so long, milliseconds. */
const HANDED_OVER_IDLE_MS = 5000;
/** Without its supervisor a worker finishes what it can in so long, milliseconds. */
const ORPHAN_MS = 1000;

/** What runs once a worker was told what to do. */
interface Running {
  readonly plane: DataPlane;
  readonly cells: SharedCells;
  readonly state: SharedState;
  readonly calls: WorkerCalls;
  readonly lines: LineWriter;
  readonly log: AppLog;
  readonly accessLog: BatchedAccessLog | undefined;
  readonly sockets: DescriptorReceiver | undefined;
  readonly lag: EventLoopLag;
}

/** One worker: does what the supervisor tells, message by message in their order. */
export class Worker {
  readonly #tell: (message: FromWorker) => void;
  readonly #ticketKeys = new ToldTicketKeys();
  #running: Running | undefined = undefined;
  #prepared: PreparedConfig | undefined = undefined;
  #ending = false;
  /** Messages wait for the one before them. */
  #queue: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** @param tell Sends to the supervisor. */
  constructor(tell: (message: FromWorker) => void) {
    this.#tell = tell;
  }

  onMessage(message: ToWorker): void {
    // Most are done at once; only what has to wait for something makes others wait.
    if (this.#waiting === 0) {
      const pending = this.#handle(message);
      if (pending === undefined) return;
      this.#waiting++;
      this.#queue = pending.finally(() => this.#waiting--);
      return;
    }
    this.#waiting++;
    this.#queue = this.#queue.then(() => this.#handle(message)).finally(() => this.#waiting--);
  }

  #handle(message: ToWorker): Promise<void> | undefined {
    if (message.type === 'start') return this.#start(message);
    const running = this.#running;
    if (running === undefined) return undefined;
    if (message.type === 'prepare') return this.#prepare(running, message.snapshot);
    if (message.type === 'cover') return this.#cover(running, message);
    this.#act(running, message);
    return undefined;
  }

  #act(running: Running, message: Order): void {
    const { plane, cells, accessLog, sockets } = running;
    switch (message.type) {
      case 'commit':
        this.#prepared?.commit();
        this.#prepared = undefined;
        break;
      case 'abandon':
        this.#prepared?.abandon();
        this.#prepared = undefined;
        sockets?.discard((id) => id < FIRST_COVER_HANDLE);
        break;
      case 'pool':
        cells.learn(message.slots);
        plane.updatePool(message.config);
        break;
      case 'states':
        plane.setStates(message.pool, message.states);
        break;
      case 'close-sessions':
        closeSessions(plane, message.pool, message.endpoint);
        break;
      case 'ticket-keys':
        this.#ticketKeys.tell(message.listener, message.keys);
        break;
      case 'uncover':
        plane.uncover(message.slot);
        break;
      case 'report':
        this.#report(running);
        break;
      case 'reopen':
        accessLog?.reopen();
        break;
      case 'stop':
        void this.#stop(running, message.deadlineMs, message.handedOver);
        break;
    }
  }

  async #start({ slot, snapshot, memory, states, handsSockets, instance }: Start): Promise<void> {
    const { config } = snapshot;
    const lines = LineWriter.open({ destination: 'stderr', clock, flushEveryMs: 10 });
    const fields = { worker: slot + 1 };
    const log = new AppLog({
      level: config.log.level,
      format: config.log.format,
      clock,
      sink: lines,
      fields,
    });
    try {
      const accessLog =
        config.accessLog === false ? undefined : BatchedAccessLog.open(config.accessLog, clock, log);
      const judge: Judge = {
        suspect: (pool, endpoint, suspicion) =>
          this.#tell({ type: 'suspect', pool: pool.name, endpoint: endpoint.name, ...suspicion }),
      };
      tellTicketKeys(this.#ticketKeys, snapshot);
      const ticketKeys = this.#ticketKeys;
      const state = SharedState.attach(openSharedMemory(memory), slot);
      const cells = new SharedCells(state);
      cells.learn(snapshot.slots);
      state.span(snapshot.workers);
      const plane = new DataPlane({ log, accessLog, judge, instance, ticketKeys, slot, cells });
      const calls = new WorkerCalls(slot, () => plane.wakeQueues());
      calls.learn(snapshot.calls);
      state.call = (worker) => calls.call(worker);
      const sockets = handsSockets ? new DescriptorReceiver(SOCKET_CHANNEL) : undefined;
      const lag = new EventLoopLag(clock);
      this.#running = { plane, cells, state, calls, lines, log, accessLog, sockets, lag };
      const prepared = await plane.prepare(config, offersOf(snapshot, sockets));
      prepared.commit();
      for (const { pool, states: list } of states) plane.setStates(pool, list);
      lag.start();
      this.#tell({ type: 'ready', ports: prepared.ports });
    } catch (error) {
      this.#tell({ type: 'failed', message: messageOf(error) });
    }
  }

  async #prepare(running: Running, snapshot: Snapshot): Promise<void> {
    const { plane, cells, sockets } = running;
    const { revision } = snapshot;
    try {
      cells.learn(snapshot.slots);
      meetWorkers(running, snapshot);
      tellTicketKeys(this.#ticketKeys, snapshot);
      this.#prepared = await plane.prepare(snapshot.config, offersOf(snapshot, sockets));
      this.#tell({ type: 'prepared', revision, ports: this.#prepared.ports });
    } catch (error) {
      this.#tell({ type: 'refused', revision, message: messageOf(error) });
    }
  }

  /** A listener that a reload has closed meanwhile needs no cover. */
  async #cover({ plane, sockets, log }: Running, { slot, sockets: offered }: CoverOrder): Promise<void> {
    for (const { id, handle } of offered) {
      const door = plane.doorOf(id);
      try {
        if (door === undefined) sockets?.drop(handle);
        else if (sockets !== undefined) await door.cover(slot, sockets.take(handle));
      } catch (error) {
        // This process may open no more descriptors: those clients wait for their worker, as if nobody covered it.
        log.error('cover-failed', { covered: slot + 1, reason: messageOf(error) });
      }
    }
  }

  #report({ plane, accessLog, lag }: Running): void {
    this.#tell({ type: 'figures', figures: readFigures(plane, accessLog, lag.largestMs()) });
  }

  async #stop(running: Running, deadlineMs: number, handedOver: boolean): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    // Two that read from one UDP socket would take each other's datagrams.
    if (handedOver) running.plane.muteDatagrams();
    const cut = await finish(running.plane, deadlineMs, clock, handedOver ? HANDED_OVER_IDLE_MS : 0);
    this.#report(running);
    this.#tell({ type: 'stopped', cut });
    await this.#end(running);
  }

  /** The supervisor is gone: whoever replaces it starts workers of its own, so this one makes room at once and ends soon. */
  async orphaned(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const running = this.#running;
    if (running === undefined) process.exit(1);
    running.log.error('supervisor-gone', { reason: 'this worker ends too' });
    // Sockets of UDP stay open as long as sessions do, and whoever comes next needs the address.
    running.plane.stopListening();
    running.plane.cutDatagrams();
    await finish(running.plane, ORPHAN_MS, clock);
    await this.#end(running, 1);
  }

  async #end({ accessLog, lines }: Running, code = 0): Promise<void> {
    await accessLog?.close(LAST_LINES_MS);
    await lines.close(LAST_LINES_MS);
    process.exit(code);
  }

  /** Something of ours threw where nobody expected it. */
  onDefect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (this.#running === undefined) process.stderr.write(`pointsman worker: ${text}\n`);
    else this.#running.log.error('defect', { error: text });
  }
}

/** At once, not only when the snapshot comes into force: those that are new count as soon as they are there. */
function meetWorkers({ plane, state, calls }: Running, snapshot: Snapshot): void {
  calls.learn(snapshot.calls);
  if (state.workers === snapshot.workers) return;
  state.span(snapshot.workers);
  plane.republish();
}

function tellTicketKeys(ticketKeys: ToldTicketKeys, snapshot: Snapshot): void {
  for (const [listener, keys] of Object.entries(snapshot.ticketKeys)) ticketKeys.tell(listener, keys);
}

function closeSessions(plane: DataPlane, poolName: string, name: string): void {
  const pool = plane.pools().find((candidate) => candidate.name === poolName);
  const endpoint = pool?.view.all.find((candidate) => candidate.name === name);
  if (endpoint !== undefined) plane.closeSessions(endpoint);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function offersOf({ sockets }: Snapshot, received: DescriptorReceiver | undefined): Offers {
  const ports = new Map(Object.values(sockets).map(({ id, port }) => [id, port]));
  return {
    idOf: (listener) => sockets[listener]!.id,
    take: (id) => (received === undefined ? undefined : { fd: received.take(id), port: ports.get(id)! }),
  };
}
