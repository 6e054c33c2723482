import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import type { FailureCode } from '../model/failures.ts';
import { Framing, RequestHead } from '../model/message.ts';
import { MALFORMED, NEED_MORE } from './h1-fields.ts';
import { hasBody, type RequestLimits, RequestParser } from './h1-request.ts';

const LIMITS: RequestLimits = { requestLine: 8192, headerBytes: 32_768, headerCount: 100 };

interface Parsed {
  readonly outcome: 'whole' | 'more' | FailureCode;
  readonly end: number;
  readonly head: RequestHead;
  readonly keepAlive: boolean;
}

function parse(text: string, limits = LIMITS): Parsed {
  const parser = new RequestParser(limits);
  const head = new RequestHead();
  // Not at the beginning of its memory, as in a larger read.
  const bytes = Buffer.from(`before${text}`, 'latin1');
  const end = parser.parse(bytes, 6, bytes.length, head);
  const outcome = end === NEED_MORE ? 'more' : end === MALFORMED ? parser.failure : 'whole';
  return { outcome, end: end - 6, head, keepAlive: parser.keepAlive };
}

/** A request of these lines, Host included. */
function request(...lines: readonly string[]): string {
  return ['GET / HTTP/1.1', 'Host: a.test', ...lines, '', ''].join('\r\n');
}

/** Every byte at one place: those with which the head is accepted. */
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

const TCHAR = "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
const VCHAR = range(33, 126);
const OBS_TEXT = range(128, 255);
const HOST_REST = '\r\nHost: a.test\r\n\r\n';

describe('which bytes may stand where (RFC 9112)', () => {
  test('first in the method', () => expect(allowed('', `ET / HTTP/1.1${HOST_REST}`)).toBe(TCHAR));
  test('within the method', () => expect(allowed('G', `T / HTTP/1.1${HOST_REST}`)).toBe(TCHAR));
  test('behind the method: one space', () => expect(allowed('GET', `/ HTTP/1.1${HOST_REST}`)).toBe(' '));
  test('first in the target: a slash', () => expect(allowed('GET ', `a HTTP/1.1${HOST_REST}`)).toBe('/'));
  test('within the target: visible ASCII but no fragment', () =>
    expect(allowed('GET /a', `b HTTP/1.1${HOST_REST}`)).toBe(VCHAR.replace('#', '')));
  test('behind the target: one space', () => {
    expect(allowed('GET /', `HTTP/1.1${HOST_REST}`)).toBe(' ');
    expect(allowed('GET / ', `HTTP/1.1${HOST_REST}`)).toBe('');
  });
  test.each([...'HTTP/1.'.split('').entries()])('at %i of the version: %s', (index, char) => {
    const version = 'HTTP/1.1';
    expect(allowed(`GET / ${version.slice(0, index)}`, version.slice(index + 1) + HOST_REST)).toBe(char);
  });
  test('minor version: 0 or 1', () => expect(allowed('GET / HTTP/1.', HOST_REST)).toBe('01'));
  test('behind the version: CR LF', () => {
    expect(allowed('GET / HTTP/1.1', '\nHost: a.test\r\n\r\n')).toBe('\r');
    expect(allowed('GET / HTTP/1.1\r', 'Host: a.test\r\n\r\n')).toBe('\n');
  });

  const before = 'GET / HTTP/1.1\r\nHost: a.test\r\n';
  // A colon ends the name, and the rest is a value.
  test('first in a field name', () => expect(allowed(before, 'b: c\r\n\r\n')).toBe(TCHAR));
  test('within a field name', () =>
    expect(allowed(`${before}a`, 'b: c\r\n\r\n')).toBe(`${TCHAR}:`.split('').sort().join('')));
  test('before the colon: nothing but the name', () =>
    expect(allowed(`${before}a`, ': c\r\n\r\n')).toBe(`${TCHAR}:`.split('').sort().join('')));
  test('first in a value, or before it', () =>
    expect(allowed(`${before}a:`, 'c\r\n\r\n')).toBe(`\t ${VCHAR}${OBS_TEXT}`));
  test('within a value', () => expect(allowed(`${before}a: b`, 'c\r\n\r\n')).toBe(`\t ${VCHAR}${OBS_TEXT}`));
  test('behind a value: CR LF', () => {
    expect(allowed(`${before}a: b`, '\n\r\n')).toBe('\r');
    expect(allowed(`${before}a: b\r`, '\r\n')).toBe('\n');
  });
  test('the empty line: CR LF', () => {
    expect(allowed(before, '\n')).toBe('\r');
    expect(allowed(`${before}\r`, '')).toBe('\n');
  });
  test('before the request: one empty line', () => {
    expect(parse(`\r\n${request()}`).outcome).toBe('whole');
    expect(parse(`\r\n\r\n${request()}`).outcome).toBe('request_malformed');
    expect(parse(`\n${request()}`).outcome).toBe('request_malformed');
    expect(parse(` ${request()}`).outcome).toBe('request_malformed');
  });
});

