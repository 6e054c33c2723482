import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { FrameType, Setting } from '../../src/http/h2-protocol.ts';
import { headers, HELLO, request } from '../support/h2-client.ts';
import { frame, settings, u32 } from '../support/h2-frames.ts';
import { H2Wire } from '../support/h2-wire.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { dial, type Wire } from '../support/wire.ts';
import { expectTime } from './expect-time.ts';

const SEND_MS = 1000;
/** Longer than a client may go on without reading. */
const TALK_MS = 150;
/** More than the kernel takes. */
const LARGE = Buffer.alloc(32 * 1024 * 1024, 'x');
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: echo\r\n';

/** Says something now and then until `peer`, the endpoint's end, is let go of. */
async function talkWhileOpen(client: Wire, say: () => void, peer: Wire): Promise<void> {
  const talk = setInterval(() => {
    if (client.ending === 'open') say();
  }, TALK_MS);
  await peer.untilEnd().finally(() => clearInterval(talk));
}

describe('clients that take nothing', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;

  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start(async (wire) => {
      const head = await wire.head(30_000);
      if (head === undefined) return;
      if (head.target === '/tunnel') wire.send(`HTTP/1.1 101 Switching Protocols\r\n${UPGRADE}\r\n`);
      else wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE.length}\r\n\r\n`);
      wire.socket.write(LARGE);
    });
    const timeouts = { send: `${SEND_MS}ms`, tunnel: '1h' };
    pointsman = await startPointsman({
      listeners: [
        {
          name: 'web',
          address: '127.0.0.1:0',
          http2: { cleartext: true },
          timeouts,
          routes: [{ pool: 'web' }],
        },
        {
          name: 'raw',
          address: '127.0.0.1:0',
          protocol: 'tcp',
          pool: 'web',
          timeouts: { idle: `${SEND_MS}ms` },
        },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name], outlierDetection: false }],
    });
  });
  afterAll(async () => {
    await pointsman.stop();
    await endpoint[Symbol.asyncDispose]();
  });

  /** The endpoint's end of what asked for `target`. */
  async function peerOf(target: string): Promise<Wire> {
    for (;;) {
      const peer = endpoint.wires.find((wire) => wire.text.includes(` ${target} `));
      if (peer !== undefined) return peer;
      await Bun.sleep(5);
    }
  }

  test('a tunnel is cut although its client goes on talking', async () => {
    const client = await dial(pointsman.address('web'), { paused: true });
    await expectTime(SEND_MS, async () => {
      client.send(`GET /tunnel HTTP/1.1\r\nHost: a.test\r\n${UPGRADE}\r\n`);
      await talkWhileOpen(client, () => client.send('ping'), await peerOf('/tunnel'));
    });
    client.close();
  });

  test('a TCP session is cut although its client goes on talking', async () => {
    const client = await dial(pointsman.address('raw'), { paused: true });
    await expectTime(SEND_MS, async () => {
      client.send('GET /raw HTTP/1.1\r\nHost: a.test\r\n\r\n');
      await talkWhileOpen(client, () => client.send('ping'), await peerOf('/raw'));
    });
    client.close();
  });

  test('a connection of HTTP/2 is cut although its client goes on asking', async () => {
    const wire = await dial(pointsman.address('web'), { paused: true });
    const client = new H2Wire(wire);
    client.send(HELLO, settings([Setting.InitialWindowSize, 2 ** 30]));
    const ping = frame(FrameType.Ping, 0, 0, Buffer.alloc(8));
    await expectTime(SEND_MS, async () => {
      client.send(frame(FrameType.WindowUpdate, 0, 0, u32(2 ** 30)), headers(1, request('GET', '/h2')));
      await talkWhileOpen(wire, () => client.send(ping), await peerOf('/h2'));
    });
    wire.close();
  });

  test('a stream whose window stays shut is reset, the connection goes on', async () => {
    const client = new H2Wire(await dial(pointsman.address('web')));
    const ping = frame(FrameType.Ping, 0, 0, Buffer.alloc(8));
    await expectTime(SEND_MS, async () => {
      client.send(HELLO, settings([Setting.InitialWindowSize, 0]), headers(1, request('GET', '/stream')));
      await talkWhileOpen(client.wire, () => client.send(ping), await peerOf('/stream'));
    });
    const seen = await client.until((lines) => lines.some((line) => line.startsWith('ResetStream')));
    expect(seen.filter((line) => line.startsWith('ResetStream'))).toHaveLength(1);
    expect(client.wire.ending).toBe('open');
    client.wire.close();
  });
});
