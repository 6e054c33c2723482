/** Cancels a timer; calling it twice is harmless. */
export type CancelTimer = () => void;

/** Time as everything outside `net/` sees it, injected so that state machines are tested without sleeping. */
export interface Clock {
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970, for logs and expiry dates. */
  wallMs(): number;
  /** Calls `run` once after `delayMs` (0 or more), unless cancelled. */
  after(delayMs: number, run: () => void): CancelTimer;
}

/** What is added to the time since the start of the process. */
let originMs = 0;

/**
 * Has the machine's clock count from where all processes of the machine count from, so that they can compare times. Once, before
 * anybody has looked at the clock.
 * @param nowMs Monotonic time by that count, now.
 */
export function alignSystemClock(nowMs: number): void {
  originMs = nowMs - performance.now();
}

/** When the timers that are set are due, by the machine's own clock. */
const dues = new Set<{ readonly dueMs: number }>();
/** No timer is due before. */
let soonestMs = Number.POSITIVE_INFINITY;

/**
 * A time before which no timer of the machine's own clock is due, for who sleeps; Infinity without timers. It may be too early, once, when
 * the timer was cancelled.
 */
export function nextDueMs(): number {
  if (soonestMs > systemClock.nowMs()) return soonestMs;
  soonestMs = Number.POSITIVE_INFINITY;
  for (const { dueMs } of dues) soonestMs = Math.min(soonestMs, dueMs);
  return soonestMs;
}

/** The machine's own clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  nowMs: () => originMs + performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const due = { dueMs: systemClock.nowMs() + delayMs };
    dues.add(due);
    soonestMs = Math.min(soonestMs, due.dueMs);
    const timer = setTimeout(() => {
      dues.delete(due);
      run();
    }, delayMs);
    timer.unref();
    return () => {
      dues.delete(due);
      clearTimeout(timer);
    };
  },
};
