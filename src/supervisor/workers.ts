import type { Suspicion } from '../health/outlier-detector.ts';
import type { Log } from '../model/ports.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';
import type { WorkerFigures } from './figures.ts';
import { Covers } from './covers.ts';
import type { SocketPlan } from './held-listeners.ts';
import type { FromWorker, PoolStates, Ports, Snapshot, ToWorker } from './messages.ts';
import { PARTING_MS, wait } from './shutdown.ts';
import { portsIn, SnapshotRollout } from './snapshot-rollout.ts';
import { WorkerCode } from './worker-code.ts';
import { WorkerAnswers } from './worker-answers.ts';
import { WorkerSlot } from './worker-slot.ts';
import { askFigures, BEAT_MS, lookAfter, type WatchdogTimes } from './worker-watchdog.ts';

type HeldByListener = SocketPlan['held'];

/** How long somebody who wants fresh figures waits for a slow worker, milliseconds. */
const FIGURES_MS = 250;
/** How long somebody who changed something waits until a slow worker has it in force, milliseconds. */
const SETTLE_MS = 2000;
/** The start has passed so long after all are ready, milliseconds: what costs time can be done then. */
const SETTLED_MS = 500;
/** Beyond its deadline, for last lines of logs, milliseconds. */
const LAST_WORK_MS = 2000;

/** What a worker is started with. */
export interface InForce {
  readonly snapshot: Snapshot;
  readonly held: HeldByListener;
  /** Where the shared memory is opened. */
  readonly memory: string;
  readonly states: readonly PoolStates[];
}

export interface WorkersDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Sockets are sent to workers; otherwise they open them. */
  readonly handsSockets: boolean;
  readonly instance: string;
  watchdog(): WatchdogTimes;
  /** What is in force now; asked for when a worker starts. */
  inForce(): InForce;
  /** The sockets in force. */
  held(): HeldByListener;
  onFigures(slot: number, figures: WorkerFigures): void;
  /** The worker is gone, and with it all that it had under way. */
  onDied(slot: number): void;
  onSuspect(pool: string, endpoint: string, suspicion: Suspicion): void;
}

/** All workers: started and started again, told what changes, asked what they count. */
export class Workers {
  /** How another snapshot comes into force, once there is one. */
  readonly rollout: SnapshotRollout;
  readonly #slots: WorkerSlot[] = [];
  #count: number;
  readonly #addSlot: () => void;
  readonly #deps: WorkersDeps;
  readonly #covers: Covers;
  readonly #code: WorkerCode;
  #begun = false;
  #stopping = false;
  readonly #answers = new WorkerAnswers();
  #cancelBeat: CancelTimer = () => {};