describe('Host (RFC 9112 section 3.2)', () => {
  const host = (value: string): string => `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`;
  const NAME = '-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~';

  test('its bytes', () => {
    // A colon would begin a port, and a blank at the end is none of it.
    expect(allowed('GET / HTTP/1.1\r\nHost: a', 'b\r\n\r\n')).toBe(NAME);
    expect(allowed('GET / HTTP/1.1\r\nHost: a:', '\r\n\r\n')).toBe('0123456789');
    expect(allowed('GET / HTTP/1.1\r\nHost: [:', ']\r\n\r\n')).toBe('.0123456789:ABCDEFabcdef');
  });
  test.each(['a', 'a.b:80', '127.0.0.1', '127.0.0.1:65535', '[::1]', '[2001:DB8::1]:443', 'a:0', '_x.y'])(
    '%s is one',
    (value) => {
      const { outcome, head } = parse(host(value));
      expect([outcome, head.authority]).toEqual(['whole', value]);
    },
  );
  test.each([
    '',
    ':80',
    'a:',
    'a:65536',
    'a:123456',
    'a:8x',
    'a:80:80',
    'a b',
    'a,b',
    'a/b',
    'a?b',
    'u@a',
    '[::1',
    '::1',
    '[]',
    '[::1]x',
    '[g::1]',
    'a%41',
    '"a"',
  ])('%j is none', (value) => expect(parse(host(value)).outcome).toBe('request_host'));
  test('is there once; HTTP/1.0 may leave it out', () => {
    expect(parse('GET / HTTP/1.1\r\n\r\n').outcome).toBe('request_host');
    expect(parse(request('Host: a.test')).outcome).toBe('request_host');
    expect(parse(request('HOST: b.test')).outcome).toBe('request_host');
    const { outcome, head } = parse('GET / HTTP/1.0\r\n\r\n');
    expect([outcome, head.authority, head.hostReplaced]).toEqual(['whole', '', true]);
    expect(parse('GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n').outcome).toBe('request_host');
  });
});

