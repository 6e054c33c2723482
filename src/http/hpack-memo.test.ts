import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { decodeBlock, encodeBlock } from '../../test/support/header-list.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { BlockMemo } from './hpack-memo.ts';

const MAX_LIST = 4096;

/** Decodes with a memo, and beside it without one; both must say the same. */
class Pair {
  readonly memo: BlockMemo<readonly string[]>;
  readonly #decoder: HpackDecoder;
  readonly #plain: HpackDecoder;
  /** Blocks that were known. */
  repeats = 0;

  constructor(tableBytes = 4096) {
    this.#decoder = new HpackDecoder(tableBytes, MAX_LIST);
    this.#plain = new HpackDecoder(tableBytes, MAX_LIST);
    this.memo = new BlockMemo(this.#decoder);
  }

  /** Whether the block was known. */
  read(block: Buffer, variant = 0): boolean {
    const expected = decodeBlock(this.#plain, block);
    const known = this.memo.find(block, 0, block.length, variant);
    if (known === undefined) {
      const { error, fields } = decodeBlock(this.#decoder, block);
      expect({ error, fields }).toEqual({ error: expected.error, fields: expected.fields });
      if (error === undefined && this.memo.recurs) this.memo.learn(block, 0, block.length, variant, fields);
    } else {
      expect(expected.error).toBeUndefined();
      expect(known).toEqual(expected.fields);
      this.repeats++;
    }
    expect(this.#decoder.listBytes).toBe(this.#plain.listBytes);
    expect(this.#decoder.tooLarge).toBe(this.#plain.tooLarge);
    return known !== undefined;
  }

  readAll(blocks: readonly Buffer[]): boolean[] {
    return blocks.map((block) => this.read(block));
  }
}

function literal(pattern: number, name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([pattern, name.length]),
    Buffer.from(name, 'latin1'),
    Buffer.from([value.length]),
    Buffer.from(value, 'latin1'),
  ]);
}

const indexing = (name: string, value: string): Buffer => literal(0x40, name, value);
const plain = (name: string, value: string): Buffer => literal(0x00, name, value);
const never = (name: string, value: string): Buffer => literal(0x10, name, value);
const byIndex = (index: number): Buffer => Buffer.from([0x80 | index]);
/** Size update to less than 31 bytes. */
const resize = (bytes: number): Buffer => Buffer.from([0x20 | bytes]);
/** ... to 4096 bytes. */
const RESTORE = Buffer.from('3fe11f', 'hex');

describe('BlockMemo', () => {
  test('a block is known from the third time on; its like is not', () => {
    const pair = new Pair();
    const block = plain('x-a', '1');
    expect(pair.readAll([block, block, block, plain('x-a', '2'), block])).toEqual([
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  test('of two kinds of the same block one does not stand for the other', () => {
    const pair = new Pair();
    const block = plain('x-a', '1');
    pair.readAll([block, block]);
    expect(pair.read(block, 1)).toBe(false);
    expect(pair.read(block, 0)).toBe(true);
  });

  test('an index means the same only while nothing was added', () => {
    const pair = new Pair();
    const first = byIndex(62);
    pair.read(indexing('x-a', '1'));
    expect(pair.readAll([first, first, first])).toEqual([false, false, true]);
    pair.read(indexing('x-a', '2'));
    expect(pair.readAll([first, first, first])).toEqual([false, false, true]);
  });

  test('an index means nothing when its entry was evicted between two equal blocks', () => {
    const pair = new Pair(100);
    const second = byIndex(63);
    pair.readAll([indexing('x-a', '1'), indexing('x-b', '1')]);
    expect(pair.readAll([second, second, second])).toEqual([false, false, true]);
    // Three entries do not fit: the second one is another now.
    pair.read(indexing('x-c', '1'));
    expect(pair.read(second)).toBe(false);
    // One that fills the table: there is no second one.
    pair.read(indexing('x-d', 'y'.repeat(60)));
    expect(pair.read(second)).toBe(false);
  });

  test('a size update between two equal blocks empties the table under them', () => {
    const pair = new Pair();
    const first = byIndex(62);
    pair.read(indexing('x-a', '1'));
    expect(pair.readAll([first, first, first])).toEqual([false, false, true]);
    pair.read(Buffer.concat([resize(0), RESTORE, plain('x-b', '1')]));
    expect(pair.read(first)).toBe(false);
  });

  test('a block with a size update is read each time', () => {
    const pair = new Pair();
    const block = Buffer.concat([resize(0), RESTORE, plain('x-b', '1')]);
    expect(pair.readAll([block, block, block])).toEqual([false, false, false]);
  });

  test('what a known block adds to the table is there for those behind it', () => {
    const pair = new Pair();
    const block = Buffer.concat([indexing('x-a', '1'), indexing('x-b', '2')]);
    expect(pair.readAll([block, block, block, block])).toEqual([false, false, true, true]);
    for (let index = 62; index < 72; index++) pair.read(byIndex(index));
    expect(pair.read(block)).toBe(true);
    pair.readAll([byIndex(62), byIndex(63), byIndex(64)]);
  });

  test('repeated more often than the table can hold, it holds the latest', () => {
    const pair = new Pair(150);
    const block = Buffer.concat([indexing('x-a', '1'), indexing('x-b', '22'), indexing('x-c', '333')]);
    pair.readAll(Array.from({ length: 40 }, () => block));
    pair.readAll([62, 63, 64, 65, 66].map(byIndex));
    expect(pair.repeats).toBe(38);
  });

  test('what is added and named in one block is read each time', () => {
    const pair = new Pair();
    const block = Buffer.concat([indexing('x-a', '1'), byIndex(62)]);
    expect(pair.readAll([block, block, block])).toEqual([false, false, false]);
  });

  test('never indexed stays so', () => {
    const pair = new Pair();
    const block = never('x-secret', '1');
    expect(pair.readAll([block, block, block])).toEqual([false, false, true]);
    expect(pair.memo.find(block, 0, block.length, 0)).toEqual(['!x-secret: 1']);
  });

  test('what is too large is too large each time', () => {
    const pair = new Pair();
    const block = Buffer.concat(Array.from({ length: 130 }, () => plain('a', '')));
    expect(pair.readAll([block, block, block])).toEqual([false, false, false]);
  });

  test('as many different blocks as one likes are read as they are, and few are kept', () => {
    const pair = new Pair();
    for (let round = 0; round < 5; round++)
      for (let index = 0; index < 100; index++) pair.read(plain('x-a', `${index}`));
    expect(pair.repeats).toBeLessThan(100);
  });

  test('any blocks in any order: known or not, they mean the same', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        indexing('x-a', '1'),
        indexing('x-b', 'y'.repeat(40)),
        indexing('x-c', 'z'.repeat(200)),
        plain('x-d', '1'),
        never('x-e', '1'),
        Buffer.from('4082612d0131', 'hex'),
      ),
      fc.integer({ min: 62, max: 68 }).map(byIndex),
      // A name by index, with and without indexing.
      fc
        .constantFrom(0x7e, 0x7f)
        .map((first) =>
          Buffer.concat([Buffer.from(first === 0x7f ? [0x0f, 0x2f] : [first]), Buffer.from([1, 0x31])]),
        ),
    );
    const block = fc
      .tuple(
        fc.constantFrom(Buffer.alloc(0), Buffer.alloc(0), resize(0), RESTORE),
        fc.array(piece, { maxLength: 3 }),
      )
      .map(([first, pieces]) => Buffer.concat([first, ...pieces]));
    let repeats = 0;
    fc.assert(
      fc.property(
        fc.array(block, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(100), { minLength: 10, maxLength: 60 }),
        fc.constantFrom(64, 120, 4096),
        (blocks, order, tableBytes) => {
          const pair = new Pair(tableBytes);
          for (const index of order) pair.read(blocks[index % blocks.length]!);
          repeats += pair.repeats;
        },
      ),
      { numRuns: 1000 },
    );
    expect(repeats).toBeGreaterThan(1000);
  });

  test('what our own encoder sends is known as soon as its table is settled', () => {
    const encoder = new HpackEncoder(4096);
    const pair = new Pair();
    const list = [
      [':method', 'GET'],
      [':path', '/'],
      ['user-agent', 'test'],
      ['cookie', 'a=b'],
    ] as const;
    const known = Array.from({ length: 8 }, () => pair.read(encodeBlock(encoder, list)));
    expect(known).toEqual([false, false, false, false, true, true, true, true]);
  });
});
