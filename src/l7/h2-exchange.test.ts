import { afterEach, describe, expect, test } from 'bun:test';

import { data, type FieldList, H2Reading, headers, HELLO, request } from '../../test/support/h2-client.ts';
import { frame, settings, u32 } from '../../test/support/h2-frames.ts';
import type { MemoryPeer } from '../../test/support/memory-connection.ts';
import { MemoryH2Client } from '../../test/support/memory-h2-client.ts';
import { MemoryProxy, OK } from '../../test/support/memory-proxy.ts';
import { Flag, FrameType, H2Error, Setting } from '../http/h2-protocol.ts';
import { webSocketAccept } from '../http/websocket-handshake.ts';
import { runTurn } from '../net/turn.ts';

const TICK_MS = 100;
const NOTHING = { inFlight: 0, activeRequests: 0, activeRetries: 0, queued: 0, busy: 0 };

let proxy: MemoryProxy;
afterEach(() => proxy.restore());

/** A client that has said hello to a listener with these settings. */
function connect(listener: Readonly<Record<string, unknown>> = {}): MemoryH2Client {
  const { http2, ...others } = listener;
  proxy = new MemoryProxy({ listener: { http2: { cleartext: true, ...(http2 as object) }, ...others } });
  return new MemoryH2Client(proxy);
}

/** The head of what has come. */
function fieldsOf(client: MemoryH2Client): string {
  return client.take().find((line) => line.startsWith('Headers')) ?? '';
}

function get(id: number, more: FieldList = [], path = '/'): Buffer {
  return headers(id, request('GET', path, more));
}

const HOST = 'Host: a.test\r\n';

describe('greeting', () => {
  test('settings, a larger window, and an acknowledgement', () => {
    proxy = new MemoryProxy({ listener: { http2: { cleartext: true } } });
    const peer = proxy.connect().send(HELLO);
    const reading = new H2Reading().add(Buffer.from(peer.received, 'latin1'));
    expect(reading.seen).toEqual(['Settings', 'WindowUpdate 0 983041', 'Settings ack']);
    expect(peer.writes.length).toBe(1);
    expect(reading.frames[0]!.payload.toString('hex')).toBe(
      '000300000064000400040000000600008000000900000001000800000001',
    );
  });

  test('a client of HTTP/1.1 on the same listener is served as one, byte by byte too', () => {
    proxy = new MemoryProxy({ listener: { http2: { cleartext: true } } });
    const peer = proxy.connect();
    for (const byte of 'PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n') peer.send(byte);
    proxy.acceptDial().send(OK);
    expect(peer.received).toStartWith('HTTP/1.1 200 OK');
  });

  test('without cleartext the preface is no request', () => {
    proxy = new MemoryProxy();
    expect(proxy.connect().send(HELLO).received).toStartWith('HTTP/1.1 505 ');
  });

  test('whoever says nothing is closed after the idle time', () => {
    proxy = new MemoryProxy({ listener: { http2: { cleartext: true } } });
    const peer = proxy.connect();
    proxy.advance(75_000 + TICK_MS);
    expect(peer.standing).toBe('closed');
    expect(proxy.accepted).toBe(0);
  });
});

