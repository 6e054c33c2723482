import { type Clock, systemClock } from '../util/clock.ts';

/**
 * One turn: everything that happens between the runtime calling us and our returning to it. What is written within a
 * turn is collected and flushed at its end, and the time is read at most once.
 */
let depth = 0;
let nowMs = -1;
let batchMs = -1;
let flush: () => void = () => {};
let clock: Clock = systemClock;

/** Whose time turns happen at: the machine's own, unless a test drives it. */
export function setTurnClock(other: Clock): void {
  clock = other;
}

/** Called by the room itself: what to do at the end of every turn. */
export function setTurnFlush(run: () => void): void {
  flush = run;
}

/** Turns up to the next call happen at `ms`: the poller reads the clock once for all events of a batch. */
export function batchAt(ms: number): void {
  batchMs = ms;
}

/** Every callback from the runtime begins with this. */
export function enterTurn(): void {
  if (depth++ === 0) nowMs = batchMs;
}

/** ... and ends with this. */
export function leaveTurn(): void {
  if (--depth === 0) flush();
}

/** Whether a turn is under way; output collected outside of one is flushed in a microtask. */
export function inTurn(): boolean {
  return depth > 0;
}

/** Monotonic milliseconds, the same throughout a turn. */
export function turnNowMs(): number {
  if (depth === 0) return clock.nowMs();
  if (nowMs < 0) nowMs = clock.nowMs();
  return nowMs;
}

/** Runs `work` as a turn: for callbacks that do not come from a socket (timers, messages, promises). */
export function runTurn(work: () => void): void {
  enterTurn();
  try {
    work();
  } finally {
    leaveTurn();
  }
}
