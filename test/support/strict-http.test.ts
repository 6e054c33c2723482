import { describe, expect, test } from 'bun:test';

import { parseRequest, parseRequests, parseResponse } from './strict-http.ts';

function request(...lines: string[]): Buffer {
  return Buffer.from([...lines, '', ''].join('\r\n'), 'latin1');
}

const GOOD = request('POST /a?b=c HTTP/1.1', 'Host: a.test:80', 'Content-Length: 5');

describe('the strict parser of the tests', () => {
  test('reads a request with a length', () => {
    const parsed = parseRequest(Buffer.concat([GOOD, Buffer.from('hello')]), 0);
    expect(parsed.kind).toBe('message');
    if (parsed.kind !== 'message') return;
    expect(parsed.message).toMatchObject({ method: 'POST', target: '/a?b=c', framing: 'length' });
    expect(parsed.message.body.toString()).toBe('hello');
  });

  test('reads chunks and trailers', () => {
    const head = request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');
    const parsed = parseRequest(
      Buffer.concat([head, Buffer.from('2\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n')]),
      0,
    );
    if (parsed.kind !== 'message') throw new Error(parsed.kind);
    expect(parsed.message.body.toString()).toBe('abc');
    expect(parsed.message.trailers).toEqual([['X', 'y']]);
  });

  test('is patient at every byte, and right at the last', () => {
    const whole = Buffer.concat([
      request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'),
      Buffer.from('2\r\nab\r\n0\r\nX: y\r\n\r\n'),
    ]);
    for (let length = 0; length < whole.length; length++) {
      expect(parseRequest(whole.subarray(0, length), 0).kind).toBe('incomplete');
    }
    expect(parseRequest(whole, 0)).toMatchObject({ kind: 'message', end: whole.length });
  });

  test('finds the rest behind whole requests', () => {
    const bytes = Buffer.concat([GOOD, Buffer.from('hello'), GOOD, Buffer.from('he')]);
    const { messages, rest, violation } = parseRequests(bytes);
    expect(messages.length).toBe(1);
    expect(rest.length).toBe(GOOD.length + 2);
    expect(violation).toBeUndefined();
  });

  const violations: readonly (readonly [string, string])[] = [
    ['two blanks', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
    ['absolute-form', 'GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a fragment', 'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
    [
      'both framings',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n'],
    ['a coding that is not chunked', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n'],
    ['a bare LF', 'GET / HTTP/1.1\nHost: a\n\n'],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n'],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n'],
    ['a fold', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n'],
    ['a blank before the colon', 'GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n'],
    [
      'a chunk extension',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n',
    ],
    ['a long chunk', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n'],
    [
      'a framing trailer',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n',
    ],
  ];
  test.each(violations)('refuses %s', (_, text) => {
    expect(parseRequest(Buffer.from(text, 'latin1'), 0).kind).toBe('violation');
  });

  test('knows which responses have no body', () => {
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    expect(parseResponse(bytes, 0, 'HEAD', false).kind).toBe('message');
    expect(parseResponse(bytes, 0, 'GET', false).kind).toBe('incomplete');
    expect(
      parseResponse(Buffer.from('HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n'), 0, 'GET', false).kind,
    ).toBe('message');
    expect(
      parseResponse(Buffer.from('HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n'), 0, 'GET', false).kind,
    ).toBe('violation');
  });

  test('ends a body without a length with the connection only', () => {
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\n\r\nhello');
    expect(parseResponse(bytes, 0, 'GET', false).kind).toBe('incomplete');
    const parsed = parseResponse(bytes, 0, 'GET', true);
    expect(parsed.kind === 'message' ? parsed.message.body.toString() : parsed.kind).toBe('hello');
  });
});
