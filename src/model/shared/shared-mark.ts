import type { WordsOfWorkers } from './shared-count.ts';

/**
 * One number for all workers, changed by any of them: for what has an order in time that all share, such as failures in a row. It lies
 * in the word of worker 0, the others stay unused; when worker 0 dies it begins at 0 again.
 */
export class SharedMark {
  static readonly WORDS = 1;
  static readonly HOLDS = false;
  readonly #words: Int32Array;
  readonly #at: number;

  constructor({ words, first }: WordsOfWorkers) {
    this.#words = words;
    this.#at = first;
  }

  /** The same word for any number of workers. */
  span(_workers: number): void {}

  get value(): number {
    return Atomics.load(this.#words, this.#at);
  }

  /** @returns the number after that. */
  increment(): number {
    return Atomics.add(this.#words, this.#at, 1) + 1;
  }

  /** Costs a read when it is 0 already, which is nearly always. */
  clear(): void {
    if (this.#words[this.#at] !== 0) Atomics.store(this.#words, this.#at, 0);
  }
}
