import { describe, expect, test } from 'bun:test';
import { constants } from 'node:http2';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

import { TestCa } from '../support/certificates.ts';
import { askAtOnce, askInTurn, get, post, startFront } from '../support/front.ts';
import { contentOf, H2Endpoint, type OnStream } from '../support/h2-endpoint.ts';
import type { Pointsman } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { frame, settings, splitFrames, u32 } from '../support/h2-frames.ts';
import { ask, dial, type Wire } from '../support/wire.ts';
import { STREAM_WINDOW } from '../../src/http/h2-response-window.ts';
import { Flag, FrameType, H2Error, PREFACE, Setting } from '../../src/http/h2-protocol.ts';

function front(
  endpoints: readonly { readonly name: string }[],
  pool = {},
  listener = {},
): Promise<Pointsman> {
  return startFront(endpoints as never, { pool: { protocol: 'h2c', ...pool }, listener });
}

function answer(body: string, status = 200): OnStream {
  return (stream) => {
    stream.resume();
    stream.respond({ ':status': status });
    stream.end(body);
  };
}

/** An endpoint that greets as HTTP/2 demands, and does what the test says with the first request of a connection. */
function rawEndpoint(onRequest: (wire: Wire) => Promise<void> | void): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    wire.send(Buffer.concat([settings(), frame(FrameType.Settings, Flag.Ack, 0)]));
    // The head of the first stream, which is the only frame of its type.
    await wire.until(
      () =>
        splitFrames(wire.received.subarray(PREFACE.length)).frames.some(
          ({ type }) => type === FrameType.Headers,
        ),
      5000,
    );
    await onRequest(wire);
  });
}

/** `:status: 200`, an entry of the static table. */
const STATUS_200 = Buffer.from([0x88]);

