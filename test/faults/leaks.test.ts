import { describe, expect, test } from 'bun:test';

import { get, post, startFront } from '../support/front.ts';
import type { Pointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { ask, dial, type Wire } from '../support/wire.ts';

const MIB = 1024 * 1024;
const UPGRADE = get('/tunnel', 'Connection: Upgrade', 'Upgrade: websocket');

/** Ways to leave without a goodbye. */
const RUDE: Readonly<Record<string, (client: Wire) => Promise<void> | void>> = {
  'before a byte': (client) => client.reset(),
  'in the head': (client) => {
    client.send('GET /x HTTP/1.1\r\nHo');
    client.reset();
  },
  'in the body': (client) => {
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhello');
    client.reset();
  },
  'in chunks': async (client) => {
    client.send('POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel');
    await Bun.sleep(2);
    client.close();
  },
  'before the answer': async (client) => {
    client.send(get('/slow'));
    await Bun.sleep(5);
    client.reset();
  },
  'in the answer': async (client) => {
    client.send(get('/large'));
    await client.until(() => client.receivedBytes > 0);
    client.reset();
  },
  'behind the answer': async (client) => {
    client.send(get('/x'));
    await client.answer();
    client.close();
  },
  'with requests in the pipe': async (client) => {
    client.send(get('/slow').repeat(5));
    await Bun.sleep(5);
    client.close();
  },
  'in a tunnel': async (client) => {
    client.send(UPGRADE);
    await client.until(() => client.text.includes('101'));
    client.send('hello');
    client.reset();
  },
  'behind a malformed request': (client) => {
    client.send('GET / HTTP/9.9\r\n\r\n');
    client.reset();
  },
};

function endpointOfAllKinds(): Promise<ScriptedEndpoint> {
  const large = Buffer.from(plainAnswer('x'.repeat(MIB)));
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') break;
      wire.forget();
      const { target } = parsed.message;
      if (target === '/tunnel') {
        wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
        await wire.untilEnd(60_000);
        break;
      }
      if (target === '/slow') await Bun.sleep(30);
      if (target === '/large') wire.socket.write(large);
      else wire.send(plainAnswer('ok'));
    }
    wire.close();
  });
}

async function rudely(
  pointsman: Pointsman,
  leave: (client: Wire) => Promise<void> | void,
  times: number,
): Promise<void> {
  for (let batch = 0; batch < times; batch += 20) {
    await Promise.all(Array.from({ length: 20 }, async () => leave(await dial(pointsman.address()))));
  }
}

/** Waits until the pool says that nothing is under way and nothing waits. */
async function untilIdle(pointsman: Pointsman): Promise<void> {
  await untilTrue('an idle pool', async () => {
    const text = await (await fetch(`${pointsman.admin}/api/v1/pools`)).text();
    const counts = text.match(/"(?:active|queued)":\s*\d+/g) ?? [];
    expect(counts.length).toBeGreaterThan(0);
    return counts.every((count) => /\D0$/.test(count));
  });
}

describe('nothing is left behind', () => {
  test('by clients that leave rudely', async () => {
    await using endpoint = await endpointOfAllKinds();
    await using pointsman = await startFront([endpoint], { pool: { timeouts: { idle: '300ms' } } });
    for (const leave of Object.values(RUDE)) await rudely(pointsman, leave, 40);
    await untilIdle(pointsman);
    await Bun.sleep(600);
    const files = pointsman.openFiles();
    const rss = pointsman.rssBytes();
    for (const leave of Object.values(RUDE)) await rudely(pointsman, leave, 200);
    await untilIdle(pointsman);
    await untilTrue('as few files as before', () => pointsman.openFiles() <= files + 4);
    await untilTrue(
      'the end of connections to the endpoint',
      () => endpoint.wires.filter(({ ending }) => ending === 'open').length <= 4,
    );
    expect(pointsman.rssBytes() - rss).toBeLessThan(64 * MIB);
    expect((await ask(pointsman.address(), post('/x', 'hello'))).status).toBe(200);
  }, 60_000);

  test('by places under maxConnections', async () => {
    await using endpoint = await endpointOfAllKinds();
    await using pointsman = await startFront([], {
      pool: {
        endpoints: [{ address: endpoint.name, maxConnections: 3 }],
        queue: { size: 50, timeout: '8s' },
      },
    });
    for (const leave of Object.values(RUDE)) {
      await rudely(pointsman, leave, 40);
      await untilIdle(pointsman);
    }
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => ask(pointsman.address(), get('/slow'), 10_000)),
    );
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  }, 60_000);
});
