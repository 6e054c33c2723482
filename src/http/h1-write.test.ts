import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { MemoryNetwork } from '../../test/support/memory-connection.ts';
import { type HttpMessage, parseRequest, parseResponse } from '../../test/support/strict-http.ts';
import type { Field } from '../../test/support/strict-fields.ts';
import { fieldLine, fieldName, Fields } from '../model/fields.ts';
import { knownFieldId, Known } from '../model/known-fields.ts';
import { Framing, RequestHead, ResponseHead } from '../model/message.ts';
import type { Connection } from '../net/connection.ts';
import { runTurn } from '../net/turn.ts';
import { normalisePath } from '../util/uri-path.ts';
import { RequestParser } from './h1-request.ts';
import { ResponseParser } from './h1-response.ts';
import { Persistence, writeChunk, writeLastChunk, writeRequestHead, writeResponseHead } from './h1-write.ts';

/** The bytes that `write` sends. */
function written(write: (connection: Connection) => void): Buffer {
  const peer = new MemoryNetwork().peer();
  runTurn(() => write(peer.connection));
  return Buffer.concat(peer.writes);
}

const LIMITS = { requestLine: 8192, headerBytes: 32_768, headerCount: 100 };

/** Reads a request as the data path does; undefined when it is refused or not whole. */
function readRequest(bytes: Buffer): RequestHead | undefined {
  const head = new RequestHead();
  if (new RequestParser(LIMITS).parse(bytes, 0, bytes.length, head) < 0) return undefined;
  const path = head.path === '*' ? '*' : normalisePath(head.path);
  if (path === undefined) return undefined;
  head.path = path;
  return head;
}

/** What another reader makes of what is forwarded for a request: a canonical message, or the test fails. */
function forwarded(head: RequestHead): HttpMessage {
  const bytes = written((connection) => {
    const length = writeRequestHead(connection, head);
    expect(length).toBe(connection.open(0).length);
  });
  const parsed = parseRequest(bytes, 0);
  if (parsed.kind === 'violation') throw new Error(`${parsed.reason}: ${bytes.latin1Slice()}`);
  const message = parsed.kind === 'message' ? parsed.message : parsed.head;
  if (message === undefined) throw new Error(`not whole: ${bytes.latin1Slice()}`);
  if (parsed.kind === 'message') expect(parsed.end).toBe(bytes.length);
  return message;
}

/** Lines as somebody reads them who knows nothing of this code. */
function naiveLines(text: string): Field[] {
  const [head = ''] = text.replace(/^\r\n/, '').split('\r\n\r\n');
  return head
    .split('\r\n')
    .slice(1)
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')] as const;
    });
}

const ALWAYS_GONE = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
]);

/** What of a request's lines must reach the endpoint, in this order and case, by RFC 9110 section 7.6.1. */
function endToEnd(lines: readonly Field[]): Field[] {
  const named = new Set(
    lines
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.split(',').map((token) => token.trim().toLowerCase())),
  );
  return lines.filter(([name]) => {
    const lower = name.toLowerCase();
    const hyphens = Buffer.from(lower.replaceAll('_', '-'), 'latin1');
    const alias = lower.includes('_') && knownFieldId(hyphens, 0, hyphens.length) !== Known.Other;
    return !ALWAYS_GONE.has(lower) && !named.has(lower) && !alias;
  });
}

function without(fields: readonly Field[], ...names: string[]): Field[] {
  return fields.filter(([name]) => !names.includes(name.toLowerCase()));
}

