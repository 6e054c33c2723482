import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { cpuMsOf } from '../../test/support/cpu-time.ts';
import { ChunkedReader } from './chunked.ts';
import { MALFORMED } from './h1-fields.ts';

/** What a reader made of some pieces. */
interface Reading {
  readonly outcome: 'done' | 'malformed' | 'more';
  readonly body: string;
  readonly trailers: readonly string[];
  /** Bytes read, of all pieces together. */
  readonly readBytes: number;
}

/** Reads pieces one after the other; each is gone when it has been read. */
function read(pieces: readonly string[], reader = new ChunkedReader()): Reading {
  let body = '';
  let readBytes = 0;
  const sink = {
    onBodyPiece(bytes: Buffer, start: number, end: number) {
      body += bytes.latin1Slice(start, end);
    },
  };
  const result = (outcome: Reading['outcome']): Reading => ({
    outcome,
    body,
    trailers: outcome === 'done' ? reader.trailers.written() : [],
    readBytes,
  });
  reader.reset();
  for (const piece of pieces) {
    // Not at the beginning of its memory, as in a larger read.
    const bytes = Buffer.from(`before${piece}`, 'latin1');
    const behind = reader.read(bytes, 6, bytes.length, sink);
    bytes.fill('!');
    if (behind === MALFORMED) return result('malformed');
    readBytes += behind - 6;
    if (reader.done) return result('done');
  }
  return result('more');
}

/** One piece and the same byte by byte must mean the same. What is wrong in a line may be seen only when the line ends. */
function readBoth(text: string): Reading {
  const whole = read([text]);
  if (whole.outcome === 'malformed') expect(read(bytesOf(`${text}\n`)).outcome).toBe('malformed');
  else expect(read(bytesOf(text))).toEqual(whole);
  return whole;
}

function bytesOf(text: string): string[] {
  return text.split('');
}

