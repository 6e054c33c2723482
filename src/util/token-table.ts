import { hashString } from './hash.ts';
import { systemRandom } from './random.ts';
import { SEED_BYTES, seedTable } from './table-seeds.ts';

/** Keys that share a place in the table; one of them makes room when another comes. */
const WAYS = 8;
/** Attempts to find a place while others change the same few. */
const TRIES = 16;

/** For the bits of a double. */
const doubles = new Float64Array(2);
const bits = new BigInt64Array(doubles.buffer);

interface Shape {
  readonly ways: number;
  readonly buckets: number;
}

/** Twice the keys: then it is rare that nine of them want the same place. */
function shapeOf(maxKeys: number): Shape {
  return maxKeys < WAYS
    ? { ways: maxKeys, buckets: 1 }
    : { ways: WAYS, buckets: Math.ceil((2 * maxKeys) / WAYS) };
}

/** Bytes of memory that a table for so many keys needs. */
export function tokenTableBytes(maxKeys: number): number {
  const { ways, buckets } = shapeOf(maxKeys);
  return SEED_BYTES + ways * buckets * 16;
}

/**
 * Token buckets by key, as the generic cell rate algorithm (ITU-T I.371): one number a key, the theoretical arrival time of its next
 * request if all came evenly. The numbers may lie in memory that several processes share: they are changed by compare-and-exchange, so the
 * tokens of a key are counted exactly for all of them together, and a process that dies holds up nobody.
 *
 * Bounded: a hash table in which a key may lie in one of eight places. When all are taken, the key whose bucket is full soonest is
 * forgotten: it loses least by it. A key is known by its place and 32 bits more of a second hash, both with secret seeds. Two keys that are
 * alike in both share a bucket: with 100,000 keys that meets one new key in some hundred million.
 */
export class TokenTable {
  /** Time that one request uses up. */
  readonly #intervalMs: number;
  /** How far the theoretical time may be ahead of the real one. */
  readonly #toleranceMs: number;
  readonly #ways: number;
  readonly #buckets: number;
  readonly #tags: Int32Array;
  readonly #arrivals: Float64Array;
  /** The same, for exchanging. */
  readonly #arrivalBits: BigInt64Array;
  readonly #placeSeed: number;
  readonly #tagSeed: number;
  /** Keys that this process forgot while they still mattered: their next requests are let through too early. */
  forgotten = 0;

  /**
   * @param intervalMs Milliseconds a token takes to come back.
   * @param burst Tokens that a bucket holds, 1 or more.
   * @param memory `tokenTableBytes(maxKeys)` of it, aligned to 8, all 0 or with what is remembered; `seedTable` has been there.
   */
  constructor(intervalMs: number, burst: number, maxKeys: number, memory: Uint8Array) {
    this.#intervalMs = intervalMs;
    this.#toleranceMs = intervalMs * burst;
    const { ways, buckets } = shapeOf(maxKeys);
    this.#ways = ways;
    this.#buckets = buckets;
    const { buffer, byteOffset } = memory;
    const [placeSeed = 0, tagSeed = 0] = new Int32Array(buffer, byteOffset, 2);
    this.#placeSeed = placeSeed;
    this.#tagSeed = tagSeed;
    const arrivalsAt = byteOffset + SEED_BYTES;
    this.#arrivals = new Float64Array(buffer, arrivalsAt, ways * buckets);
    this.#arrivalBits = new BigInt64Array(buffer, arrivalsAt, ways * buckets);
    this.#tags = new Int32Array(buffer, arrivalsAt + ways * buckets * 8, ways * buckets);
  }

  /**
   * Takes a token.
   * @param nowMs By a clock that all processes have that use the table.
   * @returns 0 when there was one; else the milliseconds until there is, and nothing was taken.
   */
  take(key: string, nowMs: number): number {
    const first = (hashString(key, this.#placeSeed) % this.#buckets) * this.#ways;
    // 0 is the tag of an empty place.
    const tag = hashString(key, this.#tagSeed) | 0 || 1;
    const at = this.#find(first, tag, nowMs);
    for (;;) {
      const known = this.#arrivals[at]!;
      const next = (known < nowMs ? nowMs : known) + this.#intervalMs;
      const waitMs = next - nowMs - this.#toleranceMs;
      // Sums of fractions: a token that is there but for rounding is there.
      if (waitMs > 1e-6) return waitMs;
      doubles[0] = known;
      doubles[1] = next;
      const expected = bits[0]!;
      if (Atomics.compareExchange(this.#arrivalBits, at, expected, bits[1]!) === expected) return 0;
    }
  }

  /** Index of the place of a key, which is given one if it has none. */
  #find(first: number, tag: number, nowMs: number): number {
    const tags = this.#tags;
    let victim = first;
    for (let tries = 0; tries < TRIES; tries++) {
      victim = first;
      for (let at = first; at < first + this.#ways; at++) {
        const there = Atomics.load(tags, at);
        if (there === tag) return at;
        if (this.#arrivals[at]! < this.#arrivals[victim]!) victim = at;
      }
      const before = Atomics.load(tags, victim);
      if (Atomics.compareExchange(tags, victim, before, tag) !== before) continue;
      if (this.#arrivals[victim]! > nowMs) {
        this.#arrivals[victim] = 0;
        this.forgotten++;
      }
      const elder = this.#elder(first, victim, tag);
      if (elder < 0) return victim;
      // Two processes gave the key a place at the same time: the one before counts, in every process.
      Atomics.compareExchange(tags, victim, tag, 0);
    }
    return victim;
  }

  /** A place before `at` that has the same tag; -1 without one. */
  #elder(first: number, at: number, tag: number): number {
    for (let other = first; other < at; other++) if (Atomics.load(this.#tags, other) === tag) return other;
    return -1;
  }
}

/** A table of one process. */
export function privateTokenTable(intervalMs: number, burst: number, maxKeys: number): TokenTable {
  const memory = new Uint8Array(tokenTableBytes(maxKeys));
  seedTable(memory, systemRandom);
  return new TokenTable(intervalMs, burst, maxKeys, memory);
}
