import { type IpFamily, parseIp } from './ip.ts';

const scratch = new Uint32Array(4);

/** Eight words a range: the first address and the last. */
type Range = readonly number[];

/** A network as the range of its addresses; undefined when the text is not an address or a network. */
function parseNetwork(text: string): { readonly family: IpFamily; readonly range: Range } | undefined {
  const slash = text.indexOf('/');
  const family = parseIp(slash < 0 ? text : text.slice(0, slash), scratch);
  if (family === 0) return undefined;
  const most = text.includes(':') ? 128 : 32;
  const digits = slash < 0 ? String(most) : text.slice(slash + 1);
  const length = /^\d{1,3}$/.test(digits) ? Number(digits) : 129;
  if (length > most || (most === 128 && family === 4 && length < 96)) return undefined;
  const bits = most === 32 ? length + 96 : length;
  const first: number[] = [];
  const last: number[] = [];
  for (let word = 0; word < 4; word++) {
    const kept = Math.min(32, Math.max(0, bits - word * 32));
    const mask = kept === 0 ? 0 : (0xffffffff << (32 - kept)) >>> 0;
    first.push((scratch[word]! & mask) >>> 0);
    last.push((scratch[word]! | ~mask) >>> 0);
  }
  return { family, range: [...first, ...last] };
}

/** Whether `address` is at or behind the four words from `at`. */
function reaches(address: Uint32Array, words: Uint32Array, at: number): boolean {
  for (let word = 0; word < 4; word++) {
    const difference = address[word]! - words[at + word]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Sorted ranges laid end to end; those inside others are left out, so that at most one can hold an address. */
function layOut(ranges: readonly Range[]): Uint32Array {
  const sorted = ranges.toSorted((a, b) => {
    for (let word = 0; word < 4; word++) {
      if (a[word] !== b[word]) return a[word]! - b[word]!;
    }
    for (let word = 4; word < 8; word++) {
      if (a[word] !== b[word]) return b[word]! - a[word]!;
    }
    return 0;
  });
  const words: number[] = [];
  for (const range of sorted) {
    // Networks nest or are apart: one that begins before the last one ends lies inside it.
    const inside = words.length > 0 && reaches(Uint32Array.from(words.slice(-4)), Uint32Array.from(range), 0);
    if (!inside) words.push(...range);
  }
  return Uint32Array.from(words);
}

function holds(ranges: Uint32Array, address: Uint32Array): boolean {
  let low = 0;
  let high = ranges.length / 8;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reaches(address, ranges, middle * 8)) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return false;
  const at = (low - 1) * 8 + 4;
  for (let word = 0; word < 4; word++) {
    const difference = address[word]! - ranges[at + word]!;
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** A set of networks. A test costs a binary search, or one comparison when the address is the one asked for last. */
export class NetworkSet {
  readonly #ipv4: Uint32Array;
  readonly #ipv6: Uint32Array;
  readonly #empty: boolean;
  #lastIp = '';
  #lastAnswer = false;

  /**
   * @param networks Addresses and networks: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.
   * @throws RangeError on a text that is neither.
   */
  constructor(networks: readonly string[]) {
    const ipv4: Range[] = [];
    const ipv6: Range[] = [];
    for (const text of networks) {
      const network = parseNetwork(text);
      if (network === undefined) throw new RangeError(`not an address or a network: ${text}`);
      (network.family === 4 ? ipv4 : ipv6).push(network.range);
    }
    this.#ipv4 = layOut(ipv4);
    this.#ipv6 = layOut(ipv6);
    this.#empty = networks.length === 0;
  }

  /** Whether the address lies in one of the networks; false for a text that is no address. */
  contains(ip: string): boolean {
    if (this.#empty) return false;
    if (ip === this.#lastIp) return this.#lastAnswer;
    const family = parseIp(ip, scratch);
    this.#lastIp = ip;
    this.#lastAnswer = family !== 0 && holds(family === 4 ? this.#ipv4 : this.#ipv6, scratch);
    return this.#lastAnswer;
  }
}
