/**
 * The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). The code is canonical: codes of one length follow each
 * other in the order of their symbols, so that the lengths below say everything.
 */

/** Bits of the code of each symbol; the last one is EOS. */
// oxfmt-ignore
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const EOS = 256;
const MAX_BITS = 30;

const codes = new Uint32Array(257);
const lengths = Uint8Array.from(LENGTHS);

/** A step of the decoder eats up to 8 bits. A leaf is `LEAF | bits << 8 | symbol`; another number is the next node; 0 is no code. */
const LEAF = 0x8000;
const MAX_NODES = 32;
const steps = new Uint16Array(MAX_NODES * 256);

let nodes = 1;
for (let bits = 1, code = 0; bits <= MAX_BITS; bits++, code <<= 1) {
  for (let symbol = 0; symbol <= EOS; symbol++) {
    if (lengths[symbol] !== bits) continue;
    codes[symbol] = code;
    if (symbol !== EOS) addCode(symbol, code, bits);
    code++;
  }
}

function addCode(symbol: number, code: number, bits: number): void {
  let node = 0;
  let left = bits;
  for (; left > 8; left -= 8) {
    const at = (node << 8) | ((code >>> (left - 8)) & 255);
    if (steps[at] === 0) steps[at] = nodes++;
    node = steps[at]!;
  }
  const first = (code << (8 - left)) & 255;
  steps.fill(LEAF | (left << 8) | symbol, (node << 8) | first, ((node << 8) | first) + (1 << (8 - left)));
}

/** Results of `huffmanDecode` that are not a position. */
export const HUFFMAN_INVALID = -1;
export const HUFFMAN_OVERFLOW = -2;

/**
 * Decodes `from[start, end)` to `to` from `at`, not beyond `limit`. Eight bits a step, so one or two steps a character.
 * @returns the position behind the last character; HUFFMAN_INVALID for EOS or a padding that is not the beginning of EOS or
 *   longer than 7 bits; HUFFMAN_OVERFLOW when it does not fit.
 */
export function huffmanDecode(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
  limit: number,
): number {
  let window = 0;
  let bits = 0;
  let node = 0;
  let out = at;
  for (let index = start; index < end; index++) {
    window = (window << 8) | from[index]!;
    bits += 8;
    do {
      const step = steps[(node << 8) | ((window >>> (bits - 8)) & 255)]!;
      if (step >= LEAF) {
        if (out === limit) return HUFFMAN_OVERFLOW;
        to[out++] = step & 255;
        bits -= (step >>> 8) & 15;
        node = 0;
      } else {
        if (step === 0) return HUFFMAN_INVALID;
        node = step;
        bits -= 8;
      }
    } while (bits >= 8);
  }
  while (bits > 0) {
    const step = steps[(node << 8) | ((window << (8 - bits)) & 255)]!;
    const length = (step >>> 8) & 15;
    if (step < LEAF || length > bits) break;
    if (out === limit) return HUFFMAN_OVERFLOW;
    to[out++] = step & 255;
    bits -= length;
    node = 0;
  }
  const padding = (1 << bits) - 1;
  return node === 0 && (window & padding) === padding ? out : HUFFMAN_INVALID;
}

/** Bytes that `from[start, end)` takes when encoded. */
export function huffmanLength(from: Uint8Array, start: number, end: number): number {
  let bits = 0;
  for (let index = start; index < end; index++) bits += lengths[from[index]!]!;
  return (bits + 7) >>> 3;
}

/** Encodes `from[start, end)` to `to` from `at`, where there is room. Returns the position behind the last byte. */
export function huffmanEncode(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
): number {
  // At most 7 bits wait, and a code has up to 30: more than 32 bits in all, so long codes go in two parts.
  let window = 0;
  let bits = 0;
  let out = at;
  for (let index = start; index < end; index++) {
    const symbol = from[index]!;
    const code = codes[symbol]!;
    let length = lengths[symbol]!;
    if (length > 16) {
      length -= 16;
      window = (window << length) | (code >>> 16);
      bits += length;
      for (; bits >= 8; bits -= 8) to[out++] = window >>> (bits - 8);
      window = (window << 16) | (code & 0xffff);
      bits += 16;
    } else {
      window = (window << length) | code;
      bits += length;
    }
    for (; bits >= 8; bits -= 8) to[out++] = window >>> (bits - 8);
  }
  if (bits > 0) to[out++] = (window << (8 - bits)) | (0xff >>> bits);
  return out;
}
