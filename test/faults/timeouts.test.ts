import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { dial, type Wire } from '../support/wire.ts';
import { expectTime } from './expect-time.ts';

/** Each limit of its own length, so that a test that passes cannot have met another. */
const LIMITS = { requestHead: 700, requestBody: 1100, idle: 900, send: 1300, tunnel: 800 } as const;
const POOL_LIMITS = { response: 1000, responseBody: 1200, idle: 600 } as const;
/** More than the kernel takes. */
const LARGE = Buffer.alloc(32 * 1024 * 1024, 'x');
const HEAD = 'GET /x HTTP/1.1\r\nHost: a.test\r\n';

function ms(limits: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, `${value}ms`]));
}

describe('limits of time', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;
  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const head = await wire.head(30_000);
        if (head === undefined) return;
        if (head.target === '/tunnel') {
          wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
          return;
        }
        const parsed = await wire.request(30_000);
        if (parsed.kind !== 'message' || head.target === '/silent') return;
        if (head.target === '/half-head') wire.send('HTTP/1.1 200 OK\r\nX-A: ');
        else if (head.target === '/drip-head') {
          wire.send('HTTP/1.1 200 OK\r\nX-A: ');
          while (wire.ending === 'open') {
            wire.send('x');
            await wire.ends(50);
          }
        } else if (head.target === '/half-body')
          wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello');
        else if (head.target === '/large') {
          wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE.length}\r\n\r\n`);
          wire.socket.write(LARGE);
        } else wire.send(plainAnswer('ok'));
      }
    });
    pointsman = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', timeouts: ms(LIMITS), routes: [{ pool: 'web' }] }],
      pools: [
        {
          name: 'web',
          endpoints: [endpoint.name],
          timeouts: ms(POOL_LIMITS),
          outlierDetection: false,
          retry: { attempts: 0 },
        },
      ],
    });
  });
  afterAll(async () => {
    await pointsman.stop();
    await endpoint[Symbol.asyncDispose]();
  });

  test.concurrent('request head: 408 and close, from the first byte', async () => {
    const client = await dial(pointsman.address());
    client.send(HEAD);
    await expectTime(LIMITS.requestHead, () => client.untilEnd());
    expect((await client.answer()).status).toBe(408);
  });

  test.concurrent('request head: bytes that trickle do not prolong it', async () => {
    const client = await dial(pointsman.address());
    client.send(HEAD);
    await expectTime(LIMITS.requestHead, async () => {
      while (client.ending === 'open') {
        client.send('X');
        await client.ends(100);
      }
    });
  });

  test.concurrent('request head: holds for the second request too', async () => {
    const client = await dial(pointsman.address());
    client.send(`${HEAD}\r\n`);
    expect((await client.answer()).status).toBe(200);
    client.send(HEAD);
    await expectTime(LIMITS.requestHead, () => client.untilEnd());
  });

  test.concurrent('request body: 408 without progress', async () => {
    const client = await dial(pointsman.address());
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello');
    await expectTime(LIMITS.requestBody, () => client.untilEnd());
    expect((await client.answer()).status).toBe(408);
  });

  test.concurrent('request body: progress prolongs it', async () => {
    const client = await dial(pointsman.address());
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n');
    await client.sendPieces('hello'.split(''), LIMITS.requestBody / 2);
    expect((await client.answer()).status).toBe(200);
    client.close();
  });

  test.concurrent('idle: a connection without a request is closed', async () => {
    const client = await dial(pointsman.address());
    await expectTime(LIMITS.idle, () => client.untilEnd());
  });

  test.concurrent('idle: a kept connection is closed without a word', async () => {
    const client = await dial(pointsman.address());
    client.send(`${HEAD}\r\n`);
    await client.answer();
    await expectTime(LIMITS.idle, () => client.untilEnd());
    expect(client.received.length).toBe(client.cursor);
  });

  test.concurrent('response: 504 when no head comes', async () => {
    const client = await dial(pointsman.address());
    client.send('GET /silent HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await expectTime(POOL_LIMITS.response, async () => {
      expect((await client.answer()).status).toBe(504);
    });
    client.close();
  });

  test.concurrent('response: 504 when the head stops', async () => {
    const client = await dial(pointsman.address());
    client.send('GET /half-head HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await expectTime(POOL_LIMITS.response, async () => {
      expect((await client.answer()).status).toBe(504);
    });
    client.close();
  });

  test.concurrent('response: 504 when the head drips', async () => {
    const client = await dial(pointsman.address());
    client.send('GET /drip-head HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await expectTime(POOL_LIMITS.response, async () => {
      expect((await client.answer()).status).toBe(504);
    });
    client.close();
  });

  test.concurrent('response body: cut when it stops', async () => {
    const client = await dial(pointsman.address());
    client.send('GET /half-body HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await expectTime(POOL_LIMITS.responseBody, () => client.untilEnd());
    expect((await client.response()).kind).toBe('incomplete');
  });

  test.concurrent('send: a client that reads nothing is cut, and the endpoint set free', async () => {
    const client = await dial(pointsman.address());
    client.socket.pause();
    await expectTime(LIMITS.send, async () => {
      client.send('GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n');
      const isPeer = (wire: Wire) => wire.text.includes('/large');
      while (!endpoint.wires.some(isPeer)) await Bun.sleep(5);
      await endpoint.wires.find(isPeer)!.untilEnd();
    });
    client.close();
  });

  test.concurrent('tunnel: closed without a byte in either direction', async () => {
    const client = await dial(pointsman.address());
    client.send('GET /tunnel HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect((await client.answer()).status).toBe(101);
    client.send('one');
    await expectTime(LIMITS.tunnel, () => client.untilEnd());
  });

  test.concurrent('tunnel: one direction keeps it open', async () => {
    const client = await dial(pointsman.address());
    client.send('GET /tunnel HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect((await client.answer()).status).toBe(101);
    for (let round = 0; round < 6; round++) {
      client.send('tick');
      await Bun.sleep(LIMITS.tunnel / 2);
    }
    expect(client.ending).toBe('open');
    client.close();
  });

  test.concurrent('idle of an endpoint connection: closed behind its use', async () => {
    await using own = await ScriptedEndpoint.start();
    await using proxy = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [own.name], timeouts: ms(POOL_LIMITS) }],
    });
    const client = await dial(proxy.address());
    client.send(`${HEAD}\r\n`);
    await client.answer();
    await expectTime(POOL_LIMITS.idle, () => own.wires[0]!.untilEnd());
    client.close();
  });
});
