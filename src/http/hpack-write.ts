import { copyBytes } from './copy-bytes.ts';
import { huffmanEncode, huffmanLength } from './hpack-huffman.ts';

/** Writes an integer behind the first bits `pattern` (RFC 7541 section 5.1). Returns the position behind. */
export function writeInteger(to: Buffer, at: number, pattern: number, mask: number, value: number): number {
  if (value < mask) {
    to[at] = pattern | value;
    return at + 1;
  }
  to[at] = pattern | mask;
  let left = value - mask;
  let behind = at + 1;
  for (; left >= 0x80; left >>>= 7) to[behind++] = 0x80 | (left & 0x7f);
  to[behind++] = left;
  return behind;
}

/** Writes a string (RFC 7541 section 5.2), by Huffman where that is shorter. Returns the position behind. */
export function writeString(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start;
  const packed = huffmanLength(from, start, end);
  if (packed < length) return huffmanEncode(from, start, end, to, writeInteger(to, at, 0x80, 0x7f, packed));
  return copyBytes(from, start, end, to, writeInteger(to, at, 0x00, 0x7f, length));
}