describe('a request', () => {
  test('goes to the endpoint as HTTP/1.1 and its response comes back', () => {
    const client = connect().send(
      get(1, [
        ['user-agent', 'test'],
        ['x-a', 'b'],
      ]),
    );
    const endpoint = proxy.acceptDial();
    expect(endpoint.received).toMatch(/\r\nVia: 2 pointsman \([0-9a-f]{8}\)\r\n/);
    expect(endpoint.received).toBe(
      'GET / HTTP/1.1\r\nhost: a.test\r\nuser-agent: test\r\nx-a: b\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n' +
        `X-Forwarded-Host: a.test\r\nForwarded: for=192.0.2.1;host=a.test;proto=http\r\nVia: ${/Via: (.*)\r\n/.exec(endpoint.received)![1]}\r\n\r\n`,
    );
    endpoint.send(
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\nConnection: x-gone\r\nX-Gone: 1\r\nX-Stays: 2\r\n\r\nhello',
    );
    expect(client.take()).toEqual([
      'Headers 1 :status: 200, content-length: 5, date: now, x-stays: 2',
      'Data 1 end "hello"',
    ]);
    expect(proxy.log).toEqual([[200, '', 1]]);
    expect(proxy.entries[0]!.protocol).toBe('HTTP/2');
    expect(proxy.held).toEqual(NOTHING);
  });

  test('many side by side, answered in any order, each batch in one write', () => {
    const client = connect().send(get(1, [], '/1'), get(3, [], '/3'), get(5, [], '/5'));
    const endpoints = [1, 3, 5].map(() => proxy.acceptDial());
    expect(endpoints.map(({ received }) => received.slice(0, 6))).toEqual(['GET /1', 'GET /3', 'GET /5']);
    endpoints[2]!.send(OK);
    endpoints[0]!.send(OK);
    endpoints[1]!.send(OK);
    expect(client.take().filter((line) => line.startsWith('Data'))).toEqual([
      'Data 5 end "ok"',
      'Data 1 end "ok"',
      'Data 3 end "ok"',
    ]);
    expect(proxy.listener.stats.http2).toMatchObject({ streamsOpen: 0, streamsTotal: 3, connectionsOpen: 1 });
  });

  test('without a body in the response: HEAD, 204, 304 and a length of 0 end with the head', () => {
    const client = connect();
    client.send(headers(1, request('HEAD')));
    const endpoint = proxy.acceptDial().send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\n');
    expect(client.take()).toEqual(['Headers 1 end :status: 200, content-length: 5, date: now']);
    for (const [index, head] of [
      '204 No Content\r\n',
      '304 Not Modified\r\nContent-Length: 9\r\n',
      '200 OK\r\nContent-Length: 0\r\n',
    ].entries()) {
      client.send(get(3 + 2 * index));
      endpoint.send(`HTTP/1.1 ${head}Date: now\r\n\r\n`);
      expect(fieldsOf(client)).toStartWith(`Headers ${3 + 2 * index} end :status: ${head.slice(0, 3)}`);
    }
  });

  test('chunked bodies and trailers go both ways', () => {
    const client = connect();
    client.send(
      headers(
        1,
        request('POST', '/', [
          ['te', 'trailers'],
          ['trailer', 'x-sum'],
        ]),
        Flag.None,
      ),
      data(1, 'hel'),
      data(1, 'lo'),
      headers(1, [
        ['x-sum', '5'],
        ['content-length', '99'],
      ]),
    );
    const endpoint = proxy.acceptDial();
    expect(endpoint.received).toContain(
      'Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx-sum: 5\r\n\r\n',
    );
    endpoint.send(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\nTrailer: X-End\r\n\r\n2\r\nab\r\n0\r\nX-End: yes\r\n\r\n',
    );
    expect(client.take()).toEqual([
      'Headers 1 :status: 200, date: now, trailer: X-End',
      'Data 1 "ab"',
      'Headers 1 end x-end: yes',
    ]);
  });

  test('1xx are passed on, and 100 is asked for', () => {
    const client = connect();
    client.send(
      headers(
        1,
        request('PUT', '/', [
          ['expect', '100-continue'],
          ['content-length', '2'],
        ]),
        Flag.None,
      ),
    );
    const endpoint = proxy.acceptDial();
    expect(endpoint.received).toContain('Expect: 100-continue');
    endpoint.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n');
    expect(client.take()).toEqual(['Headers 1 :status: 103, link: </a>', 'Headers 1 :status: 100']);
    client.send(data(1, 'ab', true));
    endpoint.send(OK);
    expect(client.take().at(-1)).toBe('Data 1 end "ok"');
  });

  test('cookies in pieces are one line for the endpoint, wherever they stand', () => {
    const client = connect();
    client.send(
      get(1, [
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
        ['cookie', 'c=3'],
        ['x-last', 'x'],
      ]),
    );
    const endpoint = proxy.acceptDial();
    expect(endpoint.received).toContain(
      `${HOST.toLowerCase()}cookie: a=1; b=2; c=3\r\nx-last: x\r\nX-Forwarded-For`,
    );
    endpoint.send(OK).takeReceived();
    client.send(
      get(3, [
        ['cookie', 'a=1'],
        ['x-mid', 'x'],
        ['cookie', 'b=2'],
        ['cookie', 'c=3'],
        ['x-last', 'x'],
      ]),
    );
    expect(endpoint.received).toContain('x-mid: x\r\nx-last: x\r\ncookie: a=1; b=2; c=3\r\nX-Forwarded-For');
  });

  test('POST without a body says so to the endpoint', () => {
    connect().send(headers(1, request('POST')));
    expect(proxy.acceptDial().received).toContain('Content-Length: 0\r\n');
  });

  test('Host without :authority serves as one', () => {
    const client = connect();
    client.send(
      headers(1, [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        ['accept', 'x'],
        ['host', 'b.test'],
        ['x-a', '1'],
      ]),
    );
    expect(proxy.acceptDial().received).toStartWith(
      'GET / HTTP/1.1\r\nhost: b.test\r\naccept: x\r\nx-a: 1\r\nX-Forwarded-For',
    );
  });

  test('a response that comes before the body has ended asks the client to stop', () => {
    const client = connect();
    client.send(headers(1, request('POST'), Flag.None), data(1, 'part'));
    proxy.acceptDial().send(OK);
    expect(client.take().slice(1)).toEqual(['Data 1 end "ok"', 'ResetStream 1 NoError']);
    // What was on its way is taken and thrown away.
    client.send(data(1, 'rest', true), get(3));
    expect(client.take()).toEqual([]);
    expect(proxy.held['busy']).toBe(1);
  });
});