  /**
   * Starts the processes at once; they wait to be told what to do.
   * @param slots At least; those beyond `count` have sockets, but no worker: others accept for them.
   */
  constructor(count: number, slots: number, deps: WorkersDeps) {
    this.#deps = deps;
    this.#count = count;
    const { clock, log, handsSockets } = deps;
    const code = new WorkerCode();
    const events = {
      onSpawned: (slot: WorkerSlot) => this.#onSpawned(slot),
      onMessage: (slot: WorkerSlot, message: FromWorker) => this.#onMessage(slot, message),
      onDied: (slot: WorkerSlot, reason: string) => this.#onDied(slot, reason),
      onWaiting: () => this.#cover(),
    };
    this.#addSlot = () => {
      const index = this.#slots.length;
      this.#slots.push(new WorkerSlot(index, { clock, log, handsSockets, code }, events));
    };
    while (this.#slots.length < Math.max(count, slots)) this.#addSlot();
    this.#covers = new Covers(this.#slots, { log, held: () => deps.held() });
    this.rollout = new SnapshotRollout(this.#slots, this.#answers, this.#covers, clock);
    for (const slot of this.#slots.slice(0, count)) slot.open();
    this.#code = code;
  }

  get slots(): readonly WorkerSlot[] {
    return this.#slots;
  }

  /** Workers that there are to be. */
  get count(): number {
    return this.#count;
  }

  /** Slots up to the last that somebody has or is to have. */
  get extent(): number {
    return 1 + this.#slots.findLastIndex(({ inUse }) => inUse);
  }

  /**
   * There are to be so many workers. Those that are too many accept no more, finish what they have within `deadlineMs`, and end, as at an
   * upgrade; others accept from their sockets from then on, as they do until those that are new are ready.
   */
  resize(count: number, deadlineMs: number): void {
    this.#count = count;
    while (this.#slots.length < count) this.#addSlot();
    for (const slot of this.#slots) {
      if (slot.index < count) slot.join();
      else if (slot.serves) this.#dismiss(slot, deadlineMs);
      else slot.retire();
    }
    this.#cover();
  }

  #dismiss(slot: WorkerSlot, deadlineMs: number): void {
    const { clock, log } = this.#deps;
    const { pid } = slot;
    slot.retire();
    this.#cover();
    slot.send({ type: 'stop', deadlineMs, handedOver: true });
    clock.after(deadlineMs + PARTING_MS + LAST_WORK_MS, () => {
      if (slot.pid !== pid) return;
      log.error('worker-killed', { worker: slot.number, pid, reason: 'it did not end in time' });
      slot.kill();
    });
  }

  /**
   * Tells all what is in force. Resolves when all accept connections.
   * @throws Error of the first that cannot; the others are not stopped.
   */
  async begin(): Promise<Ports> {
    // One that died while it had nothing to do yet would never answer.
    const serving = this.#slots.filter(({ inUse }) => inUse);
    const dead = serving.find(({ alive }) => !alive);
    if (dead !== undefined) throw new Error(`worker ${dead.number} ended at its start: ${dead.lastReason}`);
    this.#begun = true;
    const ready = serving.map((slot) => this.#answers.of(slot, (message) => message.type === 'ready', true));
    for (const slot of serving) this.#start(slot);
    const answers = await Promise.all(ready);
    this.#beat();
    this.#deps.clock.after(SETTLED_MS, () => void this.#keepCode());
    return portsIn(answers);
  }

  /** The worker that accepts for the one of `slot`, which is away, as people count; undefined when none does. */
  coverOf(slot: WorkerSlot): number | undefined {
    return this.#covers.of(slot);
  }

  broadcast(message: ToWorker): void {
    if (!this.#begun) return;
    for (const slot of this.slots) slot.send(message);
  }

  /** Resolves when all that answer have in force what they were told so far: messages are taken in order, and the last of them asks for figures. */
  settle(): Promise<void> {
    return this.collect(SETTLE_MS);
  }

  /** Fresh figures of all that answer within so many milliseconds. A worker that does not is not waited for. */
  async collect(withinMs: number = FIGURES_MS): Promise<void> {
    const answers: Promise<unknown>[] = [];
    for (const slot of this.slots) {
      const { state, link } = slot;
      if (state !== 'ready' || link.missed > 0) continue;
      askFigures(slot);
      const { asked } = link;
      answers.push(this.#answers.of(slot, () => link.received >= asked));
    }
    if (answers.length > 0) await Promise.race([Promise.all(answers), wait(this.#deps.clock, withinMs)]);
  }

  /**
   * Has all finish what they have under way, within `deadlineMs`, and ends them.
   * @param handedOver Another process takes from the same sockets.
   * @returns how many requests and tunnels were cut.
   */
  async stop(deadlineMs: number, handedOver: boolean): Promise<number> {
    this.#stopping = true;
    this.#cancelBeat();
    let cut = 0;
    // Each answers with what was cut and then ends: only its end is waited for.
    const isEnd = (message: FromWorker): boolean => {
      if (message.type === 'stopped') cut += message.cut;
      return false;
    };
    const ends: Promise<unknown>[] = [];
    for (const slot of this.slots) {
      slot.retire();
      if (!slot.alive) continue;
      ends.push(this.#answers.of(slot, isEnd));
      slot.send({ type: 'stop', deadlineMs, handedOver });
    }
    const ended = Promise.all(ends).then(() => true);
    const inTime = await Promise.race([
      ended,
      wait(this.#deps.clock, deadlineMs + PARTING_MS + LAST_WORK_MS).then(() => false),
    ]);
    if (!inTime) {
      for (const slot of this.slots) {
        if (!slot.alive) continue;
        this.#deps.log.error('worker-killed', { worker: slot.number, reason: 'it did not end in time' });
        slot.kill();
      }
      await ended;
    }
    return cut;
  }

  /** Ends all at once. */
  kill(): void {
    this.#stopping = true;
    this.#cancelBeat();
    for (const slot of this.slots) {
      slot.retire();
      slot.kill();
    }
  }

  async #keepCode(): Promise<void> {
    if (!this.#stopping) await this.#code.keep(this.#deps.log);
  }

  #onSpawned(slot: WorkerSlot): void {
    if (this.#begun) this.#start(slot);
  }

  #start(slot: WorkerSlot): void {
    const { held, ...inForce } = this.#deps.inForce();
    const { handsSockets, instance } = this.#deps;
    slot.offer({ type: 'start', slot: slot.index, ...inForce, handsSockets, instance }, held);
  }

  #onMessage(slot: WorkerSlot, message: FromWorker): void {
    const { link } = slot;
    if (message.type === 'suspect') this.#deps.onSuspect(message.pool, message.endpoint, message);
    else if (message.type === 'ready') this.#cover();
    else if (message.type === 'prepared') link.prepared = message.revision;
    else if (message.type === 'stopped' && !this.#stopping) this.#noteDismissed(slot, message.cut);
    else if (message.type === 'figures') {
      link.received++;
      slot.figures = message.figures.process;
      this.#deps.onFigures(slot.index, message.figures);
    }
    const answered = this.#answers.onMessage(slot, message);
    if (message.type === 'refused' && !answered) {
      // All others have it in force: this one starts anew with it.
      this.#deps.log.error('worker-behind', { worker: slot.number, reason: message.message });
      slot.kill();
    }
  }

  #noteDismissed({ number: worker, pid }: WorkerSlot, cut: number): void {
    this.#deps.log.info('worker-dismissed', { worker, pid, cut });
  }

  #onDied(slot: WorkerSlot, reason: string): void {
    this.#deps.onDied(slot.index);
    this.#cover();
    this.#answers.onDied(slot, reason);
  }

  #beat(): void {
    if (this.#stopping) return;
    for (const slot of this.slots) lookAfter(slot, this.#deps.watchdog(), this.#deps.log);
    this.#cover();
    this.#cancelBeat = this.#deps.clock.after(BEAT_MS, () => this.#beat());
  }

  #cover(): void {
    if (!this.#stopping) this.#covers.look();
  }
}
