import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { decodeBlock, encodeBlock } from '../../test/support/header-list.ts';
import { Fields, fieldBlock, fieldLine } from '../model/fields.ts';
import { parseFieldLines } from './h1-fields.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { encodedBlockRoom, encodedRoom, encodeFieldBlock, encodeFields } from './hpack-fields.ts';
import { huffmanDecode, huffmanEncode, huffmanLength } from './hpack-huffman.ts';

function decoder(): HpackDecoder {
  return new HpackDecoder(4096, 1 << 20);
}

describe('Huffman', () => {
  test('RFC 7541 C.4.1', () => {
    const from = Buffer.from('www.example.com');
    const to = Buffer.alloc(32);
    const end = huffmanEncode(from, 0, from.length, to, 0);
    expect(to.subarray(0, end).toString('hex')).toBe('f1e3c2e5f23a6ba0ab90f4ff');
  });

  test('whatever bytes: back as they were, and as long as was said', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (from) => {
        const packed = Buffer.alloc(huffmanLength(from, 0, from.length));
        expect(huffmanEncode(from, 0, from.length, packed, 0)).toBe(packed.length);
        const back = Buffer.alloc(from.length);
        expect(huffmanDecode(packed, 0, packed.length, back, 0, back.length)).toBe(from.length);
        expect(back).toEqual(Buffer.from(from));
      }),
      { numRuns: 500 },
    );
  });
});

describe('HpackEncoder', () => {
  test('a field of the static table is one byte', () => {
    const block = encodeBlock(new HpackEncoder(4096), [
      [':status', '200'],
      [':method', 'POST'],
      ['accept-encoding', 'gzip, deflate'],
    ]);
    expect(block.toString('hex')).toBe('888390');
  });

  test('a field that repeats is one byte from its third time on', () => {
    const encoder = new HpackEncoder(4096);
    const list = [
      ['server', 'pointsman'],
      ['X-Region', 'eu-west'],
    ] as const;
    const sizes = [1, 2, 3, 4].map(() => encodeBlock(encoder, list).length);
    expect(sizes[0]).toBeGreaterThan(10);
    expect(sizes[1]).toBeGreaterThan(10);
    expect(sizes.slice(2)).toEqual([2, 2]);
  });

  test('what is different every time never enters the table', () => {
    const encoder = new HpackEncoder(4096);
    for (let round = 0; round < 3; round++) encodeBlock(encoder, [['server', 'pointsman']]);
    for (let id = 0; id < 5000; id++) encodeBlock(encoder, [['x-request-id', `${id}-${id * 7}`]]);
    expect(encodeBlock(encoder, [['server', 'pointsman']])).toHaveLength(1);
  });

  test('secrets are never indexed, however often they come; paths with a query are not indexed', () => {
    const encoder = new HpackEncoder(4096);
    const one = decoder();
    for (let round = 0; round < 4; round++) {
      const block = encodeBlock(encoder, [
        ['authorization', 'Bearer abc'],
        ['Cookie', 'a=b'],
        ['set-cookie', 'a=b'],
        ['proxy-authorization', 'x'],
        ['x-key', 'k', true],
        [':path', '/reset?token=1'],
      ]);
      expect(decodeBlock(one, block).fields).toEqual([
        '!authorization: Bearer abc',
        '!cookie: a=b',
        '!set-cookie: a=b',
        '!proxy-authorization: x',
        '!x-key: k',
        ':path: /reset?token=1',
      ]);
    }
    expect(decodeBlock(one, Buffer.from([0x80 | 62])).error).toBe('index_unknown');
  });

  test('changes of the size are said at the beginning of the next block, the smallest first', () => {
    const encoder = new HpackEncoder(4096);
    for (let round = 0; round < 3; round++) encodeBlock(encoder, [['a', 'b']]);
    encoder.setPeerTableSize(0);
    encoder.setPeerTableSize(100);
    expect(encodeBlock(encoder, [['a', 'b']]).toString('hex')).toStartWith('203f45');
    encoder.setPeerTableSize(100_000);
    expect(encodeBlock(encoder, []).toString('hex')).toBe('3fe11f');
    encoder.setPeerTableSize(200_000);
    expect(encodeBlock(encoder, [])).toHaveLength(0);
  });

  test('without a table everything is a literal', () => {
    const encoder = new HpackEncoder(0);
    const one = new HpackDecoder(0, 4096);
    for (let round = 0; round < 4; round++)
      expect(decodeBlock(one, encodeBlock(encoder, [['a', 'b']]))).toMatchObject({
        error: undefined,
        fields: ['a: b'],
      });
  });

  test('a block of fields: dropped lines are left out, added ones follow, and it fits the room', () => {
    const fields = new Fields();
    const text = Buffer.from('Server: x\r\nX-Gone: 1\r\nCONTENT-TYPE:  text/plain \r\n\r\n', 'latin1');
    fields.reset(text);
    parseFieldLines(text, 0, text.length, fields, 10);
    fields.drop(1);
    fields.markSensitive(0);
    fields.add(fieldLine('X-Added', '1'));
    const to = Buffer.alloc(encodedRoom(fields));
    const end = encodeFields(new HpackEncoder(4096), fields, to, 0);
    expect(end).toBeLessThanOrEqual(to.length);
    expect(decodeBlock(decoder(), to.subarray(0, end)).fields).toEqual([
      '!server: x',
      'content-type: text/plain',
      'x-added: 1',
    ]);
  });

  test('lines that belong together fit their room', () => {
    const block = fieldBlock([fieldLine('Via', '1.1 a'), fieldLine('Forwarded', 'for=b')]);
    const to = Buffer.alloc(encodedBlockRoom(block));
    const end = encodeFieldBlock(new HpackEncoder(4096), block, to, 0);
    expect(decodeBlock(decoder(), to.subarray(0, end)).fields).toEqual(['via: 1.1 a', 'forwarded: for=b']);
  });

  test('any fields, any sizes of the table: the decoder sees what was encoded', () => {
    const word = fc.constantFrom(
      'a',
      'b',
      'cache-control',
      'x-y',
      'cookie',
      ':path',
      'etag',
      'zz'.repeat(40),
    );
    const value = fc.oneof(
      fc.constantFrom('', '1', '2', 'no-cache', '/', 'v'.repeat(90)),
      fc.string({ unit: 'binary-ascii', maxLength: 60 }),
    );
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.array(fc.tuple(word, value, fc.boolean()), { maxLength: 8 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 6000 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 100, 512, 4096), (steps, own) => {
        const encoder = new HpackEncoder(own);
        const one = new HpackDecoder(6000, 1 << 20);
        for (const next of steps) {
          if (typeof next === 'number') {
            encoder.setPeerTableSize(next);
            continue;
          }
          const { error, fields } = decodeBlock(one, encodeBlock(encoder, next));
          expect(error).toBeUndefined();
          expect(fields.map((field) => field.replace(/^[!?]+/, ''))).toEqual(
            next.map(([name, text]) => `${name}: ${text}`),
          );
        }
      }),
      { numRuns: 600 },
    );
  });
});
