/** The window is this many slices; the oldest is forgotten as a whole. */
const SLICES = 10;

/** How many of the outcomes of the last `windowMs` were failures, in fixed memory and without allocation. */
export class FailureWindow {
  readonly #sliceMs: number;
  readonly #outcomes = new Uint32Array(SLICES);
  readonly #failures = new Uint32Array(SLICES);
  /** Slices since time 0, of the newest outcome. */
  #newest = 0;
  #outcomeSum = 0;
  #failureSum = 0;

  constructor(windowMs: number) {
    this.#sliceMs = windowMs / SLICES;
  }

  record(failed: boolean, nowMs: number): void {
    const slot = this.#advance(nowMs);
    this.#outcomes[slot]!++;
    this.#outcomeSum++;
    if (!failed) return;
    this.#failures[slot]!++;
    this.#failureSum++;
  }

  /** Outcomes in the window, as of the last `record`. */
  get outcomes(): number {
    return this.#outcomeSum;
  }

  /** Share of failures in percent, as of the last `record`; 0 without outcomes. */
  get failurePercent(): number {
    return this.#outcomeSum === 0 ? 0 : (this.#failureSum / this.#outcomeSum) * 100;
  }

  clear(): void {
    this.#outcomes.fill(0);
    this.#failures.fill(0);
    this.#outcomeSum = 0;
    this.#failureSum = 0;
  }

  /** Forgets the slices that have left the window; returns the place of the present one. */
  #advance(nowMs: number): number {
    const now = Math.floor(nowMs / this.#sliceMs);
    if (now - this.#newest >= SLICES) {
      this.clear();
      this.#newest = now;
    }
    while (this.#newest < now) {
      this.#newest++;
      const slot = this.#newest % SLICES;
      this.#outcomeSum -= this.#outcomes[slot]!;
      this.#failureSum -= this.#failures[slot]!;
      this.#outcomes[slot] = 0;
      this.#failures[slot] = 0;
    }
    return now % SLICES;
  }
}
