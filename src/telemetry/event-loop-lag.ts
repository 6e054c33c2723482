import type { CancelTimer, Clock } from '../util/clock.ts';

const EVERY_MS = 250;
/** The largest delay of a period is kept for one more, so that a scrape every 10 s misses none. */
const PERIOD_MS = 10_000;

/** How late timers run: the longest time for which the process attended to nothing else. */
export class EventLoopLag {
  readonly #clock: Clock;
  #dueMs = 0;
  #periodEndsMs = 0;
  #largestMs = 0;
  #largestBeforeMs = 0;
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    const nowMs = this.#clock.nowMs();
    this.#periodEndsMs = nowMs + PERIOD_MS;
    this.#wait(nowMs);
  }

  stop(): void {
    this.#cancel?.();
  }

  /** Largest delay in the last 10 to 20 seconds. */
  largestMs(): number {
    return Math.max(this.#largestMs, this.#largestBeforeMs);
  }

  #wait(nowMs: number): void {
    this.#dueMs = nowMs + EVERY_MS;
    this.#cancel = this.#clock.after(EVERY_MS, this.#onTick);
  }

  readonly #onTick = (): void => {
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#periodEndsMs) {
      this.#largestBeforeMs = this.#largestMs;
      this.#largestMs = 0;
      this.#periodEndsMs = nowMs + PERIOD_MS;
    }
    this.#largestMs = Math.max(this.#largestMs, nowMs - this.#dueMs);
    this.#wait(nowMs);
  };
}