describe('the target (RFC 9112 section 3.2)', () => {
  const line = (method: string, target: string): Parsed =>
    parse(`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`);

  test.each([
    ['/', '/', ''],
    ['/a/b?c=d', '/a/b', '?c=d'],
    ['/?', '/', '?'],
    ['/a??b', '/a', '??b'],
    ['//a/b', '//a/b', ''],
    ['http://b.test', '/', ''],
    ['HTTP://b.test:80/x?y', '/x', '?y'],
    ['https://b.test?y', '/', '?y'],
  ])('%s', (target, path, query) => {
    const { outcome, head } = line('GET', target);
    expect([outcome, head.path, head.query]).toEqual(['whole', path, query]);
    const named = /^https?:\/\/([^/?]*)/i.exec(target)?.[1];
    expect([head.authority, head.hostReplaced]).toEqual([named ?? 'a.test', named !== undefined]);
    expect(head.fields.written()).toEqual(named === undefined ? ['Host: a.test'] : []);
  });
  test.each([
    ['GET', '*', 'request_target'],
    ['OPTIONS', '**', 'request_target'],
    ['GET', 'a', 'request_target'],
    ['GET', 'a.test:80', 'request_target'],
    ['GET', 'ftp://a.test/', 'request_target'],
    ['GET', 'http:///a', 'request_target'],
    ['GET', 'http://u@a.test/', 'request_target'],
    ['GET', 'http:/a', 'request_target'],
    ['GET', '/a#b', 'request_target'],
    ['CONNECT', 'a.test:443', 'method_unsupported'],
    ['CONNECT', '/', 'method_unsupported'],
    ['TRACE', '/', 'method_unsupported'],
  ] as const)('%s %s is refused', (method, target, code) => expect(line(method, target).outcome).toBe(code));
  test('OPTIONS of the server as a whole', () => {
    expect(line('OPTIONS', '*').head.path).toBe('*');
    expect(line('OPTIONS', 'http://b.test').head.path).toBe('*');
    expect(line('OPTIONS', 'http://b.test/').head.path).toBe('/');
    expect(line('OPTIONS', 'http://b.test?x').head.path).toBe('/');
  });
});

describe('the version', () => {
  test.each([
    ['HTTP/1.2', 'version_unsupported'],
    ['HTTP/1.9', 'version_unsupported'],
    ['HTTP/2.0', 'version_unsupported'],
    ['HTTP/0.9', 'version_unsupported'],
    ['http/1.1', 'request_malformed'],
    ['HTTP/1.11', 'request_malformed'],
    ['HTTP/11', 'request_malformed'],
    ['HTTP/1', 'request_malformed'],
    ['HTTP/1.', 'request_malformed'],
    ['XXXX/1.1', 'request_malformed'],
    ['', 'request_malformed'],
  ] as const)('%j', (version, code) => expect(parse(`GET / ${version}${HOST_REST}`).outcome).toBe(code));
  test('HTTP/0.9', () => expect(parse('GET /\r\n').outcome).toBe('request_malformed'));
});

describe('where the body ends (RFC 9112 section 6)', () => {
  test.each([
    [[], Framing.None, 0, false],
    [['Content-Length: 0'], Framing.Length, 0, false],
    [['Content-Length: 12'], Framing.Length, 12, true],
    [['content-length:\t12\t'], Framing.Length, 12, true],
    [['Content-Length: 0012'], Framing.Length, 12, true],
    [['Content-Length: 9007199254740991'], Framing.Length, Number.MAX_SAFE_INTEGER, true],
    [['Transfer-Encoding: chunked'], Framing.Chunked, 0, true],
    [['transfer-encoding: Chunked \t'], Framing.Chunked, 0, true],
  ] as const)('%j', (lines, framing, length, body) => {
    const { outcome, head } = parse(request(...lines));
    expect([outcome, head.framing, head.contentLength, hasBody(head)]).toEqual([
      'whole',
      framing,
      length,
      body,
    ]);
  });
  test.each([
    'Content-Length:',
    'Content-Length: +1',
    'Content-Length: -1',
    'Content-Length: 1 2',
    'Content-Length: 1,1',
    'Content-Length: 1, 2',
    'Content-Length: 0x1',
    'Content-Length: 1e1',
    'Content-Length: 1.0',
    'Content-Length: 1_0',
    'Content-Length: \u00b2',
    'Content-Length: 9007199254740992',
    'Content-Length: 18446744073709551617',
    'Content-Length: 1\r\nContent-Length: 1',
    'Content-Length: 1\r\nContent-Length: 2',
    'Content-Length: 1\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nContent-Length: 0',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked,',
    'Transfer-Encoding: ,chunked',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding: chunked;q=1',
    'Transfer-Encoding: chun ked',
    'Transfer-Encoding:',
    'Transfer-Encoding: \u00fechunked',
  ])('%j is refused', (lines) => expect(parse(request(lines)).outcome).toBe('request_framing'));
  test.each([
    'gzip, chunked',
    'gzip\r\nTransfer-Encoding: chunked',
    'gzip',
    'xchunked',
    'chunkedx',
    'deflate,gzip',
  ])('Transfer-Encoding: %s is not known', (value) =>
    expect(parse(request(`Transfer-Encoding: ${value}`)).outcome).toBe('transfer_coding_unsupported'),
  );
  test('HTTP/1.0 has no transfer coding', () =>
    expect(parse('GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n').outcome).toBe('request_framing'));
});