/** The characters in the order of their codes. */
function sorted(...sets: readonly string[]): string {
  return bytesOf(sets.join('')).sort().join('');
}

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/);
const blanks = fc.stringMatching(/^[ \t]{0,2}$/);
const quoted = fc
  .array(fc.oneof(fc.constantFrom('\\"', '\\\\', '\t', 'é', ' '), fc.stringMatching(/^[!#-[\]-~]$/)), {
    maxLength: 6,
  })
  .map((parts) => `"${parts.join('')}"`);
const extension = fc
  .tuple(blanks, blanks, token, fc.option(fc.tuple(blanks, blanks, fc.oneof(token, quoted))))
  .map(([before, behind, name, value]) =>
    value === null
      ? `${before};${behind}${name}`
      : `${before};${behind}${name}${value[0]}=${value[1]}${value[2]}`,
  );
const chunk = fc
  .tuple(
    fc.stringMatching(/^[\s\S]{1,20}$/).filter((text) => /^[\0-\xff]+$/.test(text)),
    fc.array(extension, { maxLength: 2 }),
    fc.nat(3),
    fc.boolean(),
  )
  .map(([data, extensions, zeros, upper]) => {
    const digits = data.length.toString(16).padStart(zeros + 1, '0');
    return {
      data,
      text: `${upper ? digits.toUpperCase() : digits}${extensions.join('')}\r\n${data}\r\n`,
    };
  });
const trailer = fc
  .tuple(token, fc.stringMatching(/^[!-~]{0,8}$/))
  .map(([name, value]) => `X-${name}: ${value}`);
const wholeBody = fc
  .tuple(
    fc.array(chunk, { maxLength: 6 }),
    fc.array(extension, { maxLength: 1 }),
    fc.array(trailer, { maxLength: 3 }),
  )
  .map(([chunks, extensions, trailers]) => ({
    data: chunks.map(({ data }) => data).join(''),
    trailers,
    text: `${chunks.map(({ text }) => text).join('')}0${extensions.join('')}\r\n${trailers.map((line) => `${line}\r\n`).join('')}\r\n`,
  }));

/** Cuts `text` at places that the numbers choose. */
function cut(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((at) => at % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((at, index) => text.slice(at, places[index] ?? text.length));
}

describe('a chunked body', () => {
  test('means the same in whatever pieces it comes, and leaves what is behind it alone', () => {
    fc.assert(
      fc.property(wholeBody, fc.array(fc.nat(), { maxLength: 12 }), (body, cuts) => {
        const reading = read(cut(`${body.text}GET / HTTP/1.1\r\n`, cuts));
        expect(reading).toEqual({
          outcome: 'done',
          body: body.data,
          trailers: body.trailers,
          readBytes: body.text.length,
        });
      }),
      { numRuns: 500 },
    );
  });

  test('is not over before its last byte', () => {
    fc.assert(
      fc.property(wholeBody, fc.nat(), ({ text }, at) => {
        expect(read([text.slice(0, at % text.length)]).outcome).toBe('more');
      }),
      { numRuns: 300 },
    );
  });

  test('a reader serves one body after another, also after one that was broken off', () => {
    const reader = new ChunkedReader();
    for (const broken of ['3;a="', '3\r\nab', '0\r\nX-A: 1\r\nX', '0\r\n', 'zz']) {
      read([broken], reader);
      expect(read(['3\r\nabc\r\n0\r\nX-B: 2\r\n\r\n'], reader)).toMatchObject({
        outcome: 'done',
        body: 'abc',
        trailers: ['X-B: 2'],
      });
    }
  });
});

/** Every byte at one place of the grammar: those that may stand there. */
function allowed(before: string, behind: string, good: (outcome: Reading) => boolean): string {
  let found = '';
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    if (good(readBoth(before + char + behind))) found += char;
  }
  return found;
}

const done = ({ outcome }: Reading): boolean => outcome === 'done';
const TCHAR = "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
const LATIN = Array.from({ length: 128 }, (_, index) => String.fromCharCode(128 + index)).join('');
const VISIBLE = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join('');
const END = '\r\n0\r\n\r\n';

describe('which bytes may stand where (RFC 9112 section 7.1)', () => {
  test('first in a size: a digit', () => {
    expect(allowed('', `\r\n`, ({ outcome }) => outcome === 'more')).toBe('0123456789ABCDEFabcdef');
  });

  test('second in a size: a digit, and what begins an extension or the line end', () => {
    const size = allowed('0', '\r\n\r\n', ({ outcome }) => outcome === 'done');
    expect(size).toBe('0');
    expect(allowed('1', `e\r\nx${END}`, done)).toBe(';');
    expect(allowed('1', `\nx${END}`, done)).toBe('\r');
  });

  test('LF of the size line', () => expect(allowed('1\r', `x${END}`, done)).toBe('\n'));
  test('CR behind the data', () => expect(allowed('1\r\nx', '\n0\r\n\r\n', done)).toBe('\r'));
  test('LF behind the data', () => expect(allowed('1\r\nx\r', '0\r\n\r\n', done)).toBe('\n'));
  test('LF of the last size line', () => expect(allowed('0\r', '\r\n', done)).toBe('\n'));
  test('CR of the end', () => expect(allowed('0\r\n', '\n', done)).toBe('\r'));
  test('LF of the end', () => expect(allowed('0\r\n\r', '', done)).toBe('\n'));
  test('data: anything', () => expect(allowed('1\r\n', END, done)).toHaveLength(256));

  test('first in the name of an extension: tchar, or a blank before it', () => {
    expect(allowed('1;', `n\r\nx${END}`, done)).toBe(`\t ${TCHAR}`);
  });
  test('in the name of an extension', () => {
    // `;` begins another one, `=` its value, a blank may come before either.
    expect(allowed('1;n', `n\r\nx${END}`, done)).toBe(sorted(TCHAR, ';='));
  });
  test('in a value', () => {
    expect(allowed('1;n=v', `v\r\nx${END}`, done)).toBe(sorted(TCHAR, ';'));
  });
  test('in a quoted value', () => {
    const text = VISIBLE.replace('"', '');
    expect(allowed('1;n="v', `v"\r\nx${END}`, done)).toBe(sorted(text, LATIN, '\t '));
  });
  test('behind a backslash', () => {
    expect(allowed('1;n="\\', `v"\r\nx${END}`, done)).toBe(sorted(VISIBLE, LATIN, '\t '));
  });

  test.each([
    '1 ',
    '1\t',
    '1 ;',
    '1;',
    '1;n=',
    '1;n ',
    '1;n= ',
    '1;n="v',
    '1;n="v"x',
    '1;n=v"w"',
    '1 n',
    '1 =v',
    '1;=v',
    '1;n=v=w',
    '1;n=v ',
    '1;n;',
    ' 1',
    '+1',
    '-1',
    '0x1',
    '1_',
    '1,',
    '',
  ])('a size line %j is refused', (line) => {
    expect(readBoth(`${line}\r\nx${END}`).outcome).toBe('malformed');
  });
});

describe('limits', () => {
  test('of the digits of a size', () => {
    expect(readBoth(`${'1'.padStart(13, '0')}\r\nx${END}`).outcome).toBe('done');
    expect(readBoth(`${'1'.padStart(14, '0')}\r\nx${END}`).outcome).toBe('malformed');
    expect(readBoth('fffffffffffff\r\nx').outcome).toBe('more');
    expect(readBoth('10000000000000\r\n').outcome).toBe('malformed');
  });

  test('of extensions, in one chunk and in all together', () => {
    const line = (length: number): string => `1;${'e'.repeat(length - 1)}\r\nx\r\n`;
    expect(readBoth(`${line(4096)}0\r\n\r\n`).outcome).toBe('done');
    expect(readBoth(line(4097)).outcome).toBe('malformed');
    expect(readBoth(`${line(1024).repeat(4)}0\r\n\r\n`).outcome).toBe('done');
    expect(readBoth(`${line(1024).repeat(4)}1;e\r\n`).outcome).toBe('malformed');
  });

  test('of trailers: bytes and lines, also when the next request is behind them', () => {
    const section = (length: number): string => `0\r\nX: ${'x'.repeat(length - 7)}\r\n\r\n`;
    for (const behind of ['', 'GET / HTTP/1.1\r\n'.repeat(1000)]) {
      expect(read([section(8192) + behind]).outcome).toBe('done');
      expect(read([section(8193) + behind]).outcome).toBe('malformed');
    }
    expect(readBoth(section(8192)).outcome).toBe('done');
    expect(readBoth(section(8193)).outcome).toBe('malformed');
    expect(readBoth(`0\r\n${'X:\r\n'.repeat(50)}\r\n`).outcome).toBe('done');
    expect(readBoth(`0\r\n${'X:\r\n'.repeat(51)}\r\n`).outcome).toBe('malformed');
  });

  test.each(['X : 1', ' X: 1', 'X', ': 1', 'X: \0', 'X: a\rb', 'X: a\nb'])(
    'a trailer %j is refused',
    (line) => {
      expect(readBoth(`0\r\n${line}\r\n\r\n`).outcome).toBe('malformed');
    },
  );
});

test('byte by byte costs no more than the bytes', () => {
  const costOf = (lines: number, length: number): number => {
    const text = `0\r\n${`X: ${'x'.repeat(length)}\r\n`.repeat(lines)}`;
    const pieces = bytesOf(text);
    // The best of some rounds, by the time of the processor: others use the machine too.
    const rounds = Array.from({ length: 7 }, () => cpuMsOf(() => read(pieces)));
    return Math.min(...rounds) / pieces.length;
  };
  // One line of 8000 bytes is not parsed 8000 times.
  expect(costOf(1, 8000) / costOf(1, 500)).toBeLessThan(8);
});