describe('HTTP/1.1 clients and HTTP/2 endpoints', () => {
  test('requests with and without a body, one connection for all of them', async () => {
    await using endpoint = await H2Endpoint.start();
    await using pointsman = await front([endpoint]);
    const answers = await askInTurn(pointsman, [get('/a?b=c'), post('/x', 'hello'), get('/z')]);
    expect(answers.map(({ status, body }) => [status, body.toString()])).toEqual([
      [200, 'GET /a?b=c 0'],
      [200, 'POST /x 5'],
      [200, 'GET /z 0'],
    ]);
    expect(endpoint.sessionCount).toBe(1);
  });

  test('a burst shares few connections, by what the endpoint allows', async () => {
    await using endpoint = await H2Endpoint.start(
      (stream) => {
        setTimeout(() => {
          stream.respond({ ':status': 200 });
          stream.end('ok');
        }, 100);
      },
      { maxConcurrentStreams: 10 },
    );
    await using pointsman = await front([endpoint]);
    const answers = await askAtOnce(
      pointsman,
      Array.from({ length: 60 }, (_, index) => get(`/${index}`)),
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(endpoint.sessionCount).toBeWithin(1, 8);
  });

  test('fields are translated: Host, connection fields, cookies, te', async () => {
    let seen: Record<string, unknown> = {};
    await using endpoint = await H2Endpoint.start((stream, headers) => {
      seen = headers;
      stream.respond({ ':status': 200, 'x-answer': '1' });
      stream.end();
    });
    await using pointsman = await front([endpoint]);
    const message = await ask(
      pointsman.address(),
      get(
        '/x',
        'Cookie: a=b',
        'Connection: keep-alive, x-hop',
        'X-Hop: 1',
        'Keep-Alive: 5',
        'TE: trailers',
        'X-One: 1',
      ),
    );
    expect(message.status).toBe(200);
    expect(seen).toMatchObject({
      ':authority': 'a.test',
      ':scheme': 'http',
      cookie: 'a=b',
      te: 'trailers',
      'x-one': '1',
    });
    for (const gone of ['host', 'connection', 'keep-alive', 'x-hop']) expect(seen[gone]).toBeUndefined();
  });

  test('HEAD, 204 and 304 have no body; a length is passed on', async () => {
    await using endpoint = await H2Endpoint.start((stream, headers) => {
      const status = Number(String(headers[':path']).slice(1));
      stream.respond(
        { ':status': status, ...(status === 200 ? { 'content-length': '5' } : {}) },
        { endStream: true },
      );
    });
    await using pointsman = await front([endpoint]);
    const client = await dial(pointsman.address());
    client.send('HEAD /200 HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const head = await client.answer('HEAD');
    expect([head.status, valueOf(head, 'content-length')]).toEqual([200, '5']);
    for (const status of [204, 304]) {
      client.send(get(`/${status}`));
      const answered = await client.answer();
      expect([answered.status, answered.body.length]).toEqual([status, 0]);
    }
    client.close();
  });

  test('1xx and trailers, both ways', async () => {
    await using endpoint = await H2Endpoint.start((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
      stream.end('body');
    });
    await using pointsman = await front([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/x', 'TE: trailers', 'Connection: TE'));
    const answered = await client.answer();
    expect(client.interim.map(({ status }) => status)).toEqual([103]);
    expect([answered.body.toString(), answered.trailers]).toEqual(['body', [['x-sum', '7']]]);
    client.close();
  });

  test('expect: the endpoint says 100 before the body goes', async () => {
    await using endpoint = await H2Endpoint.start((stream) => {
      stream.additionalHeaders({ ':status': 100 });
      void contentOf(stream).then((content) => {
        stream.respond({ ':status': 200 });
        stream.end(content);
      });
    });
    await using pointsman = await front([endpoint]);
    const client = await dial(pointsman.address());
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    await client.until(() => client.text.startsWith('HTTP/1.1 100'));
    client.send('hello');
    expect((await client.answer()).body.toString()).toBe('hello');
    client.close();
  });

  test('20 MiB each way arrive as they were', async () => {
    await using endpoint = await H2Endpoint.start((stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    await using pointsman = await front([endpoint]);
    const body = Buffer.alloc(20 * 1024 * 1024);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32LE(at, at);
    const { host, port } = pointsman.address();
    const response = await fetch(`http://${host}:${port}/`, { method: 'POST', body });
    const back = Buffer.from(await response.arrayBuffer());
    expect(back.equals(body)).toBe(true);
  });

  test('a client that does not read holds the endpoint back, and nobody else', async () => {
    const endpointSide = { sent: 0 };
    await using endpoint = await rawEndpoint(async (wire) => {
      wire.send(frame(FrameType.Headers, Flag.EndHeaders, 1, STATUS_200));
      const piece = Buffer.alloc(16_384);
      const answered = new Set([1]);
      while (wire.ending === 'open') {
        const { frames } = splitFrames(wire.received.subarray(PREFACE.length));
        let granted = STREAM_WINDOW;
        for (const { type, stream, payload } of frames) {
          if (type === FrameType.WindowUpdate && stream === 1) granted += payload.readUInt32BE(0);
          if (type !== FrameType.Headers || answered.has(stream)) continue;
          answered.add(stream);
          wire.send(frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, stream, STATUS_200));
        }
        for (; endpointSide.sent + piece.length <= granted; endpointSide.sent += piece.length)
          wire.send(frame(FrameType.Data, 0, 1, piece));
        await Bun.sleep(5);
      }
    });
    await using pointsman = await front([endpoint]);
    const { host, port } = pointsman.address();
    const slow = connect(port, host).pause();
    slow.write(get('/large'));
    let before = -1;
    while (endpointSide.sent !== before || endpointSide.sent === 0) {
      before = endpointSide.sent;
      await Bun.sleep(200);
    }
    expect(endpointSide.sent).toBeLessThan(16 * 1024 * 1024);
    const [other] = await askInTurn(pointsman, [get('/small')]);
    expect(other!.status).toBe(200);
    expect(endpoint.wires).toHaveLength(1);
    slow.destroy();
  });
});

test('a WebSocket goes through an endpoint that takes extended CONNECT', async () => {
  await using endpoint = await ScriptedEndpoint.start(async (wire) => {
    wire.send(
      Buffer.concat([settings([Setting.EnableConnectProtocol, 1]), frame(FrameType.Settings, Flag.Ack, 0)]),
    );
    let seen = 0;
    while (wire.ending === 'open') {
      const { frames } = splitFrames(wire.received.subarray(PREFACE.length));
      for (const { type, flags, stream, payload } of frames.slice(seen)) {
        if (type === FrameType.Headers)
          wire.send(frame(FrameType.Headers, Flag.EndHeaders, stream, STATUS_200));
        else if (type === FrameType.Data) wire.send(frame(FrameType.Data, flags, stream, payload));
      }
      seen = frames.length;
      await wire.until(() => splitFrames(wire.received.subarray(PREFACE.length)).frames.length > seen);
    }
  });
  await using pointsman = await front([endpoint]);
  const client = await dial(pointsman.address());
  client.send(
    get(
      '/chat',
      'Connection: upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
    ),
  );
  const switched = await client.answer();
  expect([switched.status, valueOf(switched, 'sec-websocket-accept')]).toEqual([
    101,
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  ]);
  // A text frame, masked with zeros; it comes back as it went.
  const hello = Buffer.from([0x81, 0x85, 0, 0, 0, 0, 0x68, 0x65, 0x6c, 0x6c, 0x6f]);
  client.send(hello);
  await client.until(() => client.received.includes(hello));
  client.halfClose();
  await client.untilEnd();
  client.close();
});

describe('failures', () => {
  test('a client that leaves resets the stream, not the connection', async () => {
    const codes: (number | undefined)[] = [];
    let arrived = (): void => {};
    const waiting = new Promise<void>((resolve) => (arrived = resolve));
    let over = (): void => {};
    const closed = new Promise<void>((resolve) => (over = resolve));
    await using endpoint = await H2Endpoint.start((stream, headers) => {
      if (headers[':path'] === '/slow') {
        stream.on('close', () => {
          codes.push(stream.rstCode);
          over();
        });
        arrived();
      } else answer('ok')(stream, headers, undefined as never);
    });
    await using pointsman = await front([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/slow'));
    await waiting;
    client.reset();
    await closed;
    expect(codes).toEqual([constants.NGHTTP2_CANCEL]);
    expect((await askInTurn(pointsman, [get('/')]))[0]!.status).toBe(200);
    expect(endpoint.sessionCount).toBe(1);
  });

  test('an endpoint that resets within a body cuts the response', async () => {
    await using endpoint = await rawEndpoint((wire) => {
      wire.send(
        Buffer.concat([
          frame(FrameType.Headers, Flag.EndHeaders, 1, STATUS_200),
          frame(FrameType.Data, 0, 1, 'half'),
          frame(FrameType.ResetStream, 0, 1, u32(H2Error.InternalError)),
        ]),
      );
    });
    await using pointsman = await front([endpoint]);
    const client = await dial(pointsman.address());
    client.send(get('/'));
    await client.untilEnd();
    expect(client.text).toContain('half');
    expect(client.text).not.toEndWith('0\r\n\r\n');
    client.close();
  });

  test('a stream that is refused is tried elsewhere, whatever the method', async () => {
    await using refusing = await rawEndpoint((wire) =>
      wire.send(frame(FrameType.ResetStream, 0, 1, u32(H2Error.RefusedStream))),
    );
    await using good = await H2Endpoint.start();
    await using pointsman = await front([refusing, good], { policy: 'first' });
    const [answered] = await askInTurn(pointsman, [post('/x', 'hello')]);
    expect(answered!.status).toBe(200);
    expect(refusing.wires).toHaveLength(1);
  });

  test('a head larger than the endpoint takes is refused, and disturbs nobody on the connection', async () => {
    await using endpoint = await H2Endpoint.start(
      (stream, headers) => {
        setTimeout(
          () => {
            stream.respond({ ':status': 200 });
            stream.end('ok');
          },
          headers[':path'] === '/slow' ? 300 : 0,
        );
      },
      { maxHeaderListSize: 4096 },
    );
    await using pointsman = await front([endpoint]);
    const slow = askInTurn(pointsman, [get('/slow')]);
    const large = get('/large').replace('\r\n', `\r\nX-Large: ${'x'.repeat(8000)}\r\n`);
    const [refused] = await askInTurn(pointsman, [large]);
    expect(refused!.status).toBe(431);
    expect((await slow)[0]!.status).toBe(200);
    expect(endpoint.sessionCount).toBe(1);
  });

  test('GOAWAY under load loses no request, and new ones take a new connection', async () => {
    await using endpoint = await H2Endpoint.start((stream, headers, session) => {
      if (headers[':path'] === '/goaway') session.close();
      setTimeout(() => {
        if (stream.destroyed) return;
        stream.respond({ ':status': 200 });
        stream.end('ok');
      }, 20);
    });
    await using pointsman = await front([endpoint]);
    for (let round = 0; round < 5; round++) {
      const answers = await askAtOnce(
        pointsman,
        Array.from({ length: 20 }, (_, index) => (index === 10 ? get('/goaway') : post('/', 'x'))),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    }
    expect(endpoint.sessionCount).toBeGreaterThan(1);
  });

  test('an endpoint that speaks HTTP/1.1 is named as such', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      wire.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    });
    await using pointsman = await front([endpoint]);
    const message = await ask(pointsman.address(), get('/'));
    expect(message.status).toBe(503);
    expect(valueOf(message, 'proxy-status')).toContain('connect_failed');
  });

  test('an upgrade to an endpoint without extended CONNECT is refused clearly', async () => {
    await using endpoint = await H2Endpoint.start();
    await using pointsman = await front([endpoint]);
    const message = await ask(
      pointsman.address(),
      get(
        '/',
        'Connection: upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
      ),
    );
    expect(message.status).toBe(502);
    expect(valueOf(message, 'proxy-status')).toContain('endpoint_upgrade');
  });
});

describe('over TLS', () => {
  testWith('openssl')(
    'HTTP/2 is agreed on by ALPN, and an endpoint without it is named as such',
    async () => {
      using ca = new TestCa();
      ca.issue('endpoint.example', { names: ['IP:127.0.0.1'] });
      const cert = readFileSync(ca.file('endpoint.example.pem'));
      const key = readFileSync(ca.file('endpoint.example.key'));
      let scheme = '';
      await using endpoint = await H2Endpoint.start(
        (stream, headers) => {
          scheme = String(headers[':scheme']);
          answer('ok')(stream, headers, undefined as never);
        },
        {},
        { cert, key },
      );
      const tls = { ca: ca.file('ca.pem') };
      await using pointsman = await front([endpoint], { protocol: 'h2', tls });
      const answers = await askInTurn(pointsman, [get('/'), post('/', 'x')]);
      expect([answers.map(({ status }) => status), scheme]).toEqual([[200, 200], 'https']);
      expect(endpoint.sessionCount).toBe(1);

      const old = createTlsServer({ cert, key }, (socket) => socket.on('error', () => {}));
      await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
      const { port } = old.address() as AddressInfo;
      await using other = await front([{ name: `127.0.0.1:${port}` }], { protocol: 'h2', tls });
      const [refused] = await askInTurn(other, [get('/')]);
      expect([refused!.status, valueOf(refused!, 'proxy-status')]).toEqual([
        503,
        expect.stringContaining('connect_failed'),
      ]);
      old.close();
    },
  );
});
