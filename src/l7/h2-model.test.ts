import { describe, expect, test } from 'bun:test';
import { array, assert, constantFrom, integer, oneof, property, record, tuple, uint8Array } from 'fast-check';

import { data, type FieldList, H2Reading, headers, HELLO, request } from '../../test/support/h2-client.ts';
import { frame, settings, u32 } from '../../test/support/h2-frames.ts';
import { MemoryProxy, OK } from '../../test/support/memory-proxy.ts';
import { Flag, FrameType } from '../http/h2-protocol.ts';

const NOTHING = { inFlight: 0, activeRequests: 0, activeRetries: 0, queued: 0, busy: 0 };
const LISTENER = { http2: { cleartext: true, maxConcurrentStreams: 8 } };

const CONVERSATION = Buffer.concat([
  HELLO,
  headers(1, request('GET', '/1')),
  headers(3, request('POST', '/3', [['content-length', '8']]), Flag.None),
  frame(FrameType.Ping, 0, 0, '12345678'),
  data(3, 'body'),
  headers(5, request('GET', 'no path')),
  data(3, 'tail', true),
  frame(FrameType.Headers, Flag.EndStream, 7, headers(7, request('GET', '/7')).subarray(9, 20)),
  frame(FrameType.Continuation, Flag.EndHeaders, 7, headers(7, request('GET', '/7')).subarray(20)),
  headers(9, request('POST', '/9'), Flag.None),
  data(9, 'part'),
  headers(9, [['x-trailer', 'yes']]),
  settings([4, 3]),
  frame(FrameType.WindowUpdate, 0, 0, u32(1000)),
]);

/** What a client and the endpoints see of it when it comes in these pieces. */
function outcome(pieces: readonly Buffer[]): unknown {
  const proxy = new MemoryProxy({ listener: LISTENER });
  try {
    const client = proxy.connect();
    for (const piece of pieces) client.send(piece);
    const endpoints = proxy.network.pendingDials.map((dial) => dial.accept());
    for (const endpoint of endpoints) endpoint.send(OK);
    const reading = new H2Reading().add(Buffer.from(client.received, 'latin1'));
    const streams = [1, 3, 5, 7, 9].map((id) =>
      reading.of(id).map((line) => line.replace(/date: \w+, [^,]*/, '')),
    );
    return {
      streams,
      received: endpoints.map(({ received }) => received.split('\r\n', 1).join('')).toSorted(),
      log: proxy.log,
    };
  } finally {
    proxy.restore();
  }
}

const PATHS = ['/', '/a?b=c', 'x', '/\0', ''];
const METHODS = ['GET', 'POST', 'HEAD', 'CONNECT', 'TRACE', ' '];
const stream = constantFrom(0, 1, 1, 3, 3, 5, 7, 9, 2, 0x7fff_ffff);
const someFields = array(
  constantFrom<readonly [string, string]>(
    ['x-a', 'b'],
    ['cookie', 'a=b'],
    ['Upper', 'x'],
    ['te', 'trailers'],
    ['content-length', '3'],
    [':path', '/'],
    [':protocol', 'websocket'],
    ['host', 'a.test'],
  ),
  { maxLength: 3 },
);

const someFrame = oneof(
  {
    weight: 6,
    arbitrary: tuple(
      stream,
      constantFrom(...METHODS),
      constantFrom(...PATHS),
      someFields,
      constantFrom(0, 1),
    ).map(([id, method, path, more, end]) => headers(id, request(method, path, more as FieldList), end)),
  },
  {
    weight: 4,
    arbitrary: tuple(stream, constantFrom('', 'abc', 'x'.repeat(5000)), constantFrom(true, false)).map(
      ([id, content, end]) => data(id, content, end),
    ),
  },
  {
    weight: 2,
    arbitrary: tuple(stream, constantFrom(0, 1, 1000, 0x7fff_ffff)).map(([id, increment]) =>
      frame(FrameType.WindowUpdate, 0, id, u32(increment)),
    ),
  },
  { weight: 2, arbitrary: stream.map((id) => frame(FrameType.ResetStream, 0, id, u32(8))) },
  {
    weight: 1,
    arbitrary: tuple(
      constantFrom(1, 2, 3, 4, 5, 6, 8),
      constantFrom(0, 1, 100, 16_384, 65_535, 0x7fff_ffff),
    ).map((one) => settings(one)),
  },
  {
    weight: 1,
    arbitrary: tuple(
      integer({ min: 0, max: 20 }),
      integer({ min: 0, max: 255 }),
      stream,
      uint8Array({ maxLength: 40 }),
    ).map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
  },
  { weight: 1, arbitrary: uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)) },
);

const ANSWERS = [
  OK,
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: y\r\n\r\n',
  `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'y'.repeat(100_000)}`,
  'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly',
  'HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nx',
  'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  'nonsense\r\n\r\n',
];

/** What happens beside the frames. */
const someEvent = oneof(
  { weight: 8, arbitrary: someFrame.map((bytes) => ({ kind: 'frame', bytes }) as const) },
  {
    weight: 2,
    arbitrary: record({ kind: constantFrom('accept' as const), answer: constantFrom(...ANSWERS) }),
  },
  { weight: 1, arbitrary: record({ kind: constantFrom('refuse' as const) }) },
  { weight: 1, arbitrary: record({ kind: constantFrom('hold' as const, 'take' as const, 'time' as const) }) },
);

describe('anything a client may send', () => {
  test('means the same in whatever pieces it comes', () => {
    const whole = outcome([CONVERSATION]);
    expect(whole).toMatchObject({
      received: ['GET /1 HTTP/1.1', 'GET /7 HTTP/1.1', 'POST /3 HTTP/1.1', 'POST /9 HTTP/1.1'],
    });
    expect(outcome(Array.from(CONVERSATION, (byte) => Buffer.from([byte])))).toEqual(whole);
    assert(
      property(array(integer({ min: 0, max: CONVERSATION.length }), { maxLength: 30 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), CONVERSATION.length];
        expect(outcome(at.slice(1).map((end, index) => CONVERSATION.subarray(at[index], end)))).toEqual(
          whole,
        );
      }),
      { numRuns: 60 },
    );
  });

  test('neither breaks nor holds anything, whatever endpoints and time do meanwhile', () => {
    assert(
      property(array(someEvent, { minLength: 1, maxLength: 60 }), (events) => {
        const proxy = new MemoryProxy({ listener: LISTENER });
        try {
          const client = proxy.connect().send(HELLO);
          for (const event of events) {
            const dial = proxy.network.pendingDials[0];
            if (event.kind === 'frame') client.send(event.bytes);
            else if (event.kind === 'accept') dial?.accept().send(event.answer);
            else if (event.kind === 'refuse') dial?.fail();
            else if (event.kind === 'hold') client.hold(500);
            else if (event.kind === 'take') client.take();
            else proxy.advance(5000);
          }
          // What was written are frames, to the last byte.
          client.take();
          const reading = new H2Reading().add(Buffer.from(client.received, 'latin1'));
          expect(reading.seen.filter((line) => line.includes('decoded'))).toEqual([]);
          client.reset();
          for (const dial of proxy.network.pendingDials) dial.fail();
          expect(proxy.held).toEqual(NOTHING);
          expect(proxy.accepted).toBe(0);
          const { http2, connectionsOpen, tunnelsOpen } = proxy.listener.stats;
          expect([http2.streamsOpen, http2.connectionsOpen, connectionsOpen, tunnelsOpen]).toEqual([
            0, 0, 0, 0,
          ]);
        } finally {
          proxy.restore();
        }
      }),
      { numRuns: 400 },
    );
  });
});
