import type { CancelTimer, Clock } from './clock.ts';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that moves only when told to; timers run in order of time, then of creation. For tests and simulation. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #entries: Entry[] = [];
  readonly #epochMs: number;

  constructor(epochMs = 1_700_000_000_000) {
    this.#epochMs = epochMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#epochMs + this.#nowMs;
  }

  after(delayMs: number, run: () => void): CancelTimer {
    const entry: Entry = { atMs: this.#nowMs + delayMs, order: this.#order++, run };
    this.#entries.push(entry);
    return () => {
      this.#entries = this.#entries.filter((other) => other !== entry);
    };
  }

  /** Timers that wait to run. */
  get pending(): number {
    return this.#entries.length;
  }

  /** Moves time forward by `ms`, running every timer that comes due, each at its own time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      let next: Entry | undefined;
      for (const entry of this.#entries) {
        if (entry.atMs > untilMs) continue;
        if (
          next === undefined ||
          entry.atMs < next.atMs ||
          (entry.atMs === next.atMs && entry.order < next.order)
        ) {
          next = entry;
        }
      }
      if (next === undefined) break;
      const due = next;
      this.#entries = this.#entries.filter((entry) => entry !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.run();
    }
    this.#nowMs = untilMs;
  }
}
