import type { WordsOfWorkers } from './shared-count.ts';

/** Times are kept modulo this many milliseconds (12 days), so that they fit beside a bit that says that there is one. */
const SPAN_MS = 0x4000_0000;
const STANDS = 0x4000_0000;

/**
 * Who waits for a place, over all workers: for each the time since when the first in its queue waits. Workers serve their own queues; the line
 * says whose turn it is, and calls that worker.
 */
export class WaitingLine {
  static readonly WORDS = 1;
  static readonly HOLDS = true;
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #stride: number;
  #workers: number;
  readonly #own: number;
  readonly #call: (worker: number) => void;

  constructor({ words, first, stride, workers, own, call }: WordsOfWorkers) {
    this.#words = words;
    this.#first = first;
    this.#stride = stride;
    this.#workers = workers;
    this.#own = own;
    this.#call = call;
  }

  /** There are so many workers from now on. */
  span(workers: number): void {
    this.#workers = workers;
  }

  /** There is nobody else. */
  get alone(): boolean {
    return this.#workers === 1;
  }

  /** The first in this worker's queue came at `sinceMs`, by the clock of the machine. */
  stand(sinceMs: number): void {
    Atomics.store(this.#words, this.#wordOf(this.#own), STANDS | Math.floor(sinceMs % SPAN_MS));
  }

  /** Nobody waits in this worker's queue any more. */
  leave(): void {
    Atomics.store(this.#words, this.#wordOf(this.#own), 0);
  }

  /** Whether somebody waits in another worker. */
  get othersWait(): boolean {
    for (let worker = 0; worker < this.#workers; worker++)
      if (worker !== this.#own && this.#words[this.#wordOf(worker)] !== 0) return true;
    return false;
  }

  /** Calls the worker whose first has waited longest, if it is another and that one came before the first of this worker. */
  callOlder(): boolean {
    const oldest = this.#oldestAfter(-1);
    if (oldest < 0 || oldest === this.#own) return false;
    this.#call(oldest);
    return true;
  }

  /** Calls the worker whose first is the next to have come after the one that came to this worker at `sinceMs`. */
  callNext(sinceMs: number): void {
    const next = this.#oldestAfter(Math.floor(sinceMs % SPAN_MS));
    if (next >= 0) this.#call(next);
  }

  #wordOf(worker: number): number {
    return this.#first + worker * this.#stride;
  }

  /**
   * The worker that waits longest of those that came after `sinceMs` (-1: of all); of two that came at once the one of the lower number. All
   * see one order, so calls that are passed on come to an end. -1 for nobody.
   */
  #oldestAfter(sinceMs: number): number {
    let oldest = -1;
    let oldestMs = 0;
    for (let worker = 0; worker < this.#workers; worker++) {
      const word = this.#words[this.#wordOf(worker)]!;
      if (word === 0) continue;
      const atMs = word & (SPAN_MS - 1);
      if (sinceMs >= 0 && (before(atMs, sinceMs) || (atMs === sinceMs && worker <= this.#own))) continue;
      if (oldest >= 0 && !before(atMs, oldestMs)) continue;
      oldest = worker;
      oldestMs = atMs;
    }
    return oldest;
  }
}

/** Whether one time came before another, both modulo `SPAN_MS`. */
function before(aMs: number, bMs: number): boolean {
  return ((aMs - bMs) & (SPAN_MS - 1)) > SPAN_MS / 2;
}
