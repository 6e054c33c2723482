import { hashString } from '../../util/hash.ts';
import { systemRandom } from '../../util/random.ts';
import { SEED_BYTES, seedTable } from '../../util/table-seeds.ts';

/** Keys that share a place in the table. */
const WAYS = 8;
/** Attempts to change a place that others change at the same time. */
const TRIES = 64;
/** Of a place: its count is the lower half of the word, the tag of its key the upper one. */
const TAG_SHIFT = 32n;

/** Who writes: one of so many workers, from 0. */
export interface TallyWriter {
  readonly workers: number;
  readonly own: number;
}

const ALONE: TallyWriter = { workers: 1, own: 0 };

function bucketsOf(maxKeys: number): number {
  return Math.ceil((2 * maxKeys) / WAYS);
}

/** Bytes of memory that a table for so many keys at a time needs. */
export function tallyTableBytes(maxKeys: number, workers: number): number {
  return SEED_BYTES + bucketsOf(maxKeys) * WAYS * (8 + 4 * workers);
}

/** One of what a key has open. */
export class TallyClaim {
  readonly #table: TallyTable;
  readonly #tag: number;
  readonly #at: number;

  constructor(table: TallyTable, tag: number, at: number) {
    this.#table = table;
    this.#tag = tag;
    this.#at = at;
  }

  /** It is closed. Once. */
  give(): void {
    this.#table.give(this.#tag, this.#at);
  }
}

/**
 * How many of something each key has open, over all workers, and never more than a limit. A place holds the tag of a key and its count in
 * one word, which is changed by compare-and-exchange: the limit is exact, and a process that dies holds up nobody. Beside it lies what
 * each worker has of that count, so that it can be taken back from a dead one.
 *
 * A place without a count is free. A key may lie in one of eight places; when others have taken all of them it is not counted: with half
 * of the keys that there is room for, hardly ever. A key is known as in `TokenTable`.
 */
export class TallyTable {
  /** The places, to be changed whole ... */
  readonly #words: BigInt64Array;
  /** ... and to be looked at: count and tag of each in turn. */
  readonly #halves: Int32Array;
  /** What each worker has, place by place, one worker after the other. */
  readonly #shares: Int32Array;
  readonly #places: number;
  readonly #seeds: Int32Array;
  readonly #own: number;

  /** @param memory `tallyTableBytes` of it, aligned to 8; `seedTable` has been there. */
  constructor(memory: Uint8Array, maxKeys: number, { workers, own }: TallyWriter = ALONE) {
    const { buffer, byteOffset } = memory;
    const places = bucketsOf(maxKeys) * WAYS;
    const from = byteOffset + SEED_BYTES;
    this.#places = places;
    this.#seeds = new Int32Array(buffer, byteOffset, 2);
    this.#words = new BigInt64Array(buffer, from, places);
    this.#halves = new Int32Array(buffer, from, places * 2);
    this.#shares = new Int32Array(buffer, from + places * 8, places * workers);
    this.#own = own * places;
  }

  /** @returns undefined when the key has `limit` already. */
  take(key: string, limit: number): TallyClaim | undefined {
    const [placeSeed = 0, tagSeed = 0] = this.#seeds;
    const first = (hashString(key, placeSeed) % (this.#places / WAYS)) * WAYS;
    const tag = hashString(key, tagSeed) | 0;
    for (let tries = 0; tries < TRIES; tries++) {
      let at = -1;
      let free = -1;
      let count = 0;
      for (let place = first; place < first + WAYS; place++) {
        const here = Atomics.load(this.#halves, place * 2);
        if (here === 0) {
          if (free < 0) free = place;
        } else if (Atomics.load(this.#halves, place * 2 + 1) === tag) {
          // More than one when two workers met a new key at once: they count together.
          count += here;
          if (at < 0) at = place;
        }
      }
      if (count >= limit) return undefined;
      if (at < 0) at = free;
      // No room: let in, uncounted.
      if (at < 0) return new TallyClaim(this, tag, -1);
      if (this.#add(tag, at)) return new TallyClaim(this, tag, at);
    }
    return new TallyClaim(this, tag, -1);
  }

  /** Adds one to the place, if it is free or of that key. */
  #add(tag: number, at: number): boolean {
    const before = Atomics.load(this.#words, at);
    const count = Number(BigInt.asUintN(32, before));
    if (count > 0 && Number(before >> TAG_SHIFT) !== tag) return false;
    const after = (BigInt(tag) << TAG_SHIFT) | BigInt(count + 1);
    // First: who dies in between has one too few afterwards, not one too many for ever.
    Atomics.add(this.#shares, this.#own + at, 1);
    if (Atomics.compareExchange(this.#words, at, before, after) === before) return true;
    Atomics.sub(this.#shares, this.#own + at, 1);
    return false;
  }

  /** What `take` counted there is closed. */
  give(tag: number, at: number): void {
    if (at < 0) return;
    if (this.#subtract(at, 1, tag)) Atomics.sub(this.#shares, this.#own + at, 1);
  }

  /** Takes `many` from a place, as far as there are so many. */
  #subtract(at: number, many: number, tag: number | undefined): boolean {
    for (;;) {
      const before = Atomics.load(this.#words, at);
      const count = Number(BigInt.asUintN(32, before));
      if (count === 0 || (tag !== undefined && Number(before >> TAG_SHIFT) !== tag)) return false;
      const after = before - BigInt(Math.min(many, count));
      if (Atomics.compareExchange(this.#words, at, before, after) === before) return true;
    }
  }

  /** A worker is dead: what it had open is closed. */
  clear(worker: number): void {
    const from = worker * this.#places;
    for (let at = 0; at < this.#places; at++) {
      const share = this.#shares[from + at]!;
      if (share === 0) continue;
      this.#subtract(at, share, undefined);
      Atomics.store(this.#shares, from + at, 0);
    }
  }
}

/** A table of one process. */
export function privateTallyTable(maxKeys: number): TallyTable {
  const memory = new Uint8Array(tallyTableBytes(maxKeys, 1));
  seedTable(memory, systemRandom);
  return new TallyTable(memory, maxKeys);
}
