import { type Clock, systemClock } from '../util/clock.ts';
import { reportDefect } from './defects.ts';

/**
 * One turn: everything that happens between the runtime calling us and our returning to it. What is written within a
 * turn is collected and flushed at its end, and the time is read at most once.
 *
 * A batch: the turns of all events that were there when the poller looked. Who serves many exchanges on one connection collects over a
 * batch what they write, so that it leaves in one piece.
 */
let depth = 0;
let number = 0;
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

/** Something to be done once the events at hand have been handled. */
export interface BatchTask {
  onBatchEnd(): void;
}

let tasks: BatchTask[] = [];
let spareTasks: BatchTask[] = [];

/** Calls `task` at the end of the batch, or of the turn that belongs to none; within a turn of its own. */
export function atBatchEnd(task: BatchTask): void {
  if (tasks.push(task) === 1 && depth === 0 && batchMs < 0) queueMicrotask(runTasksAsTurn);
}

function runTasksAsTurn(): void {
  runTurn(() => {});
}

/** Runs what waits, and what that brings with it. */
function runTasks(): void {
  while (tasks.length > 0) {
    const due = tasks;
    tasks = spareTasks;
    spareTasks = due;
    for (let index = 0; index < due.length; index++) {
      try {
        due[index]!.onBatchEnd();
      } catch (error) {
        reportDefect(error);
      }
    }
    due.length = 0;
  }
}

/** A batch begins: its turns happen at `ms`. The poller reads the clock once for all of them. */
export function beginBatch(ms: number): void {
  batchMs = ms;
}

/** Something waits for the end of the batch. */
export function awaitsBatchEnd(): boolean {
  return tasks.length > 0;
}

/** All events of the batch have been handled. */
export function endBatch(): void {
  try {
    if (tasks.length > 0) runTurn(runTasks);
  } finally {
    batchMs = -1;
  }
}

/** Every callback from the runtime begins with this. */
export function enterTurn(): void {
  if (depth++ === 0) {
    nowMs = batchMs;
    number++;
  }
}

/** ... and ends with this. */
export function leaveTurn(): void {
  if (depth === 1 && tasks.length > 0 && batchMs < 0) {
    try {
      runTasks();
    } finally {
      depth--;
    }
    flush();
  } else if (--depth === 0) flush();
}

/** Whether a turn is under way; output collected outside of one is flushed in a microtask. */
export function inTurn(): boolean {
  return depth > 0;
}

/** Which turn it is. What was let go in an earlier one is on nobody's stack any more. */
export function turnNumber(): number {
  return number;
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
