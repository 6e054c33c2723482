import { describe, expect, test } from 'bun:test';

import { BlockReader, FAILED, TOO_LARGE } from './hpack-block-reader.ts';
import { writeInteger, writeString } from './hpack-write.ts';

function read(block: Buffer, mask: number): { value: number; reader: BlockReader } {
  const reader = new BlockReader();
  reader.begin(0);
  return { value: reader.integer(block, block.length, mask), reader };
}

describe('an integer', () => {
  // RFC 7541 appendix C.1.
  test.each([
    [10, 0x1f, '0a'],
    [1337, 0x1f, '1f9a0a'],
    [42, 0xff, '2a'],
  ])('%d behind a mask of %d is %s', (value, mask, hex) => {
    const to = Buffer.alloc(8);
    expect(to.subarray(0, writeInteger(to, 0, 0, mask, value)).toString('hex')).toBe(hex);
    expect(read(Buffer.from(hex, 'hex'), mask).value).toBe(value);
  });

  test.each([
    ['ff80', 'truncated'],
    ['ffffffffff01', 'integer_too_large'],
  ])('%s is refused', (hex, error) => {
    const { value, reader } = read(Buffer.from(hex, 'hex'), 0x7f);
    expect([value, reader.error as string]).toEqual([FAILED, error]);
  });
});

describe('a string', () => {
  const lines = Buffer.alloc(64);

  function string(block: Buffer, limit: number): number | string {
    const reader = new BlockReader();
    reader.begin(0);
    const behind = reader.string(block, block.length, lines, 4, limit);
    if (behind < 0) return reader.error ?? behind;
    expect(reader.at).toBe(block.length);
    return lines.latin1Slice(4, behind);
  }

  test.each(['www.example.com', '\u00ff\u00fe\u00ff', ''])('%j is read as it was written', (text) => {
    const from = Buffer.from(text, 'latin1');
    const to = Buffer.alloc(64);
    const block = to.subarray(0, writeString(from, 0, from.length, to, 0));
    expect(string(block, 60)).toBe(text);
  });

  test('does not go beyond the room that there is, packed or not', () => {
    expect(string(Buffer.from('\u0003abc', 'latin1'), 7)).toBe('abc');
    expect(string(Buffer.from('\u0003abc', 'latin1'), 6)).toBe(TOO_LARGE);
    const packed = Buffer.alloc(16);
    const text = Buffer.from('aaaaaaaa');
    const behind = writeString(text, 0, text.length, packed, 0);
    expect(packed[0]! & 0x80).toBe(0x80);
    expect(string(packed.subarray(0, behind), 8)).toBe(TOO_LARGE);
  });

  test('that is not whole is refused', () => {
    expect(string(Buffer.from('\u0004abc', 'latin1'), 60)).toBe('truncated');
    expect(string(Buffer.alloc(0), 60)).toBe('truncated');
    // Eight bits of padding are too many (RFC 7541 section 5.2).
    expect(string(Buffer.from('82ffff', 'hex'), 60)).toBe('huffman_invalid');
  });
});
