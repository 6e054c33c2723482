import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { dial, type Wire } from '../support/wire.ts';
import { expectTime } from './expect-time.ts';

/** Milliseconds. Each has a listener of its own on which all others are `LONG`: a test that passes cannot have met another. */
const LIMITS = { requestHead: 700, requestBody: 1100, idle: 900, send: 1300, tunnel: 800 } as const;
/** And these a pool behind a listener of that name. */
const POOL_LIMITS = { response: 1000, responseBody: 1200 } as const;
const ENDPOINT_IDLE_MS = 600;
/** Limits that progress prolongs, long enough for one that comes late; and between two steps of progress. */
const PROLONGED_MS = 2400;
const STEP_MS = 600;
const STEPS = 6;
const LONG = '2m';
/** More than the kernel takes. */
const LARGE = Buffer.alloc(32 * 1024 * 1024, 'x');
const HEAD = 'GET /x HTTP/1.1\r\nHost: a.test\r\n';

type Limits = Readonly<Record<string, number>>;

/** Of these limits one as it is, and all others long. */
function only(name: string, limits: Limits): Record<string, string> {
  return Object.fromEntries(
    Object.entries(limits).map(([each, value]) => [each, each === name ? `${value}ms` : LONG]),
  );
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
      listeners: [
        ...[...Object.keys(LIMITS), ...Object.keys(POOL_LIMITS)].map((name) => ({
          name,
          address: '127.0.0.1:0',
          timeouts: only(name, LIMITS),
          routes: [{ pool: name in POOL_LIMITS ? name : 'web' }],
        })),
        {
          name: 'prolonged',
          address: '127.0.0.1:0',
          timeouts: { requestBody: `${PROLONGED_MS}ms`, tunnel: `${PROLONGED_MS}ms` },
          routes: [{ pool: 'web' }],
        },
      ],
      pools: ['web', ...Object.keys(POOL_LIMITS)].map((name) => ({
        name,
        endpoints: [endpoint.name],
        timeouts: only(name, POOL_LIMITS),
        outlierDetection: false,
        retry: { attempts: 0 },
      })),
    });
  });
  afterAll(async () => {
    await pointsman.stop();
    await endpoint[Symbol.asyncDispose]();
  });

  test.concurrent('request head: 408 and close, from the first byte', async () => {
    const client = await dial(pointsman.address('requestHead'));
    await expectTime(LIMITS.requestHead, () => {
      client.send(HEAD);
      return client.untilEnd();
    });
    expect((await client.answer()).status).toBe(408);
  });

  test.concurrent('request head: bytes that trickle do not prolong it', async () => {
    const client = await dial(pointsman.address('requestHead'));
    await expectTime(LIMITS.requestHead, async () => {
      client.send(HEAD);
      while (client.ending === 'open') {
        client.send('X');
        await client.ends(100);
      }
    });
  });

  test.concurrent('request head: holds for the second request too', async () => {
    const client = await dial(pointsman.address('requestHead'));
    client.send(`${HEAD}\r\n`);
    expect((await client.answer()).status).toBe(200);
    await expectTime(LIMITS.requestHead, () => {
      client.send(HEAD);
      return client.untilEnd();
    });
  });

  test.concurrent('request body: 408 without progress', async () => {
    const client = await dial(pointsman.address('requestBody'));
    await expectTime(LIMITS.requestBody, () => {
      client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello');
      return client.untilEnd();
    });
    expect((await client.answer()).status).toBe(408);
  });

  test.concurrent('request body: progress prolongs it', async () => {
    const client = await dial(pointsman.address('prolonged'));
    client.send(`POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${STEPS}\r\n\r\n`);
    await client.sendPieces('x'.repeat(STEPS).split(''), STEP_MS);
    expect((await client.answer()).status).toBe(200);
    client.close();
  });

  test.concurrent('idle: a connection without a request is closed', async () => {
    await expectTime(LIMITS.idle, async () => {
      const client = await dial(pointsman.address('idle'));
      await client.untilEnd();
    });
  });

  test.concurrent('idle: a kept connection is closed without a word', async () => {
    const client = await dial(pointsman.address('idle'));
    await expectTime(LIMITS.idle, async () => {
      client.send(`${HEAD}\r\n`);
      await client.answer();
      await client.untilEnd();
    });
    expect(client.received.length).toBe(client.cursor);
  });

  test.concurrent('response: 504 when no head comes', async () => {
    const client = await dial(pointsman.address('response'));
    await expectTime(POOL_LIMITS.response, async () => {
      client.send('GET /silent HTTP/1.1\r\nHost: a.test\r\n\r\n');
      expect((await client.answer()).status).toBe(504);
    });
    client.close();
  });

  test.concurrent('response: 504 when the head stops', async () => {
    const client = await dial(pointsman.address('response'));
    await expectTime(POOL_LIMITS.response, async () => {
      client.send('GET /half-head HTTP/1.1\r\nHost: a.test\r\n\r\n');
      expect((await client.answer()).status).toBe(504);
    });
    client.close();
  });

  test.concurrent('response: 504 when the head drips', async () => {
    const client = await dial(pointsman.address('response'));
    await expectTime(POOL_LIMITS.response, async () => {
      client.send('GET /drip-head HTTP/1.1\r\nHost: a.test\r\n\r\n');
      expect((await client.answer()).status).toBe(504);
    });
    client.close();
  });

  test.concurrent('response body: cut when it stops', async () => {
    const client = await dial(pointsman.address('responseBody'));
    await expectTime(POOL_LIMITS.responseBody, () => {
      client.send('GET /half-body HTTP/1.1\r\nHost: a.test\r\n\r\n');
      return client.untilEnd();
    });
    expect((await client.response()).kind).toBe('incomplete');
  });

  test.concurrent('send: a client that reads nothing is cut, and the endpoint set free', async () => {
    const client = await dial(pointsman.address('send'));
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
    const client = await dial(pointsman.address('tunnel'));
    client.send('GET /tunnel HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect((await client.answer()).status).toBe(101);
    await expectTime(LIMITS.tunnel, () => {
      client.send('one');
      return client.untilEnd();
    });
  });

  test.concurrent('tunnel: one direction keeps it open', async () => {
    const client = await dial(pointsman.address('prolonged'));
    client.send('GET /tunnel HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect((await client.answer()).status).toBe(101);
    for (let step = 0; step < STEPS; step++) {
      client.send('tick');
      await Bun.sleep(STEP_MS);
    }
    expect(client.ending).toBe('open');
    client.close();
  });

  test.concurrent('idle of an endpoint connection: closed behind its use', async () => {
    await using own = await ScriptedEndpoint.start();
    await using proxy = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [own.name], timeouts: { idle: `${ENDPOINT_IDLE_MS}ms` } }],
    });
    const client = await dial(proxy.address());
    await expectTime(ENDPOINT_IDLE_MS, async () => {
      client.send(`${HEAD}\r\n`);
      await client.answer();
      await own.wires[0]!.untilEnd();
    });
    client.close();
  });
});
