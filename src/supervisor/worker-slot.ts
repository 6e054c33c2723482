import type { Log } from '../model/ports.ts';
import type { WorkerState } from '../model/runtime-view.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';
import type { ProcessFigures } from './figures.ts';
import type { SocketPlan } from './held-listeners.ts';
import type { FromWorker, Snapshot, ToWorker } from './messages.ts';
import { RespawnPace } from './respawn.ts';
import type { WorkerCode } from './worker-code.ts';
import { WorkerLink } from './worker-link.ts';
import { type Handed, WorkerProcess } from './worker-process.ts';

/** What becomes of the worker of a slot. */
export interface SlotEvents {
  /** A process was started: it needs its first message. */
  onSpawned(slot: WorkerSlot): void;
  onMessage(slot: WorkerSlot, message: FromWorker): void;
  /** Its process has ended; `reason` for people. */
  onDied(slot: WorkerSlot, reason: string): void;
  /** The next process is only started later. */
  onWaiting(): void;
}

export interface SlotDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly handsSockets: boolean;
  readonly code: WorkerCode;
}

const NO_FIGURES: ProcessFigures = {
  userCpuSeconds: 0,
  systemCpuSeconds: 0,
  residentBytes: 0,
  eventLoopLagMs: 0,
};

/** The place of one worker: whoever has it dies, and another takes it. */
export class WorkerSlot {
  /** From 0; people see it from 1 on. */
  readonly index: number;
  /** Of the process that is there now, or of the last one. */
  figures: ProcessFigures = NO_FIGURES;
  link = new WorkerLink();
  restarts = 0;
  /** Why the last process ended, for people. */
  lastReason = '';
  state: WorkerState = 'gone';
  /** CPU time of the processes that had the slot before, seconds. */
  readonly pastCpu = { user: 0, system: 0 };
  readonly #deps: SlotDeps;
  readonly #events: SlotEvents;
  readonly #pace = new RespawnPace();
  #process: WorkerProcess | undefined = undefined;
  #startedMs = 0;
  #retryAtMs = 0;
  #failure = '';
  /** Somebody is to have the slot. */
  #wanted = false;
  /** The process that has it was told to end. */
  #ending = false;
  #everReady = false;
  /** The slot gets its worker while others serve. */
  #joining = false;
  #cancel: CancelTimer = () => {};

  constructor(index: number, deps: SlotDeps, events: SlotEvents) {
    this.index = index;
    this.#deps = deps;
    this.#events = events;
  }

  /** As people count. */
  get number(): number {
    return this.index + 1;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Runs, whether it is ready or not. */
  get alive(): boolean {
    return this.#process !== undefined;
  }

  /** Has a process that is to go on. */
  get serves(): boolean {
    return this.alive && !this.#ending;
  }

  /** Nobody has it, or nobody yet, because the number of workers is another: not a matter of something having gone wrong. */
  get vacant(): boolean {
    return !this.#wanted || this.#ending || this.#joining;
  }

  /** Somebody has it, or is to have it. */
  get inUse(): boolean {
    return this.#wanted || this.alive;
  }

  /** Milliseconds since its process was started; 0 without one. */
  get upMs(): number {
    return this.#process === undefined ? 0 : this.#deps.clock.nowMs() - this.#startedMs;
  }

  /** Why there is no process now, for people; undefined when there is one. */
  get trouble(): string | undefined {
    if (this.state !== 'waiting') return undefined;
    const inMs = Math.max(0, this.#retryAtMs - this.#deps.clock.nowMs());
    return `worker ${this.number} ended ${this.#pace.early} times in a row (${this.lastReason}); the next try is in ${Math.ceil(inMs / 1000)} s`;
  }

  /** Starts its worker, at the start of Pointsman. */
  open(): void {
    this.#wanted = true;
    this.spawn();
  }

  /** It is to have a worker from now on; nothing happens when it is to have one already. */
  join(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#joining = true;
    // Whatever kept the first one from being ready, this one is started again.
    this.#everReady = true;
    if (!this.alive) this.spawn();
  }

  spawn(): void {
    const { clock, log, handsSockets, code } = this.#deps;
    this.state = 'starting';
    this.#ending = false;
    this.link = new WorkerLink();
    this.#failure = '';
    this.#startedMs = clock.nowMs();
    try {
      this.#process = new WorkerProcess(code.program(log), handsSockets, {
        onMessage: (message) => this.#onMessage(message),
        onExit: (how) => this.#onExit(how),
      });
    } catch (error) {
      // No memory, no descriptors: it is tried again as for one that died.
      this.#onExit(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#events.onSpawned(this);
  }

  send(message: ToWorker, handed?: readonly Handed[]): void {
    this.#process?.send(message, handed);
  }

  /** Sends a message with a snapshot, and the sockets in it that its process does not have. */
  offer(message: ToWorker & { readonly snapshot: Snapshot }, held: SocketPlan['held']): void {
    const { given } = this.link;
    const handed: Handed[] = [];
    for (const { id, sockets } of held.values()) {
      const fd = sockets?.descriptors[this.index];
      if (fd === undefined || given.has(id)) continue;
      given.add(id);
      handed.push({ id, fd });
    }
    this.send(message, handed);
  }

  /** Its end is wanted: nobody takes its place. */
  retire(): void {
    this.#wanted = false;
    this.#ending = this.alive;
    this.#cancel();
    if (!this.alive) this.state = 'gone';
    if (this.state === 'ready' || this.state === 'starting') this.state = 'stopping';
  }

  kill(): void {
    this.#process?.kill();
  }

  #onMessage(message: FromWorker): void {
    if (message.type === 'failed') {
      this.#failure = message.message;
      this.kill();
      return;
    }
    if (message.type === 'ready') {
      if (!this.#ending) {
        this.state = 'ready';
        this.#joining = false;
      }
      const upMs = Math.round(this.upMs);
      if (this.restarts > 0)
        this.#deps.log.info('worker-ready', { worker: this.number, pid: this.pid, upMs });
      this.#everReady = true;
    }
    this.#events.onMessage(this, message);
  }

  #onExit(how: string): void {
    const { clock, log } = this.#deps;
    const livedMs = clock.nowMs() - this.#startedMs;
    const reason = this.#failure === '' ? how : this.#failure;
    const pid = this.pid;
    this.#process = undefined;
    this.lastReason = reason;
    this.pastCpu.user += this.figures.userCpuSeconds;
    this.pastCpu.system += this.figures.systemCpuSeconds;
    this.figures = NO_FIGURES;
    const ended = this.#ending;
    this.#ending = false;
    this.state = 'gone';
    this.#events.onDied(this, reason);
    // One that never was ready cannot run here: whoever started it is told, and decides.
    if (!this.#wanted || !this.#everReady) return;
    if (ended) {
      this.spawn();
      return;
    }
    this.restarts++;
    const delayMs = this.#pace.delayMs(livedMs);
    log.error('worker-died', {
      worker: this.number,
      pid,
      reason,
      livedMs: Math.round(livedMs),
      restartInMs: delayMs,
    });
    if (delayMs === 0) {
      this.spawn();
      return;
    }
    this.state = 'waiting';
    this.#retryAtMs = clock.nowMs() + delayMs;
    this.#cancel = clock.after(delayMs, () => this.spawn());
    this.#events.onWaiting();
  }
}
