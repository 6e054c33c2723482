import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import type { FailureCode } from '../model/failures.ts';
import { Framing, ResponseHead } from '../model/message.ts';
import { MALFORMED, NEED_MORE } from './h1-fields.ts';
import { MAX_RESPONSE_HEAD, ResponseParser } from './h1-response.ts';

interface Parsed {
  readonly outcome: 'whole' | 'more' | FailureCode;
  readonly end: number;
  readonly head: ResponseHead;
  readonly keepAlive: boolean;
}

function parse(text: string, bodyless = false): Parsed {
  const parser = new ResponseParser();
  const head = new ResponseHead();
  const bytes = Buffer.from(`before${text}`, 'latin1');
  const end = parser.parse(bytes, 6, bytes.length, head, bodyless);
  const outcome = end === NEED_MORE ? 'more' : end === MALFORMED ? parser.failure : 'whole';
  return { outcome, end: end - 6, head, keepAlive: parser.keepAlive };
}

function response(status: number, ...lines: readonly string[]): string {
  return [`HTTP/1.1 ${status} Reason`, ...lines, '', ''].join('\r\n');
}

function allowed(before: string, behind: string): string {
  let found = '';
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    if (parse(before + char + behind).outcome === 'whole') found += char;
  }
  return found;
}

function range(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, index) => String.fromCharCode(from + index)).join('');
}

const TEXT = `\t ${range(33, 126)}${range(128, 255)}`;
const END = '\r\n\r\n';

describe('which bytes may stand where (RFC 9112 section 4)', () => {
  test.each([...'HTTP/1.'.split('').entries()])('at %i of the version: %s', (index, char) => {
    const version = 'HTTP/1.1';
    expect(allowed(version.slice(0, index), `${version.slice(index + 1)} 200 OK${END}`)).toBe(char);
  });
  test('minor version', () => expect(allowed('HTTP/1.', ` 200 OK${END}`)).toBe('01'));
  test('behind the version', () => expect(allowed('HTTP/1.1', `200 OK${END}`)).toBe(' '));
  test('first digit of the status', () => expect(allowed('HTTP/1.1 ', `00 OK${END}`)).toBe('12345'));
  test('second digit', () => expect(allowed('HTTP/1.1 2', `0 OK${END}`)).toBe('0123456789'));
  test('third digit', () => expect(allowed('HTTP/1.1 20', ` OK${END}`)).toBe('0123456789'));
  test('behind the status', () => {
    expect(allowed('HTTP/1.1 200', `OK${END}`)).toBe(' ');
    // Without a reason the blank may be missing, as it is with many servers.
    expect(allowed('HTTP/1.1 200', '\n\r\n')).toBe('\r');
  });
  test('reason', () => expect(allowed('HTTP/1.1 200 O', `K${END}`)).toBe(TEXT));
  test('line end', () => {
    expect(allowed('HTTP/1.1 200 OK', '\n\r\n')).toBe('\r');
    expect(allowed('HTTP/1.1 200 OK\r', '\r\n')).toBe('\n');
  });
  test('value', () => expect(allowed('HTTP/1.1 200 OK\r\nA: b', `c${END}`)).toBe(TEXT));
  test('end', () => {
    expect(allowed('HTTP/1.1 200 OK\r\nA: b\r\n', '\n')).toBe('\r');
    expect(allowed('HTTP/1.1 200 OK\r\nA: b\r\n\r', '')).toBe('\n');
  });
  test.each([
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 600 OK',
    'HTTP/2 200 OK',
    ' HTTP/1.1 200 OK',
    '\r\nHTTP/1.1 200 OK',
    '<html>',
  ])('%j is refused', (line) =>
    expect(parse(`${line}\r\nServer: anything${END}`).outcome).toBe('response_malformed'),
  );
});