describe('limits, at the limit and one beyond', () => {
  const target = (length: number): string =>
    `GET /${'a'.repeat(length - 'GET / HTTP/1.1'.length)} HTTP/1.1${HOST_REST}`;
  const limits = { requestLine: 100, headerBytes: 1000, headerCount: 10 };

  test('the request line', () => {
    expect(parse(target(100), limits).outcome).toBe('whole');
    expect(parse(target(101), limits).outcome).toBe('request_uri_too_long');
    expect(parse(`GET /${'a'.repeat(200)}`, limits).outcome).toBe('request_uri_too_long');
  });
  test('the method', () => {
    expect(parse(`${'A'.repeat(32)} / HTTP/1.1${HOST_REST}`).outcome).toBe('whole');
    expect(parse(`${'A'.repeat(33)} / HTTP/1.1${HOST_REST}`).outcome).toBe('request_malformed');
    expect(parse('A'.repeat(33)).outcome).toBe('request_malformed');
  });
  test('the head', () => {
    const sized = (length: number): string => request(`X: ${'x'.repeat(length - request('X: ').length)}`);
    expect(sized(1000)).toHaveLength(1000);
    expect(parse(sized(1000), limits).outcome).toBe('whole');
    expect(parse(sized(1000) + 'body'.repeat(1000), limits).outcome).toBe('whole');
    expect(parse(sized(1001), limits).outcome).toBe('request_head_too_large');
    expect(parse(sized(1001).slice(0, -2), limits).outcome).toBe('more');
    expect(parse(`${sized(1001).slice(0, -4)}yy`, limits).outcome).toBe('more');
    expect(parse(`${sized(1001).slice(0, -4)}yyyyy`, limits).outcome).toBe('request_head_too_large');
  });
  test('the number of lines', () => {
    const lines = (count: number): string => request(...Array.from({ length: count - 1 }, () => 'X: 1'));
    expect(parse(lines(10), limits).outcome).toBe('whole');
    expect(parse(lines(11), limits).outcome).toBe('request_head_too_large');
  });
});

