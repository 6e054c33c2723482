import { type Party, PARTY_WORDS } from '../net/datagram-socket.ts';
import type { Random } from '../util/random.ts';

/** What the table keeps: told apart by its party, which never changes. */
export interface PartyEntry<T> {
  readonly party: Party;
  /** Hash of the party, and the next entry of the same; only the table touches them. */
  partyHash: number;
  sameHash: T | undefined;
}

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
  readonly #entries = new Map<number, T>();
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
    let entry = this.#entries.get(this.#hash(party));
    while (entry !== undefined && !sameParty(entry.party, party)) entry = entry.sameHash;
    return entry;
  }

  /** Adds an entry whose party is not there yet. */
  add(entry: T): void {
    const hash = this.#hash(entry.party);
    entry.partyHash = hash;
    entry.sameHash = this.#entries.get(hash);
    this.#entries.set(hash, entry);
    this.size++;
  }

  /** Removes an entry; nothing when it is not there. */
  remove(entry: T): void {
    if (this.size === 0) return;
    const hash = entry.partyHash;
    let at = this.#entries.get(hash);
    if (at === entry) {
      if (entry.sameHash === undefined) this.#entries.delete(hash);
      else this.#entries.set(hash, entry.sameHash);
    } else {
      while (at !== undefined && at.sameHash !== entry) at = at.sameHash;
      if (at === undefined) return;
      at.sameHash = entry.sameHash;
    }
    entry.sameHash = undefined;
    this.size--;
  }
}
