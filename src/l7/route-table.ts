import { lowerCode } from './route-patterns.ts';

/** Numbers of one entry: hash, owner, where its text begins, how long that is, its value. */
const ENTRY = 5;
const OWNER = 1;
const TEXT_AT = 2;
const TEXT_LENGTH = 3;
const VALUE = 4;

function doubled<T extends Int32Array | Uint16Array>(array: T, make: (length: number) => T): T {
  const larger = make(array.length * 2);
  larger.set(array);
  return larger;
}

/** One more character of a running hash. Texts are compared in full afterwards, so collisions cost time only. */
export function step(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0;
}

/** Spreads what `step` made over all bits (the last steps of MurmurHash3, A. Appleby), different for each owner. */
function spread(hash: number, owner: number): number {
  let mixed = hash ^ Math.imul(owner + 1, 0x9e37_79b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  return mixed ^ (mixed >>> 13);
}

/**
 * Numbers by text and owner: a hash table with open addressing in a few arrays of numbers. Ten thousand patterns are no more objects
 * than ten, a collector has nothing to visit, and a look-up touches three lines of memory.
 */
export class RouteTable {
  /** Places of entries, counted from 1; 0 is empty. At least half are. */
  #places = new Int32Array(16);
  #entries = new Int32Array(8 * ENTRY);
  #count = 0;
  /** All texts, one behind the other. */
  #texts = new Uint16Array(128);
  #textEnd = 0;

  get size(): number {
    return this.#count;
  }

  /**
   * Entry of a text from `start` to `end`, which `hash` was made of; -1 for none. With `fold`, upper case of ASCII counts as lower case.
   */
  find(hash: number, owner: number, text: string, start: number, end: number, fold: boolean): number {
    const places = this.#places;
    const entries = this.#entries;
    const mask = places.length - 1;
    for (let place = spread(hash, owner) & mask; ; place = (place + 1) & mask) {
      const entry = places[place]! - 1;
      if (entry < 0) return -1;
      const at = entry * ENTRY;
      if (entries[at] !== hash || entries[at + OWNER] !== owner || entries[at + TEXT_LENGTH] !== end - start)
        continue;
      if (this.#isText(entries[at + TEXT_AT]!, text, start, end, fold)) return entry;
    }
  }

  #isText(textAt: number, text: string, start: number, end: number, fold: boolean): boolean {
    const texts = this.#texts;
    for (let at = start, known = textAt; at < end; at++, known++) {
      const code = text.charCodeAt(at);
      if (texts[known] !== (fold ? lowerCode(code) : code)) return false;
    }
    return true;
  }

  value(entry: number): number {
    return this.#entries[entry * ENTRY + VALUE]!;
  }

  setValue(entry: number, value: number): void {
    this.#entries[entry * ENTRY + VALUE] = value;
  }

  /** Adds what `find` did not find, with `hash` made of its characters in the order of who looks. Returns its entry. */
  add(hash: number, owner: number, text: string, value: number): number {
    const entry = this.#count++;
    const at = entry * ENTRY;
    if (at === this.#entries.length)
      this.#entries = doubled(this.#entries, (length) => new Int32Array(length));
    while (this.#textEnd + text.length > this.#texts.length)
      this.#texts = doubled(this.#texts, (length) => new Uint16Array(length));
    for (let index = 0; index < text.length; index++)
      this.#texts[this.#textEnd + index] = text.charCodeAt(index);
    this.#entries.set([hash, owner, this.#textEnd, text.length, value], at);
    this.#textEnd += text.length;
    if (this.#count * 2 > this.#places.length) this.#rehash();
    else this.#place(entry);
    return entry;
  }

  #place(entry: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    const at = entry * ENTRY;
    let place = spread(this.#entries[at]!, this.#entries[at + OWNER]!) & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = entry + 1;
  }

  #rehash(): void {
    this.#places = new Int32Array(this.#places.length * 2);
    for (let entry = 0; entry < this.#count; entry++) this.#place(entry);
  }
}
