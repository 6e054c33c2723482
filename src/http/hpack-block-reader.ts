import { copyBytes } from './copy-bytes.ts';
import type { HpackError } from './hpack-header-sink.ts';
import { HUFFMAN_INVALID, HUFFMAN_OVERFLOW, huffmanDecode } from './hpack-huffman.ts';

/** An index of 2^28 or a string of that length is nothing that anybody means. */
const MAX_INTEGER_BYTES = 4;

/** The block cannot be decoded: `error` says why. */
export const FAILED = -1;
/** The string is longer than the room that there is. */
export const TOO_LARGE = -2;

/** Reads what header blocks are made of: integers and strings (RFC 7541 section 5). */
export class BlockReader {
  /** What is read next. */
  at = 0;
  error: HpackError | undefined = undefined;

  begin(at: number): void {
    this.at = at;
    this.error = undefined;
  }

  /** RFC 7541 section 5.1: an integer whose first bits are those of `mask`; FAILED when there is none. */
  integer(block: Buffer, end: number, mask: number): number {
    let value = block[this.at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 7 * MAX_INTEGER_BYTES; shift += 7) {
      if (this.at >= end) return this.#fail('truncated');
      const byte = block[this.at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return this.#fail('integer_too_large');
  }

  /** RFC 7541 section 5.2: writes a string to `lines` between `to` and `limit`. Returns where it ends, FAILED or TOO_LARGE. */
  string(block: Buffer, end: number, lines: Buffer, to: number, limit: number): number {
    if (this.at >= end) return this.#fail('truncated');
    const huffman = block[this.at]! >= 0x80;
    const length = this.integer(block, end, 0x7f);
    if (length < 0) return FAILED;
    const from = this.at;
    if (length > end - from) return this.#fail('truncated');
    this.at = from + length;
    if (!huffman) return to + length > limit ? TOO_LARGE : copyBytes(block, from, from + length, lines, to);
    const behind = huffmanDecode(block, from, from + length, lines, to, limit);
    if (behind === HUFFMAN_OVERFLOW) return TOO_LARGE;
    return behind === HUFFMAN_INVALID ? this.#fail('huffman_invalid') : behind;
  }

  #fail(error: HpackError): number {
    this.error = error;
    return FAILED;
  }
}