/** Whatever was accepted means one thing, and the same as what came. */
function checkRequest(text: string): boolean {
  const head = readRequest(Buffer.from(text, 'latin1'));
  if (head === undefined) return false;
  // HTTP/1.0 without Host: the data path names the endpoint.
  if (head.authority === '') head.authority = 'endpoint.test';
  const message = forwarded(head);
  expect(message.method).toBe(head.method);
  expect(message.target).toBe(head.path + head.query);
  const expectedFraming =
    head.framing === Framing.Chunked ? 'chunked' : head.framing === Framing.Length ? 'length' : 'none';
  expect(message.framing).toBe(expectedFraming);
  const hosts = message.fields.filter(([name]) => name.toLowerCase() === 'host').map(([, value]) => value);
  expect(hosts).toEqual([head.authority]);
  // Ours aside, the lines are those of the client that are not hop by hop, in order and case, and blanks around values gone.
  const ours = ['host', 'content-length', 'transfer-encoding', 'expect', 'connection', 'upgrade', 'te'];
  expect(without(message.fields, ...ours)).toEqual(without(endToEnd(naiveLines(text)), ...ours));
  const connection = message.fields.filter(([name]) => name === 'Connection').map(([, value]) => value);
  const options = [...(head.upgrade === '' ? [] : ['upgrade']), ...(head.acceptsTrailers ? ['TE'] : [])];
  expect(connection).toEqual(options.length === 0 ? [] : [options.join(', ')]);
  return true;
}

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,10}$/);
const value = fc.stringMatching(/^(?:[!-~\x80-\xff][ \t!-~\x80-\xff]{0,12}[!-~\x80-\xff])?$/);
const blank = fc.stringMatching(/^[ \t]{0,2}$/);
const anyCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((upper) => text.replaceAll(/./g, (char, at: number) => (upper[at]! ? char.toUpperCase() : char)));
const special = fc.constantFrom(
  'Connection: close',
  'Connection: keep-alive, x-hop',
  'connection: X-Hop',
  'X-Hop: hop',
  'Keep-Alive: timeout=3',
  'TE: trailers',
  'te: gzip;q=0.5, trailers',
  'Upgrade: websocket',
  'Connection: upgrade',
  'Content-Length: 0',
  'Content-Length:  12',
  'Content-Length: 012',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'X_Forwarded_For: 1',
  'Proxy-Connection: keep-alive',
  'Connection: content-length',
  'Cookie: a=b',
  'Accept:',
);
const line = fc.oneof(
  special,
  fc
    .tuple(token, blank, value, blank)
    .map(([name, before, text, behind]) => `${name}:${before}${text}${behind}`),
);
const target = fc.oneof(
  fc.webPath({ size: 'small' }).map((path) => (path.startsWith('/') ? path : `/${path}`)),
  fc.constantFrom(
    '/',
    '/a/../b',
    '/a//b?c=d?e',
    '/%41%2f',
    '//x',
    '*',
    'http://B.test:80/x?y',
    'http://c.test',
    '/a;b',
  ),
);
const requestText = fc
  .tuple(
    fc.boolean(),
    fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE', 'PROPFIND'),
    target,
    fc.constantFrom('1.1', '1.1', '1.1', '1.0'),
    fc.array(line, { maxLength: 8 }),
    anyCase('Host').chain((name) => fc.constantFrom([`${name}: a.test:81`], [`${name}:\t[::1] `], [])),
    fc.nat(),
  )
  .map(([blankLine, method, path, version, lines, host, at]) => {
    const all = [...lines];
    all.splice(at % (lines.length + 1), 0, ...host);
    return `${blankLine ? '\r\n' : ''}${method} ${path} HTTP/${version}\r\n${all.map((text) => `${text}\r\n`).join('')}\r\n`;
  });

