import { type CancelTimer, type Clock, systemClock } from '../util/clock.ts';
import { reportDefect } from './defects.ts';
import { runTurn, turnNowMs } from './turn.ts';

/** Milliseconds between two ticks: a deadline fires at the first tick at or after its time, so at most this much late, and never early. */
const TICK_MS = 50;
const SLOTS = 512;

/** What a deadline calls when it passes. */
export interface Timed {
  onDeadline(): void;
}

/**
 * A deadline of one connection or request. Moving it later, which is what happens on every event, only stores a number: the
 * wheel looks again when the earlier time comes (hashed timing wheel with lazy re-arming, Varghese and Lauck 1987).
 */
export class Deadline {
  dueMs: number = Number.POSITIVE_INFINITY;
  /** Tick under which it is filed; -1 when it is not. */
  filedTick = -1;
  previous: Deadline | undefined = undefined;
  next: Deadline | undefined = undefined;
  readonly #wheel: TimerWheel;
  readonly target: Timed;

  constructor(wheel: TimerWheel, target: Timed) {
    this.#wheel = wheel;
    this.target = target;
  }

  /** Fires `delayMs` from now, instead of whenever it was to fire. */
  start(delayMs: number): void {
    this.dueMs = turnNowMs() + delayMs;
    const tick = Math.ceil(this.dueMs / TICK_MS);
    if (this.filedTick < 0 || tick < this.filedTick) this.#wheel.file(this, tick);
  }

  /** Does not fire; cheap to start again. */
  stop(): void {
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  /** Does not fire, and the wheel forgets it: for owners that go away. */
  cancel(): void {
    this.dueMs = Number.POSITIVE_INFINITY;
    if (this.filedTick >= 0) this.#wheel.unfile(this);
  }
}

/** Deadlines of a process. A timer runs while there is any; none runs when there is none. */
export class TimerWheel {
  readonly #slots: (Deadline | undefined)[] = Array.from({ length: SLOTS });
  #filed = 0;
  #tick = 0;
  #stopTicking: CancelTimer | undefined = undefined;
  readonly #clock: Clock;

  /** @param clock The one that turns happen by. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  file(deadline: Deadline, wantedTick: number): void {
    if (deadline.filedTick >= 0) this.unfile(deadline);
    if (this.#stopTicking === undefined) {
      this.#tick = Math.floor(this.#clock.nowMs() / TICK_MS);
      this.#awaitTick();
    }
    const tick = Math.min(Math.max(wantedTick, this.#tick + 1), this.#tick + SLOTS - 1);
    const slot = tick % SLOTS;
    deadline.filedTick = tick;
    deadline.previous = undefined;
    deadline.next = this.#slots[slot];
    if (deadline.next !== undefined) deadline.next.previous = deadline;
    this.#slots[slot] = deadline;
    this.#filed++;
  }

  unfile(deadline: Deadline): void {
    if (deadline.next !== undefined) deadline.next.previous = deadline.previous;
    if (deadline.previous === undefined) this.#slots[deadline.filedTick % SLOTS] = deadline.next;
    else deadline.previous.next = deadline.next;
    deadline.previous = undefined;
    deadline.next = undefined;
    deadline.filedTick = -1;
    this.#filed--;
  }

  /** Ticks are multiples of the tick, so that a deadline waits for the next one and not for two. */
  #awaitTick(): void {
    const leftMs = TICK_MS - (this.#clock.nowMs() % TICK_MS);
    this.#stopTicking = this.#clock.after(leftMs, this.#onTick);
  }

  readonly #onTick = (): void => {
    // Before what fires: deadlines filed on the way count on the timer that runs.
    this.#awaitTick();
    runTurn(() => this.#advance());
  };

  #advance(): void {
    const nowMs = this.#clock.nowMs();
    const untilTick = Math.floor(nowMs / TICK_MS);
    // After a long stall each slot is looked at once, not once for every tick that was missed.
    if (untilTick - this.#tick > SLOTS) this.#tick = untilTick - SLOTS;
    while (this.#tick < untilTick) {
      this.#tick++;
      this.#expire(this.#tick % SLOTS, nowMs);
    }
    if (this.#filed === 0) {
      this.#stopTicking?.();
      this.#stopTicking = undefined;
    }
  }

  #expire(slot: number, nowMs: number): void {
    let deadline = this.#slots[slot];
    this.#slots[slot] = undefined;
    // Detach the whole list first: what fires may file, unfile or cancel others.
    const due: Deadline[] = [];
    while (deadline !== undefined) {
      const next: Deadline | undefined = deadline.next;
      deadline.previous = undefined;
      deadline.next = undefined;
      deadline.filedTick = -1;
      this.#filed--;
      due.push(deadline);
      deadline = next;
    }
    for (const entry of due) {
      if (entry.filedTick >= 0) continue;
      if (entry.dueMs <= nowMs) {
        entry.dueMs = Number.POSITIVE_INFINITY;
        this.#fire(entry.target);
      } else if (entry.dueMs !== Number.POSITIVE_INFINITY) {
        this.file(entry, Math.ceil(entry.dueMs / TICK_MS));
      }
    }
  }

  /** A defect in one target must not cost the others their deadlines. */
  #fire(target: Timed): void {
    try {
      target.onDeadline();
    } catch (error) {
      reportDefect(error);
    }
  }
}