describe('where the body ends (RFC 9112 section 6.3)', () => {
  const chunked = 'Transfer-Encoding: chunked';
  test.each([
    [200, false, [], Framing.Close, []],
    [200, false, ['Content-Length: 5'], Framing.Length, ['Content-Length: 5']],
    [200, false, ['Content-Length: 05'], Framing.Length, []],
    [200, false, [chunked], Framing.Chunked, []],
    [200, false, ['transfer-encoding:CHUNKED\t'], Framing.Chunked, []],
    [200, true, [], Framing.None, []],
    [200, true, ['Content-Length: 5'], Framing.None, ['Content-Length: 5']],
    [200, true, [chunked], Framing.None, []],
    [204, false, [], Framing.None, []],
    [204, false, ['Content-Length: 5'], Framing.None, []],
    [204, false, [chunked], Framing.None, []],
    [304, false, ['Content-Length: 5'], Framing.None, ['Content-Length: 5']],
    [304, false, [chunked], Framing.None, []],
    [100, false, ['Content-Length: 5'], Framing.None, []],
    [103, false, [chunked], Framing.None, []],
    [101, false, [], Framing.None, []],
  ] as const)('%d to HEAD: %p %j', (status, bodyless, lines, framing, written) => {
    const { outcome, head } = parse(response(status, ...lines), bodyless);
    expect([outcome, head.framing, head.fields.written()]).toEqual(['whole', framing, [...written]]);
  });
  test.each([
    ['Content-Length: 1\r\nContent-Length: 1', 'response_framing'],
    ['Content-Length: 1, 1', 'response_framing'],
    ['Content-Length: +1', 'response_framing'],
    ['Content-Length: ', 'response_framing'],
    ['Content-Length: 9007199254740992', 'response_framing'],
    [`${chunked}\r\nContent-Length: 1`, 'response_framing'],
    [`Content-Length: 1\r\n${chunked}`, 'response_framing'],
    [`${chunked}\r\n${chunked}`, 'response_transfer_coding'],
    ['Transfer-Encoding: gzip, chunked', 'response_transfer_coding'],
    ['Transfer-Encoding: identity', 'response_transfer_coding'],
    ['Transfer-Encoding: chunked,', 'response_transfer_coding'],
    ['Transfer-Encoding:', 'response_transfer_coding'],
    ['X : 1', 'response_malformed'],
    [' X: 1', 'response_malformed'],
    ['X', 'response_malformed'],
    ['X: a\0', 'response_malformed'],
  ] as const)('%j is refused, whatever the status and method', (lines, code) => {
    for (const status of [200, 204, 304, 103])
      for (const bodyless of [false, true])
        expect(parse(response(status, lines), bodyless).outcome).toBe(code);
  });
  test('HTTP/1.0 has no transfer coding', () =>
    expect(parse(`HTTP/1.0 200 OK\r\n${chunked}${END}`).outcome).toBe('response_framing'));
});

test('hop by hop fields go, order and case of the others stay', () => {
  const { head, keepAlive } = parse(
    response(
      200,
      'Content-Length: 1',
      'X-B: 2',
      'Connection: close, X-Hop',
      'x-hop: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: x',
      'Proxy-Authenticate: Basic',
      'Upgrade: h2c',
      'TE: x',
      'set-cookie: a=b',
      'Set-Cookie: c=d',
      'x-a:1',
    ),
  );
  expect(head.fields.written()).toEqual([
    'Content-Length: 1',
    'X-B: 2',
    'set-cookie: a=b',
    'Set-Cookie: c=d',
    'x-a: 1',
  ]);
  expect(keepAlive).toBe(false);
  // A cookie is for the client, whatever Connection says of it.
  expect(parse(response(200, 'Connection: Set-Cookie', 'Set-Cookie: a=b')).head.fields.written()).toEqual([
    'Set-Cookie: a=b',
  ]);
});

test.each(['Content-Length', 'content-length, transfer-encoding', 'Date'])(
  'Connection: %s does not change where the body ends',
  (named) => {
    const { outcome, head } = parse(response(200, `Connection: ${named}`, 'Content-Length: 5', 'Date: now'));
    expect([outcome, head.framing, head.contentLength]).toEqual(['whole', Framing.Length, 5]);
  },
);

describe('limits', () => {
  const lines = (count: number): string => response(200, ...Array.from({ length: count }, () => 'X: 1'));
  const sized = (length: number): string =>
    response(200, `X: ${'x'.repeat(length - response(200, 'X: ').length)}`);

  test('of lines', () => {
    expect(parse(lines(200)).outcome).toBe('whole');
    expect(parse(lines(201)).outcome).toBe('response_head_too_large');
  });
  test('of bytes', () => {
    expect(parse(sized(MAX_RESPONSE_HEAD)).outcome).toBe('whole');
    expect(parse(sized(MAX_RESPONSE_HEAD) + 'body'.repeat(1000)).outcome).toBe('whole');
    expect(parse(sized(MAX_RESPONSE_HEAD + 1)).outcome).toBe('response_head_too_large');
    expect(parse(`${sized(MAX_RESPONSE_HEAD).slice(0, -4)}yyyyy`).outcome).toBe('response_head_too_large');
    expect(parse(`HTTP/1.1 200 ${'x'.repeat(MAX_RESPONSE_HEAD)}`).outcome).toBe('response_head_too_large');
  });
});

test('a head that has not arrived whole is waited for, and what is behind it is not looked at', () => {
  const heads = fc
    .record({
      version: fc.constantFrom('1.0', '1.1'),
      status: fc.integer({ min: 100, max: 599 }),
      reason: fc.stringMatching(/^(?: [ !-~\x80-\xff]{0,10})?$/),
      lines: fc.array(fc.stringMatching(/^X-[a-z]{1,5}:[ \t]{0,2}[!-~]{0,8}[ \t]{0,2}$/), { maxLength: 5 }),
    })
    .map(
      ({ version, status, reason, lines }) =>
        `HTTP/${version} ${status}${reason}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`,
    );
  fc.assert(
    fc.property(heads, fc.nat(), (text, at) => {
      expect(parse(text.slice(0, at % text.length)).outcome).toBe('more');
      for (const behind of ['', '\0', 'HTTP/1.1 ']) {
        const { outcome, end } = parse(text + behind);
        expect([outcome, end]).toEqual(['whole', text.length]);
      }
    }),
    { numRuns: 500 },
  );
});