describe('a request that is forwarded', () => {
  test('means what the client sent, to a reader who knows nothing of this code', () => {
    let accepted = 0;
    fc.assert(
      fc.property(requestText, (text) => {
        if (checkRequest(text)) accepted++;
      }),
      { numRuns: 1500 },
    );
    // The generator is not one of refusals.
    expect(accepted).toBeGreaterThan(500);
  });

  test('after any damage: refused, or as clear as before', () => {
    const damage = fc.tuple(
      fc.constantFrom('replace', 'insert', 'delete', 'repeat', 'swap'),
      fc.nat(),
      fc.nat(),
      fc.constantFrom(
        ...'\0\t\n\r !"#,:;=_/\\\x7f\x80\xff'.split(''),
        '\r\n',
        '\r\n ',
        '\r\n\r\n',
        'chunked',
        ' HTTP/1.1',
      ),
    );
    fc.assert(
      fc.property(requestText, fc.array(damage, { minLength: 1, maxLength: 3 }), (good, damages) => {
        let text = good;
        for (const [how, first, second, char] of damages) {
          const at = first % (text.length + 1);
          const length = second % 12;
          const end = Math.min(text.length, at + length);
          if (how === 'replace') text = text.slice(0, at) + char + text.slice(at + 1);
          else if (how === 'insert') text = text.slice(0, at) + char + text.slice(at);
          else if (how === 'delete') text = text.slice(0, at) + text.slice(end);
          else if (how === 'repeat') text = text.slice(0, end) + text.slice(at);
          else text = text.slice(0, at) + text.slice(at).split('').reverse().join('');
        }
        checkRequest(text);
      }),
      { numRuns: 2500 },
    );
  });

  test.each([
    ['as it came', 'GET /a?b HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\n\r\n'],
    ['with odd case and a length', 'PUT / HTTP/1.1\r\nhOsT: a.test\r\nContent-Length: 3\r\nx-A: 1\r\n\r\n'],
  ])('goes out %s when nothing has to change', (_name, text) => {
    const head = readRequest(Buffer.from(text))!;
    expect(written((connection) => writeRequestHead(connection, head)).latin1Slice()).toBe(text);
  });

  test('has what was removed and added on the way, at its end', () => {
    const text = 'GET / HTTP/1.1\r\nX-A: 1\r\nHost: a.test\r\nX-B:2\r\nX-a: 3\r\n\r\n';
    const head = readRequest(Buffer.from(text))!;
    head.fields.remove(fieldName('x-a'));
    head.fields.add(fieldLine('X-C', '4'));
    head.path = '/changed';
    expect(written((connection) => writeRequestHead(connection, head)).latin1Slice()).toBe(
      'GET /changed HTTP/1.1\r\nHost: a.test\r\nX-B: 2\r\nX-C: 4\r\n\r\n',
    );
  });

  test('may be large, and larger than what is usual', () => {
    const big = 'x'.repeat(200_000);
    const text = `GET / HTTP/1.1\r\nHost: a.test\r\nX-A: ${big}\r\n\r\n`;
    const head = new RequestHead();
    const bytes = Buffer.from(text);
    const parser = new RequestParser({ ...LIMITS, headerBytes: 1_000_000 });
    expect(parser.parse(bytes, 0, bytes.length, head)).toBe(bytes.length);
    head.fields.add(fieldLine('X-B', big));
    const out = written((connection) => writeRequestHead(connection, head)).latin1Slice();
    expect(out === text.replace(/\r\n$/, `X-B: ${big}\r\n\r\n`)).toBe(true);
  });
});

/** Reads a response as the data path does, and forwards it to a client of HTTP/1.1. */
function checkResponse(text: string, method: string): boolean {
  const head = new ResponseHead();
  const bytes = Buffer.from(text, 'latin1');
  if (new ResponseParser().parse(bytes, 0, bytes.length, head, method === 'HEAD') < 0) return false;
  const chunked = head.framing === Framing.Chunked || head.framing === Framing.Close;
  const out = written((connection) => writeResponseHead(connection, head, chunked, Persistence.Default));
  const parsed = parseResponse(out, 0, method, false);
  if (parsed.kind === 'violation') throw new Error(`${parsed.reason}: ${out.latin1Slice()}`);
  const message = parsed.kind === 'message' ? parsed.message : parsed.head!;
  expect(message.status).toBe(head.status);
  const framing = chunked ? 'chunked' : head.framing === Framing.Length ? 'length' : 'none';
  // A body that ends with the connection would never end here: the connection stays.
  expect(message.framing).toBe(framing);
  const lines = naiveLines(text);
  const named = lines
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, tokens]) => tokens.split(',').map((each) => each.trim().toLowerCase()))
    .filter((name) => name !== 'set-cookie');
  const gone = [
    ...named,
    'connection',
    'keep-alive',
    'proxy-connection',
    'proxy-authenticate',
    'te',
    'transfer-encoding',
    'upgrade',
    'content-length',
  ];
  const kept = lines.filter(([name]) => !name.includes('_'));
  const came = message.fields.filter(([name]) => !name.includes('_'));
  expect(without(came, ...gone)).toEqual(without(kept, ...gone));
  expect(came.filter(([name]) => ['connection', 'keep-alive', 'te'].includes(name.toLowerCase()))).toEqual(
    head.upgrade === '' ? [] : [['Connection', 'upgrade']],
  );
  return true;
}

