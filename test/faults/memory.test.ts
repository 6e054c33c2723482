import { describe, expect, test } from 'bun:test';

import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { steadyTest } from '../support/steady-test.ts';
import { ask, dial, type Wire } from '../support/wire.ts';

const MIB = 1024 * 1024;
const PIECE = Buffer.alloc(MIB, 'x');

function front(endpoint: ScriptedEndpoint): Promise<Pointsman> {
  return startPointsman({
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
    pools: [{ name: 'web', endpoints: [endpoint.name] }],
  });
}

/** Writes `mebibytes` as fast as the socket takes them; the bytes that were handed to the kernel are in `socket.bytesWritten`. */
async function pour(wire: Wire, mebibytes: number): Promise<void> {
  for (let written = 0; written < mebibytes && wire.ending === 'open'; written++) {
    if (!wire.socket.write(PIECE)) {
      await Promise.race([
        new Promise((resolve) => wire.socket.once('drain', resolve)),
        wire.untilEnd(60_000),
      ]);
    }
  }
}

/** The most that the process grows over `before` while `work` runs. */
async function growth(pointsman: Pointsman, work: () => Promise<void>): Promise<number> {
  const before = pointsman.workerRssBytes();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, pointsman.workerRssBytes());
  }, 20);
  await work();
  clearInterval(timer);
  return most - before;
}

/** Reads a little at a time until `totalBytes` have come, faster at the end so that the test ends. */
async function readSlowly(wire: Wire, totalBytes: number, slowMs: number): Promise<void> {
  const start = performance.now();
  while (performance.now() - start < slowMs) {
    wire.socket.resume();
    await Bun.sleep(1);
    wire.socket.pause();
    await Bun.sleep(50);
  }
  wire.socket.resume();
  await wire.until(() => wire.receivedBytes >= totalBytes, 30_000);
}

describe('memory under slow peers', () => {
  test('a client that reads 100 MiB slowly', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${100 * MIB}\r\n\r\n`);
      await pour(wire, 100);
    });
    await using pointsman = await front(endpoint);
    const client = await dial(pointsman.address(), { paused: true, keep: false });
    const grown = await growth(pointsman, async () => {
      client.send('GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n');
      await readSlowly(client, 100 * MIB, 1500);
    });
    expect(client.receivedBytes).toBeGreaterThanOrEqual(100 * MIB);
    expect(grown).toBeLessThan(32 * MIB);
    client.close();
  }, 60_000);

  test('twenty clients that read nothing', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let piece = 0; piece < 64; piece++) {
        wire.send(`${MIB.toString(16)}\r\n`);
        await pour(wire, 1);
        wire.send('\r\n');
      }
    });
    await using pointsman = await front(endpoint);
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => dial(pointsman.address(), { paused: true, keep: false })),
    );
    const grown = await growth(pointsman, async () => {
      for (const client of clients) client.send('GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n');
      await Bun.sleep(2000);
    });
    expect(grown).toBeLessThan(48 * MIB);
    const [first] = clients;
    first!.socket.resume();
    await first!.until(() => first!.receivedBytes >= 64 * MIB, 20_000);
    for (const client of clients) client.close();
    endpoint.reset();
  }, 60_000);

  test('an endpoint that reads an upload of 100 MiB slowly', async () => {
    let received = 0;
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      wire.socket.on('data', (data: Buffer) => {
        received += data.length;
      });
      const start = performance.now();
      while (performance.now() - start < 1500) {
        wire.socket.pause();
        await Bun.sleep(50);
        wire.socket.resume();
        await Bun.sleep(1);
      }
      await wire.until(() => received >= 100 * MIB, 30_000);
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    await using pointsman = await front(endpoint);
    const client = await dial(pointsman.address());
    const grown = await growth(pointsman, async () => {
      client.send(`POST /upload HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${100 * MIB}\r\n\r\n`);
      await pour(client, 100);
      expect((await client.answer('POST', 30_000)).status).toBe(200);
    });
    expect(grown).toBeLessThan(32 * MIB);
    client.close();
  }, 60_000);

  test('a client that pipelines without reading', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        if ((await wire.request()).kind !== 'message') return;
        wire.forget();
        wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n${'x'.repeat(65_536)}`);
      }
    });
    await using pointsman = await front(endpoint);
    const client = await dial(pointsman.address(), { paused: true, keep: false });
    const grown = await growth(pointsman, async () => {
      client.send('GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n'.repeat(20_000));
      await Bun.sleep(2000);
    });
    expect(grown).toBeLessThan(32 * MIB);
    client.close();
  }, 30_000);
});

describe('idle connections', () => {
  steadyTest('5000 cost little, and others are served meanwhile', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await front(endpoint);
    await ask(pointsman.address(), 'GET /warm HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const clients: Wire[] = [];
    const before = pointsman.workerRssBytes();
    for (let batch = 0; batch < 50; batch++) {
      const dialled = Array.from({ length: 100 }, () => dial(pointsman.address(), { keep: false }));
      clients.push(...(await Promise.all(dialled)));
    }
    await Bun.sleep(300);
    const each = (pointsman.workerRssBytes() - before) / clients.length;
    expect(each).toBeLessThan(8 * 1024);
    const start = performance.now();
    await ask(pointsman.address(), 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect(performance.now() - start).toBeLessThan(200);
    expect(clients.every(({ ending }) => ending === 'open')).toBe(true);
    for (const client of clients) client.close();
  });
});
