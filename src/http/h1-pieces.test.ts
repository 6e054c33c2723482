import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { cpuMsOf } from '../../test/support/cpu-time.ts';
import { FakeTime } from '../../test/support/fake-time.ts';
import { MemoryNetwork } from '../../test/support/memory-connection.ts';
import { requestHead } from '../../test/support/request-head.ts';
import { Framing, ResponseHead } from '../model/message.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import { H1EndpointConnection } from './h1-client.ts';
import { RequestParser } from './h1-request.ts';
import { H1ServerConnection } from './h1-server.ts';
import type { ClientStream, RequestConsumer, ResponseConsumer } from './streams.ts';

/** Cuts `text` at places that the numbers choose. */
function cut(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((at) => at % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((at, index) => text.slice(at, places[index] ?? text.length));
}

const IDLE_CONSUMER = { onClientCongested() {}, onClientDrain() {}, onClientEnd() {}, onCut() {} };

/** What a server makes of the pieces: requests with all that belongs to them, in order. */
function served(pieces: readonly string[]): string[] {
  const seen: string[] = [];
  const network = new MemoryNetwork();
  const client = network.peer();
  const time = new FakeTime();
  const onRequest = (stream: ClientStream): RequestConsumer => {
    const { request } = stream;
    let body = '';
    const whole = (trailers: readonly string[]): void => {
      const { method, path, query, minor, expectContinue, upgrade } = request;
      seen.push(
        JSON.stringify([
          method,
          path,
          query,
          minor,
          expectContinue,
          upgrade,
          request.fields.written(),
          body,
          trailers,
        ]),
      );
      answer(204);
    };
    const answer = (status: number): void => {
      const head = new ResponseHead();
      head.status = status;
      head.contentLength = -1;
      stream.sendHead(head);
      stream.sendEnd(undefined);
    };
    if (
      request.framing === Framing.None ||
      (request.framing === Framing.Length && request.contentLength === 0)
    )
      whole([]);
    return {
      ...IDLE_CONSUMER,
      onRequestBody(bytes, start, end) {
        body += bytes.latin1Slice(start, end);
      },
      onRequestEnd: (trailers) => whole(trailers?.written() ?? []),
      onRequestFailed(code) {
        seen.push(code);
        answer(400);
      },
    };
  };
  runTurn(() => {
    client.connection.handler = new H1ServerConnection(client.connection, {
      parser: new RequestParser({ requestLine: 8192, headerBytes: 8192, headerCount: 50 }),
      handler: { onRequest, onRefused: (_stream, code) => seen.push(code) },
      wheel: time.wheel,
      timeouts: { requestHead: 1e6, idle: 1e6, send: 1e6 },
      bodyPace: { idleMs: 1e6, graceMs: 0, bytesPerSecond: 0 },
      headerBytes: 8192,
      bodyBytes: Number.POSITIVE_INFINITY,
      requestsPerConnection: Number.POSITIVE_INFINITY,
      draining: false,
      successor: undefined,
      contextOf: () => undefined,
      heads: [],
    });
  });
  for (const piece of pieces) client.send(piece);
  time.restore();
  // The second may end between one run and the next.
  seen.push(client.standing, client.received.replaceAll(/^Date: .*\r\n/gm, ''));
  return seen;
}

/** What a client connection makes of the pieces: all that is told of one response after the other. */
function answered(pieces: readonly string[], methods: readonly string[]): string[] {
  const seen: string[] = [];
  const network = new MemoryNetwork();
  const endpoint = network.peer();
  const time = new FakeTime();
  let exchange = 0;
  let session!: H1EndpointConnection;
  const ask = (): void => {
    let body = '';
    const consumer: ResponseConsumer = {
      onInformational: (head) => seen.push(String([head.status, head.fields.written()])),
      onResponse: (head) => seen.push(String([head.status, head.reason, head.fields.written()])),
      onResponseBody(bytes, start, end) {
        body += bytes.latin1Slice(start, end);
      },
      onResponseEnd: (trailers) => seen.push(body, String(trailers?.written())),
      onAttemptFailed: (code) => seen.push(body, code),
      onEndpointCongested() {},
      onEndpointDrain() {},
    };
    session.sendRequest(requestHead(methods[exchange++] ?? 'GET', '/'), consumer);
  };
  runTurn(() => {
    const owner = {
      onIdle: () => {
        seen.push('idle');
        return true;
      },
      onGone: () => seen.push('gone'),
    };
    const timeouts = { response: 1e6, responseBody: 1e6, idle: 1e6 };
    session = new H1EndpointConnection(endpoint.connection, owner, timeouts, time.wheel, turnNowMs());
    endpoint.connection.handler = session;
    ask();
  });
  for (const piece of pieces) {
    endpoint.send(piece);
    if (seen.includes('idle')) break;
  }
  endpoint.fin();
  time.restore();
  return seen;
}

const token = fc.stringMatching(/^[a-z!#$%&'*+.^_`|~0-9-]{1,8}$/);
const field = fc
  .tuple(token, fc.stringMatching(/^[ \t]{0,2}(?:[!-~\x80-\xff]{1,6}[ \t]{0,2}){0,2}$/))
  .map(([name, value]) => `X-${name}:${value}\r\n`);
const fields = fc.array(field, { maxLength: 4 }).map((lines) => lines.join(''));
const data = fc
  .array(fc.nat(255), { maxLength: 30 })
  .map((codes) => codes.map((code) => String.fromCharCode(code)).join(''));
const chunks = fc
  .tuple(fc.array(fc.tuple(data, fc.constantFrom('', ';a', ' ; a="b;\\"\t" ;c=d')), { maxLength: 3 }), fields)
  .map(
    ([pieces, trailers]) =>
      `${pieces
        .filter(([text]) => text !== '')
        .map(([text, extension]) => `${text.length.toString(16)}${extension}\r\n${text}\r\n`)
        .join('')}0\r\n${trailers}\r\n`,
  );
const body = fc.oneof(
  fc.constant(''),
  data.map((text) => `Content-Length: ${text.length}\r\n\r\n${text}`),
  chunks.map((text) => `Transfer-Encoding: chunked\r\n\r\n${text}`),
);

describe('in whatever pieces a stream comes', () => {
  const request = fc
    .tuple(
      fc.constantFrom('', '\r\n'),
      fc.constantFrom('GET', 'POST', 'HEAD'),
      fc.constantFrom('/', '/a?b=c', 'http://b.test/x'),
      fields,
      fc.constantFrom('', '', 'Connection: x-a\r\n', 'Expect: 100-continue\r\n'),
      body,
    )
    .map(
      ([blank, method, target, lines, special, rest]) =>
        `${blank}${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${lines}${special}${rest === '' ? '\r\n' : rest}`,
    );
  /** What ends a connection, or is no request at all. */
  const last = fc.constantFrom(
    '',
    '',
    'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n',
    'GET / HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: x\r\n\r\nGET /',
    'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n',
  );

  test('the requests are the same', () => {
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 4 }),
        last,
        fc.array(fc.nat(), { maxLength: 20 }),
        (requests, end, cuts) => {
          const text = requests.join('') + end;
          const whole = served([text]);
          expect(served(cut(text, cuts))).toEqual(whole);
          expect(served(text.split(''))).toEqual(whole);
          expect(whole.length).toBeGreaterThanOrEqual(requests.length + 2);
        },
      ),
      { numRuns: 250 },
    );
  });

  const response = fc
    .tuple(
      fc.array(
        fields.map((lines) => `HTTP/1.1 103 Early Hints\r\n${lines}\r\n`),
        { maxLength: 3 },
      ),
      fc.constantFrom(200, 204, 304, 404, 500),
      fields,
      fc.constantFrom('', '', 'Connection: close\r\n', 'Keep-Alive: timeout=9\r\n'),
      body,
    )
    .map(
      ([interim, status, lines, special, rest]) =>
        `${interim.join('')}HTTP/1.1 ${status} Reason\r\n${lines}${special}${rest === '' ? '\r\n' : rest}`,
    );

  test('the response is the same', () => {
    fc.assert(
      fc.property(
        response,
        fc.constantFrom('GET', 'HEAD'),
        fc.array(fc.nat(), { maxLength: 20 }),
        (text, method, cuts) => {
          // Bytes behind the response end the connection: whether they are seen with it or after it is a matter of pieces.
          const told = (pieces: readonly string[]): string[] =>
            answered(pieces, [method]).filter((event) => event !== 'idle' && event !== 'gone');
          const whole = told([text]);
          expect(told(cut(text, cuts))).toEqual(whole);
          expect(told(text.split(''))).toEqual(whole);
        },
      ),
      { numRuns: 250 },
    );
  });
});

test('byte by byte costs no more than the bytes', () => {
  const costOf = (length: number): number => {
    const pieces = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(length)}\r\n\r\n`.split('');
    // The best of some rounds, by the time of the processor: others use the machine too.
    const rounds = Array.from({ length: 7 }, () => cpuMsOf(() => served(pieces)));
    return Math.min(...rounds) / pieces.length;
  };
  // A head of one long line is not read again with every byte.
  expect(costOf(8000) / costOf(800)).toBeLessThan(6);
});