const responseLine = fc.oneof(
  line,
  fc.constantFrom(
    'Content-Length: 5',
    'Content-Length: 005',
    'content-length:5',
    'Transfer-Encoding: chunked',
    'Connection: Content-Length',
    'Connection: Set-Cookie, Date, Transfer-Encoding',
    'Set-Cookie: a=b',
    'Date: now',
    'Keep-Alive: timeout=5',
    'Upgrade: h2c',
  ),
);
const responseText = fc
  .tuple(
    fc.constantFrom('1.1', '1.1', '1.0'),
    fc.constantFrom(100, 103, 200, 204, 206, 304, 404, 599),
    fc.constantFrom('', ' ', ' OK', ' Not \xe9 Good'),
    fc.array(responseLine, { maxLength: 8 }),
  )
  .map(
    ([version, status, reason, lines]) =>
      `HTTP/${version} ${status}${reason}\r\n${lines.map((text) => `${text}\r\n`).join('')}\r\n`,
  );

describe('a response that is forwarded', () => {
  test('means what the endpoint sent, has one framing, and nothing that was between the endpoint and us', () => {
    let accepted = 0;
    fc.assert(
      fc.property(responseText, fc.constantFrom('GET', 'HEAD'), (text, method) => {
        if (checkResponse(text, method)) accepted++;
      }),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  test.each([
    ['Content-Length: 5', 'Connection: Content-Length'],
    ['Content-Length: 5', 'Connection: close, content-length'],
  ])('has its length, although Connection names it', (...lines) => {
    expect(checkResponse(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\n\r\n`, 'GET')).toBe(true);
  });

  test('says what becomes of the connection', () => {
    const head = new ResponseHead();
    head.status = 200;
    head.reason = 'OK';
    head.framing = Framing.Length;
    const lines = [Persistence.Default, Persistence.Close, Persistence.KeepAlive].map((persistence) =>
      written((connection) => writeResponseHead(connection, head, false, persistence)).latin1Slice(),
    );
    expect(lines).toEqual([
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n',
    ]);
  });
});

describe('chunks', () => {
  test('of any size are read as they were written, and an empty one does not end the body', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { maxLength: 8 }), (sizes) => {
        const out = written((connection) => {
          for (const size of sizes) writeChunk(connection, Buffer.alloc(size + 3, 'x'), 3, size + 3);
          writeLastChunk(connection, undefined);
        });
        const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
        const parsed = parseResponse(Buffer.concat([Buffer.from(head), out]), 0, 'GET', false);
        expect(parsed.kind).toBe('message');
        if (parsed.kind !== 'message') return;
        expect(parsed.message.body.length).toBe(sizes.reduce((sum, size) => sum + size, 0));
        expect(parsed.end).toBe(head.length + out.length);
      }),
      { numRuns: 50 },
    );
  });

  test('may be followed by trailers, without those that were dropped', () => {
    const text = 'X-A: 1\r\nX-B:2\r\nX-C: 3\r\n';
    const trailers = new Fields();
    trailers.reset(Buffer.from(text));
    trailers.push(Known.Other, 0, 3, 5, 6, true);
    trailers.push(Known.Other, 8, 11, 12, 13, false);
    trailers.push(Known.Other, 15, 18, 20, 21, true);
    trailers.drop(0);
    expect(written((connection) => writeLastChunk(connection, trailers)).latin1Slice()).toBe(
      '0\r\nX-B: 2\r\nX-C: 3\r\n\r\n',
    );
  });
});
