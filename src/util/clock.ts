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

/** The machine's own clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  nowMs: () => originMs + performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
