import { type Party, PARTY_WORDS } from '../net/datagram-socket.ts';
import type { Random } from '../util/random.ts';

/** What the table keeps: told apart by its party, which never changes. */
export interface PartyEntry<T> {
  readonly party: Party;
  /** Hash of the party, and the next entry in the same bucket; only the table touches them. */
  partyHash: number;
  nextOfBucket: T | undefined;
}

/** Buckets of an empty table. */
const LEAST_BUCKETS = 16;

function sameParty(a: Party, b: Party): boolean {
  for (let word = 0; word < PARTY_WORDS; word++) if (a[word] !== b[word]) return false;
  return true;
}

/**
 * Finds sessions by who sent a datagram and to which of our addresses, without making anything. Parties are hashed by multiplying each
 * half word with a random number (vector multiply-shift, Dietzfelbinger 1996): without knowing the numbers nobody can choose addresses
 * that collide.
 */
export class SessionTable<T extends PartyEntry<T>> {
  /** As many as a power of 2, and no fewer than entries. Not a `Map`: see `Roster`. */
  #buckets: (T | undefined)[] = Array.from({ length: LEAST_BUCKETS });
  readonly #multipliers: Int32Array;
  size = 0;

  constructor(random: Random) {
    this.#multipliers = Int32Array.from({ length: PARTY_WORDS * 4 + 2 }, () =>
      Math.floor(random.next() * 0x1_0000_0000),
    );
  }

  /** 32 bits, of which each half comes from a function of its own. */
  #hash(party: Party): number {
    const by = this.#multipliers;
    let high = by[PARTY_WORDS * 4]!;
    let low = by[PARTY_WORDS * 4 + 1]!;
    for (let word = 0, at = 0; word < PARTY_WORDS; word++, at += 4) {
      const value = party[word]!;
      if (value === 0) continue;
      const upper = value >>> 16;
      const lower = value & 0xffff;
      high = (high + Math.imul(upper, by[at]!) + Math.imul(lower, by[at + 1]!)) | 0;
      low = (low + Math.imul(upper, by[at + 2]!) + Math.imul(lower, by[at + 3]!)) | 0;
    }
    return (high & 0xffff_0000) | (low >>> 16);
  }

  find(party: Party): T | undefined {
    if (this.size === 0) return undefined;
    const hash = this.#hash(party);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)];
    while (entry !== undefined && (entry.partyHash !== hash || !sameParty(entry.party, party)))
      entry = entry.nextOfBucket;
    return entry;
  }

  /** Adds an entry whose party is not there yet. */
  add(entry: T): void {
    if (this.size === this.#buckets.length) this.#grow();
    entry.partyHash = this.#hash(entry.party);
    this.#put(entry);
    this.size++;
  }

  #put(entry: T): void {
    const bucket = entry.partyHash & (this.#buckets.length - 1);
    entry.nextOfBucket = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
  }

  #grow(): void {
    const before = this.#buckets;
    this.#buckets = Array.from({ length: before.length * 2 });
    for (const first of before) {
      let entry = first;
      while (entry !== undefined) {
        const next: T | undefined = entry.nextOfBucket;
        this.#put(entry);
        entry = next;
      }
    }
  }

  /** Removes an entry; nothing when it is not there. */
  remove(entry: T): void {
    const buckets = this.#buckets;
    const bucket = entry.partyHash & (buckets.length - 1);
    let at = buckets[bucket];
    if (at === entry) {
      buckets[bucket] = entry.nextOfBucket;
    } else {
      while (at !== undefined && at.nextOfBucket !== entry) at = at.nextOfBucket;
      if (at === undefined) return;
      at.nextOfBucket = entry.nextOfBucket;
    }
    entry.nextOfBucket = undefined;
    this.size--;
  }
}