describe('streams that fail', () => {
  test('a reset of the client ends the attempt at once', () => {
    const client = connect().send(get(1));
    const endpoint = proxy.acceptDial();
    client.send(frame(FrameType.ResetStream, 0, 1, u32(H2Error.Cancel)));
    expect(endpoint.standing).toBe('reset');
    expect(client.take()).toEqual([]);
    expect(proxy.log).toEqual([[499, 'client_closed', 1]]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('a response that breaks off is a reset for the client', () => {
    const client = connect().send(get(1));
    proxy.acceptDial().send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe').reset();
    expect(client.take().slice(1)).toEqual(['Data 1 "he"', 'ResetStream 1 InternalError']);
    expect(proxy.log).toEqual([[200, 'response_truncated', 1]]);
  });

  test('Content-Length must be what was sent', () => {
    const client = connect();
    client.send(headers(1, request('POST', '/', [['content-length', '3']]), Flag.None), data(1, 'abcd'));
    expect(client.take()).toEqual(['ResetStream 1 ProtocolError']);
    client.send(headers(3, request('POST', '/', [['content-length', '3']]), Flag.None), data(3, 'ab', true));
    expect(client.take()).toEqual(['ResetStream 3 ProtocolError']);
    client.send(headers(5, request('POST', '/', [['content-length', '3']]), Flag.EndStream));
    expect(client.take()).toEqual(['ResetStream 5 ProtocolError']);
    expect(proxy.held).toEqual(NOTHING);
    expect(proxy.log.map(([status, code]) => `${status} ${code}`)).toEqual([
      '400 request_framing',
      '400 request_framing',
      '400 request_malformed',
    ]);
  });

  test('more streams than allowed are refused, and the others go on', () => {
    const client = connect({ http2: { maxConcurrentStreams: 2 } });
    client.send(get(1), get(3), get(5));
    expect(client.take()).toEqual(['ResetStream 5 RefusedStream']);
    proxy.acceptDial().send(OK);
    client.send(get(7));
    expect(client.take().at(-1)).toBe('Data 1 end "ok"');
    expect(proxy.listener.stats.http2.streamsRefused).toBe(1);
    expect(proxy.held['busy']).toBe(2);
  });

  test('a body that does not come is answered with 408', () => {
    const client = connect();
    client.send(headers(1, request('POST'), Flag.None));
    proxy.acceptDial();
    proxy.advance(30_000 + TICK_MS);
    expect(fieldsOf(client)).toContain(':status: 408');
    expect(proxy.log).toEqual([[408, 'request_body_timeout', 1]]);
  });

  test('a body larger than limits.bodyBytes is 413, whether it was announced or not', () => {
    const client = connect({ limits: { bodyBytes: 5 } });
    client.send(headers(1, request('POST', '/', [['content-length', '6']]), Flag.None));
    expect(client.take()).toEqual([
      expect.stringContaining('Headers 1 :status: 413'),
      expect.stringContaining('Data 1 end'),
      'ResetStream 1 NoError',
    ]);
    client.send(headers(3, request('POST'), Flag.None), data(3, '123456'));
    expect(fieldsOf(client)).toContain(':status: 413');
    expect(proxy.held).toEqual(NOTHING);
  });
});

describe('flow control', () => {
  const LARGE = 'x'.repeat(200_000);

  test('no more is sent than the windows allow, the endpoint is held back, and all of it comes in the end', () => {
    const client = connect();
    client.send(get(1));
    const endpoint = proxy.acceptDial().send('HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n').send(LARGE);
    let received = client
      .take()
      .filter((line) => line.startsWith('Data'))
      .map((line) => line.length - 'Data 1 ""'.length);
    expect(received).toEqual([16_384, 16_384, 16_384, 16_383]);
    expect(endpoint.reading).toBe(false);
    client.send(frame(FrameType.WindowUpdate, 0, 1, u32(1_000_000)));
    expect(client.take()).toEqual([]);
    client.send(frame(FrameType.WindowUpdate, 0, 0, u32(10)));
    expect(client.take()).toEqual(['Data 1 "xxxxxxxxxx"']);
    client.send(frame(FrameType.WindowUpdate, 0, 0, u32(1_000_000)));
    received = client.take().map((line) => line.replace(/.*"(.*)"/, '$1').length);
    expect(received.reduce((sum, length) => sum + length, 0)).toBe(200_000 - 65_535 - 10);
    expect(endpoint.reading).toBe(true);
    endpoint.send(LARGE.slice(0, 100_000));
    expect(client.take().at(-1)).toStartWith('Data 1 end "xxx');
    expect(proxy.held).toEqual(NOTHING);
  });

  test('streams that wait for the connection take turns', () => {
    const client = connect();
    client.send(settings([Setting.InitialWindowSize, 1_000_000]), get(1), get(3));
    const endpoints = [proxy.acceptDial(), proxy.acceptDial()];
    for (const endpoint of endpoints)
      endpoint.send(`HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${LARGE}`);
    client.take();
    client.send(frame(FrameType.WindowUpdate, 0, 0, u32(16_384 * 5)));
    expect(client.take().map((line) => line.slice(0, 6))).toEqual([
      'Data 1',
      'Data 3',
      'Data 1',
      'Data 3',
      'Data 1',
    ]);
  });

  test('SETTINGS_INITIAL_WINDOW_SIZE moves the windows of open streams, below zero too', () => {
    const client = connect();
    client.send(get(1));
    proxy.acceptDial().send(`HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${LARGE}`);
    client.send(frame(FrameType.WindowUpdate, 0, 0, u32(1_000_000)));
    client.take();
    client.send(settings([Setting.InitialWindowSize, 1000]));
    expect(client.take()).toEqual(['Settings ack']);
    client.send(frame(FrameType.WindowUpdate, 0, 1, u32(64_535)));
    expect(client.take()).toEqual([]);
    client.send(frame(FrameType.WindowUpdate, 0, 1, u32(3)));
    expect(client.take()).toEqual(['Data 1 "xxx"']);
    client.send(settings([Setting.InitialWindowSize, 1002]));
    expect(client.take()).toEqual(['Data 1 "xx"', 'Settings ack']);
  });

  test('windows for request bodies open as the endpoint takes them', () => {
    const client = connect({ http2: { initialStreamWindow: '64KiB', initialConnectionWindow: '128KiB' } });
    client.send(headers(1, request('POST'), Flag.None));
    const endpoint = proxy.acceptDial().hold(0);
    const piece = data(1, 'y'.repeat(16_384));
    client.send(piece, piece, piece, piece);
    // What came at once was taken before it was known that the endpoint takes nothing; from now on nothing more is asked for.
    expect(client.take()).toEqual(['WindowUpdate 1 32768', 'WindowUpdate 0 65536', 'WindowUpdate 1 32768']);
    client.send(piece, piece, piece, piece);
    expect(client.take()).toEqual([]);
    endpoint.take();
    expect(client.take()).toEqual(['WindowUpdate 0 65536', 'WindowUpdate 1 65536']);
    client.send(piece, piece, data(1, '', true));
    endpoint.send(OK);
    expect(endpoint.received.length).toBeGreaterThan(98_304);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('more than a window allows is an error of the stream, or of the connection', () => {
    const sizes = { initialStreamWindow: '64KiB', initialConnectionWindow: '128KiB' };
    const piece = data(1, 'y'.repeat(16_384));
    const stream = connect({ http2: sizes });
    stream.send(headers(1, request('POST'), Flag.None));
    proxy.acceptDial().hold(0);
    for (let count = 0; count < 9; count++) stream.send(piece);
    expect(stream.take().filter((line) => !line.startsWith('Window'))).toEqual([
      'ResetStream 1 FlowControlError',
    ]);
    proxy.restore();
    const connection = connect({ http2: { ...sizes, initialStreamWindow: '1MiB' } });
    connection.send(headers(1, request('POST'), Flag.None));
    const endpoint = proxy.acceptDial().hold(0);
    for (let count = 0; count < 13; count++) connection.send(piece);
    expect(connection.take().at(-1)).toBe('Goaway 1 FlowControlError');
    expect(endpoint.standing).toBe('reset');
    expect(proxy.held).toEqual(NOTHING);
  });

  test('a client that does not read is cut after timeouts.send', () => {
    const client = connect();
    client.send(get(1));
    const endpoint = proxy.acceptDial().send('HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n').send(LARGE);
    client.take();
    for (let count = 0; count < 3; count++) {
      proxy.advance(25_000);
      client.send(frame(FrameType.WindowUpdate, 0, 0, u32(1)), frame(FrameType.WindowUpdate, 0, 1, u32(1)));
    }
    expect(client.take().at(-1)).toBe('ResetStream 1 Cancel');
    expect(proxy.log).toEqual([[200, 'client_too_slow', 1]]);
    expect(endpoint.standing).toBe('reset');
  });

  test('a socket that takes nothing holds everything back, and nothing is lost', () => {
    const client = connect();
    client.send(
      settings([Setting.InitialWindowSize, 1_000_000]),
      frame(FrameType.WindowUpdate, 0, 0, u32(1_000_000)),
      get(1),
    );
    const endpoint = proxy.acceptDial();
    client.take();
    client.peer.hold(1000);
    endpoint
      .send('HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n')
      .send(LARGE)
      .send(LARGE.slice(0, 100_000));
    expect(endpoint.unread).toBe(100_000);
    expect(endpoint.reading).toBe(false);
    expect(client.peer.reading).toBe(false);
    client.peer.take();
    const received = client
      .take()
      .filter((line) => line.startsWith('Data'))
      .map((line) => line.replace(/.*"(.*)"/, '$1').length);
    expect(received.reduce((sum, length) => sum + length, 0)).toBe(300_000);
    expect([endpoint.reading, client.peer.reading]).toEqual([true, true]);
    expect(proxy.held).toEqual(NOTHING);
  });
});

test('a call of gRPC whose head is too large gets a status of gRPC, others get 431', () => {
  const client = connect({ limits: { headerBytes: '1KiB' } });
  const large: FieldList = [['x-large', 'x'.repeat(2000)]];
  client.send(
    headers(1, request('POST', '/a.B/C', [['content-type', 'application/grpc'], ...large])),
    headers(3, request('POST', '/a.B/C', [['content-type', 'application/grpc-web'], ...large])),
  );
  const [call, web] = client.take().filter((line) => line.startsWith('Headers'));
  expect(call).toMatch(
    /^Headers 1 end :status: 200, .*content-type: application\/grpc, grpc-status: 8, grpc-message: request_head_too_large/,
  );
  expect(web).toStartWith('Headers 3 :status: 431, ');
});

describe('the end of a connection', () => {
  test('drain: a warning, then the real last stream; what is under way ends well', () => {
    const client = connect().send(get(1));
    const endpoint = proxy.acceptDial();
    runTurn(() => proxy.listener.drain());
    expect(client.take()).toEqual(['Goaway 2147483647 NoError', 'Ping']);
    client.send(get(3));
    client.send(frame(FrameType.Ping, Flag.Ack, 0, 'draining'), get(5));
    expect(client.take()).toEqual(['Goaway 3 NoError']);
    endpoint.send(OK);
    // The next one had waited for a connection and took this one.
    endpoint.send(OK);
    expect(client.take().filter((line) => line.startsWith('Data'))).toEqual([
      'Data 1 end "ok"',
      'Data 3 end "ok"',
    ]);
    expect(client.peer.standing).toBe('fin');
    proxy.advance(2000 + TICK_MS);
    expect([client.peer.standing, proxy.accepted]).toEqual(['closed', 0]);
    expect(proxy.listener.stats.http2.connectionsOpen).toBe(0);
  });

  test('drain without an answer to the PING goes on after a second', () => {
    const client = connect();
    runTurn(() => proxy.listener.drain());
    client.take();
    proxy.advance(1000 + TICK_MS);
    expect(client.take()).toEqual(['Goaway 0 NoError']);
    expect(client.peer.standing).toBe('fin');
  });

  test('a client that still opens windows behind the end is taking what the kernel holds, so it is read on', () => {
    const client = connect({ timeouts: { send: '5s' } });
    const more = frame(FrameType.WindowUpdate, 0, 0, u32(16_384));
    runTurn(() => proxy.listener.drain());
    expect(proxy.listener.parting).toBe(true);
    client.send(more);
    proxy.advance(1000 + TICK_MS);
    for (let lookMs = 0; lookMs < 4500; lookMs += 1500) {
      expect([client.peer.standing, client.peer.reading, proxy.listener.parting]).toEqual([
        'fin',
        true,
        true,
      ]);
      client.send(more);
      proxy.advance(1500);
    }
    proxy.advance(500 + TICK_MS);
    expect([client.peer.standing, proxy.listener.parting]).toEqual(['closed', false]);
  });

  test.each([
    ['has read everything', frame(FrameType.Ping, Flag.Ack, 0, 'draining'), 0],
    ['says nothing', Buffer.alloc(0), 1000 + TICK_MS],
  ])('nothing has to wait for a client that %s', (_name, bytes, waitMs) => {
    const client = connect();
    runTurn(() => proxy.listener.drain());
    if (bytes.length > 0) client.send(bytes);
    proxy.advance(waitMs);
    expect([client.peer.standing, proxy.listener.parting]).toEqual(['fin', false]);
  });

  test('... but not for ever', () => {
    const client = connect({ timeouts: { send: '5s' } });
    runTurn(() => proxy.listener.drain());
    client.send(frame(FrameType.Ping, Flag.Ack, 0, 'draining'));
    for (let lookMs = 0; lookMs < 8000; lookMs += 1000) {
      client.send(frame(FrameType.WindowUpdate, 0, 0, u32(1)));
      proxy.advance(1000);
    }
    expect(client.peer.standing).toBe('closed');
  });

  test('an idle connection is closed with GOAWAY', () => {
    const client = connect();
    proxy.advance(75_000 + TICK_MS);
    expect(client.take()).toEqual(['Goaway 0 NoError']);
    expect(client.peer.standing).toBe('fin');
  });

  test('limits.requestsPerConnection and http2.maxConnectionAge drain it', () => {
    const counted = connect({ limits: { requestsPerConnection: 1 } });
    counted.send(get(1));
    expect(counted.take()[0]).toBe('Goaway 2147483647 NoError');
    proxy.restore();
    const aged = connect({ http2: { maxConnectionAge: '5s' } });
    proxy.advance(5000 + TICK_MS);
    expect(aged.take()[0]).toBe('Goaway 2147483647 NoError');
  });

  test('the client goes: everything under way is let go', () => {
    const client = connect().send(get(1), headers(3, request('POST'), Flag.None));
    const endpoints = [proxy.acceptDial(), proxy.acceptDial()];
    client.peer.reset();
    expect(endpoints.map(({ standing }) => standing)).toEqual(['reset', 'reset']);
    expect(proxy.held).toEqual(NOTHING);
    expect(proxy.accepted).toBe(0);
  });

  test('the client sends FIN and still gets its response', () => {
    const client = connect().send(get(1));
    const endpoint = proxy.acceptDial();
    client.peer.fin();
    endpoint.send(OK);
    expect(client.take().at(-1)).toBe('Data 1 end "ok"');
    expect(client.peer.standing).toBe('closed');
  });

  test('the client sends FIN: what waits for a window is given up, now and later', () => {
    const client = connect().send(settings([Setting.InitialWindowSize, 10]), get(1), get(3));
    const endpoints = [proxy.acceptDial(), proxy.acceptDial()];
    endpoints[0]!.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n').send('more than ten bytes');
    client.peer.fin();
    expect(endpoints.map(({ standing }) => standing)).toEqual(['reset', 'open']);
    endpoints[1]!.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n').send('more than ten bytes');
    expect(endpoints[1]!.standing).toBe('reset');
    expect(proxy.log.map(([, code]) => code)).toEqual(['client_closed', 'client_closed']);
    expect(proxy.held).toEqual(NOTHING);
    expect(client.peer.standing).toBe('closed');
  });

  test('cut answers what was not answered', () => {
    const client = connect().send(get(1));
    proxy.acceptDial();
    runTurn(() => expect(proxy.listener.cut()).toBe(1));
    expect(client.take()).toEqual([
      expect.stringContaining('Headers 1 :status: 503'),
      expect.stringContaining('Data 1 end'),
      'Goaway 1 NoError',
    ]);
    expect(client.peer.standing).toBe('fin');
  });
});

describe('WebSocket (RFC 8441)', () => {
  const CONNECT: FieldList = [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'http'],
    [':authority', 'a.test'],
    [':path', '/chat'],
    ['sec-websocket-version', '13'],
    ['sec-websocket-protocol', 'chat'],
  ];

  function opened(): { client: MemoryH2Client; endpoint: MemoryPeer } {
    const client = connect().send(headers(1, CONNECT, Flag.None));
    const endpoint = proxy.acceptDial();
    const key = /Sec-WebSocket-Key: (\S{24})\r\n/.exec(endpoint.received)![1]!;
    expect(endpoint.received).toStartWith(
      'GET /chat HTTP/1.1\r\nhost: a.test\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: chat\r\n',
    );
    expect(endpoint.received).toContain('Connection: upgrade\r\nUpgrade: websocket\r\n');
    endpoint.takeReceived();
    endpoint.send(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${webSocketAccept(key)}\r\nSec-WebSocket-Protocol: chat\r\nDate: now\r\n\r\n`,
    );
    expect(client.take()).toEqual(['Headers 1 :status: 200, sec-websocket-protocol: chat, date: now']);
    return { client, endpoint };
  }

  test('is bridged: bytes both ways, each side ends on its own', () => {
    const { client, endpoint } = opened();
    client.send(data(1, 'to endpoint'));
    expect(endpoint.received).toBe('to endpoint');
    endpoint.send('to client');
    expect(client.take()).toEqual(['Data 1 "to client"']);
    client.send(data(1, 'bye', true));
    expect(endpoint.takeReceived()).toBe('to endpointbye');
    expect(endpoint.standing).toBe('fin');
    endpoint.send('late').fin();
    expect(client.take()).toEqual(['Data 1 "late"', 'Data 1 end ""']);
    expect(endpoint.standing).toBe('closed');
    expect(proxy.log).toEqual([[101, '', 1]]);
    expect(proxy.held).toEqual(NOTHING);
    expect(proxy.listener.stats.http2.streamsOpen).toBe(0);
  });

  test('a reset passes to the other side, in both directions', () => {
    const first = opened();
    first.client.send(frame(FrameType.ResetStream, 0, 1, u32(H2Error.Cancel)));
    expect(first.endpoint.standing).toBe('reset');
    proxy.restore();
    const second = opened();
    second.endpoint.reset();
    expect(second.client.take()).toEqual(['ResetStream 1 Cancel']);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('what comes before the answer waits for it', () => {
    const client = connect().send(headers(1, CONNECT, Flag.None), data(1, 'early'));
    const endpoint = proxy.acceptDial();
    const key = /Sec-WebSocket-Key: (\S{24})\r\n/.exec(endpoint.takeReceived())![1]!;
    endpoint.send(
      `HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${webSocketAccept(key)}\r\n\r\nhello`,
    );
    expect(endpoint.received).toBe('early');
    expect(client.take().slice(1)).toEqual(['Data 1 "hello"']);
  });

  test('a wrong Accept is no answer', () => {
    const client = connect().send(headers(1, CONNECT, Flag.None));
    proxy
      .acceptDial()
      .send(
        'HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm8=\r\n\r\n',
      );
    expect(fieldsOf(client)).toContain(':status: 502');
    expect(proxy.log[0]![1]).toBe('response_upgrade');
  });

  test('another answer is a response like any other', () => {
    const client = connect().send(headers(1, CONNECT, Flag.None));
    proxy.acceptDial().send('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nDate: now\r\n\r\nno');
    expect(client.take()).toEqual([
      'Headers 1 :status: 403, content-length: 2, date: now',
      'Data 1 end "no"',
      'ResetStream 1 NoError',
    ]);
  });

  test('other protocols, and CONNECT itself, are refused', () => {
    const client = connect();
    client.send(
      headers(1, [
        [':method', 'CONNECT'],
        [':protocol', 'connect-udp'],
        [':scheme', 'http'],
        [':authority', 'a.test'],
        [':path', '/'],
      ]),
    );
    expect(fieldsOf(client)).toContain(':status: 501');
    client.send(
      headers(3, [
        [':method', 'CONNECT'],
        [':authority', 'a.test:443'],
      ]),
    );
    expect(fieldsOf(client)).toContain(':status: 405');
  });

  test('where it is not offered, asking for it is an error', () => {
    const client = connect({ http2: { webSocket: false } });
    client.send(headers(1, CONNECT, Flag.None));
    expect(client.take()).toEqual(['ResetStream 1 ProtocolError']);
  });

  test('an idle one is told why, and ends', () => {
    const { client, endpoint } = opened();
    proxy.advance(3_600_000 + TICK_MS);
    expect(client.take()).toEqual([
      `Data 1 end ${JSON.stringify('\x88\x02\x03\xe9')}`,
      'ResetStream 1 NoError',
    ]);
    expect(endpoint.standing).toBe('closed');
    expect(proxy.log[0]![1]).toBe('tunnel_idle');
  });
});
