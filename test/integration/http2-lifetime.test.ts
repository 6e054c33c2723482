import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import http2 from 'node:http2';

import { FrameType, Setting } from '../../src/http/h2-protocol.ts';
import { headers, HELLO, request } from '../support/h2-client.ts';
import { frame, settings, u32 } from '../support/h2-frames.ts';
import { H2Wire } from '../support/h2-wire.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { steadyTest } from '../support/steady-test.ts';
import { dial } from '../support/wire.ts';

const MIB = 1024 * 1024;
/** How long a slow client takes for a piece, milliseconds. */
const TAKING_MS = 10;

let endpoint: ReturnType<typeof Bun.serve>;
let pointsman: Pointsman;
/** Lets requests for `/held` be answered. */
let release: () => void;
/** `/large` was asked for. */
let largeAsked: Promise<void>;

beforeEach(() => {
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let tell: () => void;
  largeAsked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  endpoint = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(incoming) {
      if (incoming.url.endsWith('/held')) await held;
      if (incoming.url.endsWith('/large')) {
        tell();
        return new Response('x'.repeat(MIB));
      }
      const body = await incoming.arrayBuffer();
      return new Response(`${incoming.method} ${body.byteLength}`);
    },
  });
});

afterEach(async () => {
  release();
  await pointsman.stop('SIGKILL');
  await endpoint.stop(true);
});

function config(http2Settings: object, routes: readonly object[] = [{ pool: 'web' }]): TestConfig {
  return {
    listeners: [
      {
        name: 'web',
        address: '127.0.0.1:0',
        http2: { cleartext: true, ...http2Settings },
        routes: [...routes] as never,
      },
    ],
    pools: [{ name: 'web', endpoints: [`127.0.0.1:${endpoint.port}`] }],
    shutdown: { deadline: '10s' },
  };
}

function ask(session: http2.ClientHttp2Session, path: string, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ':method': 'POST' });
    let answer = '';
    stream.on('data', (piece: Buffer) => {
      answer += piece.toString();
    });
    stream.on('end', () => resolve(answer));
    stream.on('error', reject);
    stream.end(body);
  });
}

describe('a connection of HTTP/2', () => {
  test('goes on over a reload: windows as they were told, routes as they are now', async () => {
    pointsman = await startPointsman(config({}));
    const session = http2.connect(`http://127.0.0.1:${pointsman.address().port}`);
    expect(await ask(session, '/', Buffer.alloc(10))).toBe('POST 10');
    const windows = { initialStreamWindow: '16MiB', initialConnectionWindow: '64MiB' };
    const routes = [{ match: { path: '/new' }, reply: { status: 200, body: 'new' } }, { pool: 'web' }];
    await pointsman.reload(config(windows, routes));
    expect(await ask(session, '/new', Buffer.alloc(0))).toBe('new');
    expect(await ask(session, '/', Buffer.alloc(5 * MIB))).toBe(`POST ${5 * MIB}`);
    session.close();
    const other = http2.connect(`http://127.0.0.1:${pointsman.address().port}`);
    expect(await ask(other, '/', Buffer.alloc(5 * MIB))).toBe(`POST ${5 * MIB}`);
    other.close();
  }, 20_000);

  test('is drained at shutdown: what is under way is answered, then it ends', async () => {
    pointsman = await startPointsman(config({}));
    const client = new H2Wire(await dial(pointsman.address()));
    client.send(HELLO, headers(1, request('GET', '/held')));
    await client.until((seen) => seen.includes('Settings ack'));
    await Bun.sleep(100);
    pointsman.signal('SIGTERM');
    await client.until((seen) => seen.some((line) => line.startsWith('Goaway')));
    // On its way when the warning came: served as well.
    client.send(headers(3, request('GET', '/')));
    await client.until(() => client.hasEnded(3));
    expect(client.bodyOf(3)).toBe('GET 0');
    await client.until((seen) => seen.filter((line) => line.startsWith('Goaway')).length === 2);
    release();
    await client.until(() => client.hasEnded(1));
    expect(client.bodyOf(1)).toBe('GET 0');
    expect(client.reading.seen.filter((line) => line.startsWith('Goaway'))).toEqual([
      'Goaway 2147483647 NoError',
      'Goaway 3 NoError',
    ]);
    expect(await pointsman.exited()).toBe(0);
  }, 20_000);

  test('that is idle at shutdown hears both steps as well: the program stays until then', async () => {
    pointsman = await startPointsman(config({}));
    const client = new H2Wire(await dial(pointsman.address()));
    client.send(HELLO, headers(1, request('GET', '/')));
    await client.until(() => client.hasEnded(1));
    pointsman.signal('SIGTERM');
    const seen = await client.untilEnd();
    expect(seen.filter((line) => line.startsWith('Goaway'))).toEqual([
      'Goaway 2147483647 NoError',
      'Goaway 1 NoError',
    ]);
    client.wire.socket.destroy();
    expect(await pointsman.exited()).toBe(0);
  }, 20_000);

  steadyTest('whose client is still taking its last response at shutdown gets all of it', async () => {
    pointsman = await startPointsman(config({}));
    const client = new H2Wire(await dial(pointsman.address()));
    const window = 4 * MIB;
    client.send(
      HELLO,
      settings([Setting.InitialWindowSize, window]),
      frame(FrameType.WindowUpdate, 0, 0, u32(window)),
    );
    await client.until((seen) => seen.includes('Settings ack'));
    client.wire.socket.pause();
    client.send(headers(1, request('GET', '/large')));
    await largeAsked;
    pointsman.signal('SIGTERM');
    await pointsman.line('stopping');
    while (!client.hasEnded(1)) {
      const { receivedBytes } = client.wire;
      client.wire.socket.resume();
      await client.until(() => client.wire.receivedBytes > receivedBytes);
      client.wire.socket.pause();
      // Clients open windows as they take, and that must not meet a socket that is gone.
      client.send(frame(FrameType.WindowUpdate, 0, 0, u32(1)));
      await Bun.sleep(TAKING_MS);
    }
    expect(client.bodyOf(1).length).toBe(MIB);
    client.wire.socket.destroy();
    expect(await pointsman.exited()).toBe(0);
    await pointsman.stop();
  });
});
