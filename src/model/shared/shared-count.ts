/** The count lies in the lower bits of a word; above are marks that `Places` needs. */
export const COUNT_MASK = 0xff_ffff;

/** Where the words of one count lie: one for each worker, `stride` apart. */
export interface WordsOfWorkers {
  readonly words: Int32Array;
  /** Index of the first word of worker 0. */
  readonly first: number;
  readonly stride: number;
  readonly workers: number;
  /** Worker whose word this process writes; -1 for one that only reads. */
  readonly own: number;
  /** Has another worker look whom it can serve. */
  readonly call: (worker: number) => void;
}

/** A count of this process alone. */
export function privateWords(length = 1): WordsOfWorkers {
  return { words: new Int32Array(length), first: 0, stride: length, workers: 1, own: 0, call: () => {} };
}

/**
 * Something that all workers count together: one word for each, written by nobody else, so that no two processors fight for it and
 * what a dead worker held is known exactly.
 */
export class SharedCount {
  /** Words of a worker. */
  static readonly WORDS = 1;
  static readonly HOLDS = true;
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #stride: number;
  #end: number;
  readonly #own: number;

  constructor({ words, first, stride, workers, own }: WordsOfWorkers) {
    this.#words = words;
    this.#first = first;
    this.#stride = stride;
    this.#end = first + workers * stride;
    this.#own = own < 0 ? -1 : first + own * stride;
  }

  /** There are so many workers from now on. */
  span(workers: number): void {
    this.#end = this.#first + workers * this.#stride;
  }

  /** Of all workers. */
  get sum(): number {
    const words = this.#words;
    let sum = words[this.#first]!;
    for (let at = this.#first + this.#stride; at < this.#end; at += this.#stride) sum += words[at]!;
    return sum;
  }

  /** Of this process. */
  get own(): number {
    return this.#words[this.#own] ?? 0;
  }

  /** Counts for this process; `delta` may be negative. */
  add(delta: number): void {
    this.#words[this.#own]! += delta;
  }

  set(own: number): void {
    this.#words[this.#own] = own;
  }
}
