import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { splitFrames } from '../../test/support/h2-frames.ts';
import { decodeBlock } from '../../test/support/header-list.ts';
import { MemoryNetwork } from '../../test/support/memory-connection.ts';
import { fieldBlock, fieldLine, Fields } from '../model/fields.ts';
import { runTurn } from '../net/turn.ts';
import { parseFieldLines } from './h1-fields.ts';
import { FrameWriter } from './h2-frame-writer.ts';
import { HeadStart } from './h2-head-start.ts';
import { HeadWriter } from './h2-head-writer.ts';
import { FrameType } from './h2-protocol.ts';
import { StreamOutput } from './h2-stream-output.ts';
import { HpackDecoder } from './hpack-decoder.ts';

/** A connection that writes heads, and whoever reads them. */
class Rig {
  readonly heads: HeadWriter;
  readonly decoder = new HpackDecoder(4096, 1 << 20);
  /** Length of each block, encoded. */
  readonly lengths: number[] = [];
  readonly #peer = new MemoryNetwork().peer();
  readonly #stream = new StreamOutput({ onOutputDrain() {}, onOutputEnd() {} });
  readonly #writer = new FrameWriter(this.#peer.connection);

  constructor() {
    this.heads = new HeadWriter(this.#writer);
    this.#stream.begin(1, 1000);
  }

  /** What the peer makes of a head. */
  write(start: HeadStart, fields: Fields): readonly string[] {
    runTurn(() => this.heads.write(this.#stream, start, fields, false));
    const { frames } = splitFrames(Buffer.from(this.#peer.takeReceived(), 'latin1'));
    expect(frames[0]!.type).toBe(FrameType.Headers);
    const block = Buffer.concat(frames.map(({ payload }) => payload));
    this.lengths.push(block.length);
    const { error, fields: read } = decodeBlock(this.decoder, block);
    expect(error).toBeUndefined();
    return read;
  }
}

function fieldsOf(...lines: readonly string[]): Fields {
  const text = Buffer.from(`${lines.map((line) => `${line}\r\n`).join('')}\r\n`, 'latin1');
  const fields = new Fields();
  fields.reset(text);
  parseFieldLines(text, 0, text.length, fields, 100);
  return fields;
}

function response(status: number, contentLength = -1): HeadStart {
  const start = new HeadStart();
  start.status = status;
  start.contentLength = contentLength;
  return start;
}

function request(path: string, more: Partial<HeadStart> = {}): HeadStart {
  return Object.assign(new HeadStart(), { method: 'GET', authority: 'a.test', path }, more);
}

describe('HeadWriter', () => {
  test('heads that repeat are the same each time, and become short', () => {
    const rig = new Rig();
    const lines = ['server: x', 'date: now', 'content-type: text/plain'];
    for (let round = 0; round < 8; round++)
      expect(rig.write(response(200, 5), fieldsOf(...lines))).toEqual([
        ':status: 200',
        ...lines,
        'content-length: 5',
      ]);
    expect(rig.lengths.slice(-3)).toEqual([5, 5, 5]);
  });

  test('what differs in anything is another head', () => {
    const rig = new Rig();
    const base = (): Fields => fieldsOf('x-a: 1', 'x-b: 2');
    const dropped = base();
    dropped.drop(0);
    const sensitive = base();
    sensitive.markSensitive(1);
    const more = fieldLine('x-c', '3');
    const added = base();
    added.add(more);
    const cases: readonly (readonly [HeadStart, Fields, ...string[]])[] = [
      [response(200), base(), ':status: 200', 'x-a: 1', 'x-b: 2'],
      [response(201), base(), ':status: 201', 'x-a: 1', 'x-b: 2'],
      [response(200, 7), base(), ':status: 200', 'x-a: 1', 'x-b: 2', 'content-length: 7'],
      [response(200), fieldsOf('x-a: 1', 'x-b: 3'), ':status: 200', 'x-a: 1', 'x-b: 3'],
      [response(200), fieldsOf('x-a: 1x', '-b: 2'), ':status: 200', 'x-a: 1x', '-b: 2'],
      [response(200), dropped, ':status: 200', 'x-b: 2'],
      [response(200), sensitive, ':status: 200', 'x-a: 1', '!x-b: 2'],
      [response(200), added, ':status: 200', 'x-a: 1', 'x-b: 2', 'x-c: 3'],
      [new HeadStart(), base(), 'x-a: 1', 'x-b: 2'],
    ];
    for (let round = 0; round < 6; round++)
      for (const [start, fields, ...expected] of cases) expect(rig.write(start, fields)).toEqual(expected);
  });

  test('requests: every part of the start counts, and Host is left out', () => {
    const rig = new Rig();
    const starts: readonly (readonly [Partial<HeadStart>, string])[] = [
      [{}, ''],
      [{ query: '?a' }, ''],
      [{ authority: 'b.test' }, ''],
      [{ method: 'PUT' }, ''],
      [{ secure: true }, ''],
      [{ protocol: 'websocket' }, ''],
      [{ contentLength: 0 }, 'content-length: 0'],
      [{ acceptsTrailers: true }, 'te: trailers'],
      [{ expectContinue: true }, 'expect: 100-continue'],
    ];
    for (let round = 0; round < 6; round++) {
      for (const [more, rest] of starts) {
        const { method = 'GET', authority = 'a.test', query = '', secure = false, protocol = '' } = more;
        expect(rig.write(request('/x', more), fieldsOf('Host: a.test', 'X-A: 1'))).toEqual(
          [
            `:method: ${method}`,
            `:scheme: ${secure ? 'https' : 'http'}`,
            `:authority: ${authority}`,
            `:path: /x${query}`,
            protocol === '' ? '' : `:protocol: ${protocol}`,
            'x-a: 1',
            rest,
          ].filter((line) => line !== ''),
        );
      }
    }
  });

  test('a head is kept as it was, whatever becomes of the memory that it lay in', () => {
    const rig = new Rig();
    const text = Buffer.from('x-a: 1\r\n\r\n', 'latin1');
    const fields = new Fields();
    for (let round = 0; round < 6; round++) {
      text[5] = 49;
      fields.reset(text);
      parseFieldLines(text, 0, text.length, fields, 10);
      expect(rig.write(response(200), fields)).toEqual([':status: 200', 'x-a: 1']);
      text[5] = 50;
      expect(rig.write(response(200), fields)).toEqual([':status: 200', 'x-a: 2']);
    }
  });

  test('another size of the table between two equal heads', () => {
    const rig = new Rig();
    const write = (): unknown => rig.write(response(200), fieldsOf('x-a: 1', 'x-b: 2'));
    const expected = [':status: 200', 'x-a: 1', 'x-b: 2'];
    for (let round = 0; round < 5; round++) expect(write()).toEqual(expected);
    rig.heads.encoder.setPeerTableSize(0);
    for (let round = 0; round < 5; round++) expect(write()).toEqual(expected);
    rig.heads.encoder.setPeerTableSize(4096);
    for (let round = 0; round < 5; round++) expect(write()).toEqual(expected);
    expect(rig.lengths.slice(-2)).toEqual([3, 3]);
  });

  test('lines of a client are told behind the others, of many clients in turn', () => {
    const rig = new Rig();
    const blocks = Array.from({ length: 7 }, (_, index) =>
      fieldBlock([fieldLine('X-Forwarded-For', `192.0.2.${index}`), fieldLine('Via', '2 x')]),
    );
    for (let round = 0; round < 6; round++) {
      for (const [index, block] of blocks.entries()) {
        const fields = fieldsOf('x-a: 1');
        fields.block = block;
        expect(rig.write(response(200), fields)).toEqual([
          ':status: 200',
          'x-a: 1',
          `x-forwarded-for: 192.0.2.${index}`,
          'via: 2 x',
        ]);
      }
    }
  });

  test('lines of a client are told anew when the table has changed under them', () => {
    const rig = new Rig();
    const block = fieldBlock([fieldLine('X-Forwarded-For', '192.0.2.1'), fieldLine('Via', '2 x')]);
    for (let round = 0; round < 12; round++) {
      // Each of these enters the table with its second sight, and all indexes behind it move.
      const value = `x-n: ${round >> 1}`;
      const fields = fieldsOf(value);
      fields.block = block;
      const expected = [':status: 200', value, 'x-forwarded-for: 192.0.2.1', 'via: 2 x'];
      expect(rig.write(response(200), fields)).toEqual(expected);
    }
  });

  test('any heads in any order are read as they were meant', () => {
    const line = fc.constantFrom(
      'x-a: 1',
      'x-a: 2',
      `x-b: ${'y'.repeat(900)}`,
      `x-c: ${'z'.repeat(1500)}`,
      'cookie: a=b',
      'date: now',
    );
    const head = fc.record({
      status: fc.constantFrom(200, 204, 999),
      lines: fc.array(line, { maxLength: 4 }),
      drop: fc.nat(5),
      sensitive: fc.nat(5),
      added: fc.boolean(),
    });
    const event = fc.oneof(
      { weight: 12, arbitrary: fc.nat(3) },
      { weight: 1, arbitrary: fc.constantFrom('0', '2000', '4096') },
    );
    fc.assert(
      fc.property(
        fc.array(head, { minLength: 4, maxLength: 4 }),
        fc.array(event, { minLength: 10, maxLength: 50 }),
        (heads, events) => {
          const rig = new Rig();
          const more = fieldLine('x-more', '1');
          for (const one of events) {
            if (typeof one === 'string') {
              rig.heads.encoder.setPeerTableSize(Number(one));
              continue;
            }
            const { status, lines, drop, sensitive, added } = heads[one]!;
            const fields = fieldsOf(...lines);
            if (drop < lines.length) fields.drop(drop);
            if (sensitive < lines.length) fields.markSensitive(sensitive);
            if (added) fields.add(more);
            const expected = lines
              .map((text, index) => (index === sensitive || text.startsWith('cookie') ? `!${text}` : text))
              .filter((_, index) => index !== drop);
            expect(rig.write(response(status), fields)).toEqual([
              `:status: ${status}`,
              ...expected,
              ...(added ? ['x-more: 1'] : []),
            ]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