describe('a head that has not arrived whole', () => {
  const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
  const heads = fc
    .record({
      blank: fc.boolean(),
      method: fc.constantFrom('GET', 'POST', 'M-SEARCH', '!#$%'),
      target: fc.webPath().map((path) => (path.startsWith('/') ? path : `/${path}`)),
      lines: fc.array(
        fc.tuple(
          token.map((name) => `X-${name}`),
          fc.stringMatching(/^[ \t]{0,2}[!-~\x80-\xff]{0,10}[ \t]{0,2}$/),
        ),
        { maxLength: 6 },
      ),
    })
    .map(
      ({ blank, method, target, lines }) =>
        `${blank ? '\r\n' : ''}${method} ${target} HTTP/1.1\r\nHost: a\r\n${lines.map(([name, value]) => `${name}:${value}\r\n`).join('')}\r\n`,
    );

  test('is waited for at every byte, and what is behind it is not looked at', () => {
    fc.assert(
      fc.property(heads, fc.nat(), (text, at) => {
        expect(parse(text.slice(0, at % text.length)).outcome).toBe('more');
        for (const behind of ['', '\0', 'GET ']) {
          const { outcome, end } = parse(text + behind);
          expect([outcome, end]).toEqual(['whole', text.length]);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('hop by hop (RFC 9110 section 7.6.1)', () => {
  test('what Connection names goes, and so do those that are always between two', () => {
    const { head } = parse(
      request(
        'X-A: 1',
        'Connection: close, X-Hop , x-other',
        'X-HOP: 1',
        'x-Other: 2',
        'Keep-Alive: timeout=5',
        'Proxy-Connection: keep-alive',
        'Proxy-Authorization: x',
        'TE: trailers, gzip',
        'Upgrade: websocket',
        'HTTP2-Settings: x',
        'x-b: 2',
        'connection: X-Late',
        'X-Late: 1',
      ),
    );
    expect(head.fields.written()).toEqual(['Host: a.test', 'X-A: 1', 'x-b: 2']);
    expect([head.acceptsTrailers, head.upgrade]).toEqual([true, '']);
  });
  test.each(['host', 'Content-Length', 'transfer-encoding', 'cookie', 'Authorization', 'cache-control'])(
    'Connection may not name %s',
    (name) => expect(parse(request(`Connection: keep-alive, ${name}`)).outcome).toBe('request_connection'),
  );
  test.each([
    'Content_Length: 1',
    'transfer_encoding: chunked',
    'X_Forwarded_For: 1',
    'x-forwarded_for: 1',
    'HOST_: a',
  ])('%s', (line) => {
    const written = parse(request(line)).head.fields.written();
    expect(written).toEqual(line.startsWith('HOST_') ? ['Host: a.test', line] : ['Host: a.test']);
  });
});

describe('Expect and Upgrade', () => {
  test.each([
    [['Expect: 100-continue', 'Content-Length: 1'], true],
    [['expect: 100-Continue', 'Transfer-Encoding: chunked'], true],
    [['Expect: 100-continue'], false],
  ])('%j', (lines, waits) => {
    const { outcome, head } = parse(request(...lines));
    expect([outcome, head.expectContinue]).toEqual(['whole', waits]);
    expect(head.fields.written().join()).not.toContain('xpect');
  });
  test.each(['', '100', '100-continue, x', 'x=y'])('Expect: %j is not known', (value) =>
    expect(parse(request(`Expect: ${value}`)).outcome).toBe('expectation_unknown'),
  );
  test('HTTP/1.0 cannot wait', () =>
    expect(
      parse('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n').head.expectContinue,
    ).toBe(false));

  test.each([
    [['Connection: upgrade', 'Upgrade: websocket'], 'websocket'],
    [['Upgrade: WebSocket', 'Connection: keep-alive, Upgrade'], 'websocket'],
    [['Connection: upgrade', 'Upgrade: a', 'Upgrade: b'], 'b'],
    [['Upgrade: websocket'], ''],
    [['Connection: close', 'Upgrade: websocket'], ''],
    [['Connection: upgrade', 'Upgrade: h2c'], ''],
    [['Connection: upgrade', 'Upgrade: HTTP/2.0'], ''],
    [['Connection: upgrade', 'Upgrade: TLS/1.0'], ''],
    [['Connection: upgrade', 'Upgrade: websocket, h2c'], ''],
    [['Connection: upgrade', 'Upgrade:'], ''],
    [['Connection: upgrade'], ''],
  ])('%j', (lines, upgrade) => {
    const { outcome, head } = parse(request(...lines));
    expect([outcome, head.upgrade]).toEqual(['whole', upgrade]);
    expect(head.fields.written()).toEqual(['Host: a.test']);
  });
  test('with a body is refused', () => {
    const lines = ['Connection: upgrade', 'Upgrade: websocket'];
    expect(parse(request(...lines, 'Content-Length: 1')).outcome).toBe('request_upgrade_body');
    expect(parse(request(...lines, 'Transfer-Encoding: chunked')).outcome).toBe('request_upgrade_body');
    expect(parse(request(...lines, 'Content-Length: 0')).outcome).toBe('whole');
  });
});
