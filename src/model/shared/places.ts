import type { PeerLoad } from './peer-load.ts';
import { COUNT_MASK, type WordsOfWorkers } from './shared-count.ts';

/** Stands in a worker's word while it tries to take a place; the count beside it includes that place. */
const CLAIM = 1 << 24;
/** Looks at the others before a claim is given up: some microseconds. */
const LOOKS = 64;
const TRIES = 4;

/**
 * Places that all workers take from one supply, never more than the limit, without a lock: a worker adds itself first and looks
 * then. All operations of `Atomics` have one order that every processor agrees on, so of all who hold or want a place at one time
 * the last to add itself sees all the others: it is the one that goes.
 *
 * One object for each place in memory and process: it knows by heart what this process has.
 *
 * Two who come for the last place at once see each other, and both would go. So a worker marks its word while it tries: the one of the
 * lowest number waits for a moment while the others step back. If they do not (a processor was taken away in between), it
 * goes too; whoever then waits for a place is woken, because giving up counts as a release (`docs/decisions/shared-memory.md`).
 */
export class Places {
  static readonly WORDS = 1;
  static readonly HOLDS = true;
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #stride: number;
  #end: number;
  readonly #own: number;
  /** Places that this process has: what its word says without the mark. Read more often than all the rest. */
  #mine: number;
  /** There is one worker. */
  alone: boolean;
  /** What is counted together with other places; undefined where nothing is. */
  peers: PeerLoad | undefined = undefined;
  /** What the last look at the words saw: places that are taken for good, ... */
  #settled = 0;
  /** ... those that are tried for, and ... */
  #claims = 0;
  /** ... whether a worker of a lower number tries. */
  #outranked = false;

  constructor({ words, first, stride, workers, own }: WordsOfWorkers) {
    this.#words = words;
    this.#first = first;
    this.#stride = stride;
    this.#end = first + workers * stride;
    this.#own = own < 0 ? -1 : first + own * stride;
    this.alone = workers === 1 && own === 0;
    this.#mine = own < 0 ? 0 : words[this.#own]!;
  }

  /** There are so many workers from now on; what this process has is in its word, whether it was alone or not. */
  span(workers: number): void {
    this.#end = this.#first + workers * this.#stride;
    this.alone = workers === 1 && this.#own === this.#first;
  }

  /** Places that are taken, by all workers. */
  get sum(): number {
    if (this.alone) return this.#mine;
    const words = this.#words;
    let sum = words[this.#first]! & COUNT_MASK;
    for (let at = this.#first + this.#stride; at < this.#end; at += this.#stride)
      sum += words[at]! & COUNT_MASK;
    return sum;
  }

  /** Places that this process has. */
  get own(): number {
    return this.#mine;
  }

  /** Places that the other workers have. */
  get others(): number {
    return this.alone ? 0 : this.sum - this.#mine;
  }

  /**
   * Takes a place if fewer than `limit` are taken.
   * @param limit Infinity for none.
   */
  take(limit: number): boolean {
    if (this.alone) {
      if (this.#mine >= limit) return false;
      this.#words[this.#own] = ++this.#mine;
      return true;
    }
    if (limit === Number.POSITIVE_INFINITY) Atomics.add(this.#words, this.#own, 1);
    else if (!this.#compete(limit)) return false;
    this.#mine++;
    return true;
  }

  /** Gives one back. Must have been taken. */
  give(): void {
    this.#mine--;
    if (this.alone) this.#words[this.#own] = this.#mine;
    else Atomics.sub(this.#words, this.#own, 1);
  }

  /** For who knows how many this process has from somewhere else. */
  set(own: number): void {
    this.#mine = own;
    this.#words[this.#own] = own;
  }

  #compete(limit: number): boolean {
    const words = this.#words;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      this.#look();
      if (this.#settled >= limit) return false;
      Atomics.add(words, this.#own, CLAIM + 1);
      for (let looks = 0; looks < LOOKS; looks++) {
        this.#look();
        if (this.#settled + this.#claims <= limit) {
          Atomics.sub(words, this.#own, CLAIM);
          return true;
        }
        if (this.#settled >= limit || this.#outranked) break;
      }
      Atomics.sub(words, this.#own, CLAIM + 1);
      // Those of lower numbers first; then it is seen whether anything is left.
      for (let looks = 0; looks < LOOKS && this.#outranked && this.#settled < limit; looks++) this.#look();
    }
    return false;
  }

  #look(): void {
    const words = this.#words;
    let settled = 0;
    let claims = 0;
    let outranked = false;
    for (let at = this.#first; at < this.#end; at += this.#stride) {
      const word = Atomics.load(words, at);
      settled += word & COUNT_MASK;
      if (word < CLAIM) continue;
      settled--;
      claims++;
      if (at < this.#own) outranked = true;
    }
    this.#settled = settled;
    this.#claims = claims;
    this.#outranked = outranked;
  }
}
