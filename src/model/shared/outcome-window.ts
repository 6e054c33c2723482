import type { WordsOfWorkers } from './shared-count.ts';

/** The window is this many slices; the oldest is forgotten as a whole. */
const SLICES = 10;
/** Which slice since time 0 it is, outcomes, failures. */
const WORDS_OF_SLICE = 3;

/**
 * How many of the outcomes of the last while were failures, in fixed memory and without allocation. Each worker writes slices of its
 * own; who asks adds up those of all.
 */
export class OutcomeWindow {
  static readonly WORDS: number = SLICES * WORDS_OF_SLICE;
  static readonly HOLDS = false;
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #stride: number;
  #end: number;
  readonly #own: number;
  #sliceMs = 0;
  /** In the window, as of the last `sum`. */
  outcomes = 0;
  failures = 0;

  constructor({ words, first, stride, workers, own }: WordsOfWorkers) {
    this.#words = words;
    this.#first = first;
    this.#stride = stride;
    this.#end = first + workers * stride;
    this.#own = first + own * stride;
  }

  /** There are so many workers from now on. */
  span(workers: number): void {
    this.#end = this.#first + workers * this.#stride;
  }

  /** Looks back so far from now on; what was seen by another measure is forgotten. */
  fit(windowMs: number): void {
    const sliceMs = windowMs / SLICES;
    if (sliceMs === this.#sliceMs) return;
    this.#sliceMs = sliceMs;
    this.clear();
  }

  /** Records an outcome of this worker. */
  record(failed: boolean, nowMs: number): void {
    const words = this.#words;
    const slice = Math.floor(nowMs / this.#sliceMs);
    const at = this.#own + (slice % SLICES) * WORDS_OF_SLICE;
    const stamp = slice | 0;
    if (words[at] !== stamp) {
      words[at + 1] = 0;
      words[at + 2] = 0;
      words[at] = stamp;
    }
    words[at + 1]!++;
    if (failed) words[at + 2]!++;
  }

  /** Adds up what all workers have seen. */
  sum(nowMs: number): void {
    const words = this.#words;
    const newest = Math.floor(nowMs / this.#sliceMs);
    this.outcomes = 0;
    this.failures = 0;
    for (let slice = Math.max(0, newest - SLICES + 1); slice <= newest; slice++) {
      const place = (slice % SLICES) * WORDS_OF_SLICE;
      for (let at = this.#first + place; at < this.#end; at += this.#stride) {
        if (words[at] !== (slice | 0)) continue;
        this.outcomes += words[at + 1]!;
        this.failures += words[at + 2]!;
      }
    }
  }

  /** Share of failures in percent, as of the last `sum`; 0 without outcomes. */
  get failurePercent(): number {
    return this.outcomes === 0 ? 0 : (this.failures / this.outcomes) * 100;
  }

  /** Forgets what this worker has seen. */
  clear(): void {
    this.#words.fill(0, this.#own, this.#own + OutcomeWindow.WORDS);
  }
}
