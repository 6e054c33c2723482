import { describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import net from 'node:net';

import { type EndpointProcess, startEndpoints } from '../support/endpoint-process.ts';
import { type Pointsman, startPointsman, type StartOptions, type TestConfig } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import { dial, type Wire } from '../support/wire.ts';
import { expectTime } from './expect-time.ts';

const MIB = 1024 * 1024;
const PATIENCE_MS = 10_000;

type Pool = NonNullable<TestConfig['pools']>[number];

function front(
  endpoints: readonly string[],
  pool: Partial<Pool> = {},
  options: StartOptions = {},
): Promise<Pointsman> {
  return startPointsman(
    {
      listeners: [{ name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'raw' }],
      pools: [{ name: 'raw', policy: 'first', outlierDetection: false, endpoints: [...endpoints], ...pool }],
    },
    options,
  );
}

/** Says its name, then gives back whatever comes. */
function echoing(name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start((wire) => {
    wire.send(`${name}\n`);
    wire.socket.on('data', (bytes: Buffer) => wire.socket.write(bytes));
    wire.socket.on('end', () => wire.socket.end());
  });
}

async function greeted(pointsman: Pointsman, by: string): Promise<Wire> {
  const wire = await dial(pointsman.address());
  await wire.until(() => wire.text.includes(`${by}\n`));
  expect(wire.text).toBe(`${by}\n`);
  return wire;
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await Bun.sleep(20);
  }
}

/** Everything that the pool and the listener say is under way. */
async function underWay(pointsman: Pointsman): Promise<number> {
  const [pools, listeners] = await Promise.all(
    ['pools', 'listeners'].map(async (what) => (await fetch(`${pointsman.admin}/api/v1/${what}`)).text()),
  );
  const counts = `${pools}${listeners}`.match(/"(?:active|queued|sessions|open)":\s*(\d+)/g) ?? [];
  expect(counts.length).toBeGreaterThan(4);
  return counts.reduce((sum, count) => sum + Number(/\d+/.exec(count)![0]), 0);
}

/** Ways to leave. */
const LEAVING: Readonly<Record<string, (client: Wire) => Promise<void> | void>> = {
  'at once': (client) => client.reset(),
  'with a FIN at once': (client) => client.close(),
  'with words on the way': (client) => {
    client.send('hello');
    client.reset();
  },
  'in the middle': async (client) => {
    client.send('x'.repeat(100_000));
    await client.until(() => client.receivedBytes > 1000);
    client.reset();
  },
  'after a half-close': async (client) => {
    client.send('hello');
    client.halfClose();
    await client.untilEnd();
    client.close();
  },
};

async function leaveOften(pointsman: Pointsman, times: number): Promise<void> {
  for (const leave of Object.values(LEAVING)) {
    for (let batch = 0; batch < times; batch += 20)
      await Promise.all(Array.from({ length: 20 }, async () => leave(await dial(pointsman.address()))));
  }
}

describe.each([[{}], [{ sockets: 'runtime' }]] as readonly [StartOptions][])(
  'sessions with sockets of %o',
  (options) => {
    test('a reset by either side reaches the other as one', async () => {
      await using endpoint = await echoing('a');
      await using pointsman = await front([endpoint.name], {}, options);
      const first = await greeted(pointsman, 'a');
      endpoint.wires[0]!.reset();
      await first.untilEnd();
      expect(first.ending).toBe('reset');
      const second = await greeted(pointsman, 'a');
      second.reset();
      await endpoint.wires[1]!.untilEnd();
      expect(endpoint.wires[1]!.ending).toBe('reset');
    });

    test('each direction ends by itself: megabytes follow a half-close', async () => {
      const bytes = Buffer.alloc(5 * MIB, 'answer ');
      await using endpoint = await ScriptedEndpoint.start(async (wire) => {
        await wire.untilEnd();
        wire.socket.end(bytes);
      });
      await using pointsman = await front([endpoint.name], {}, options);
      const client = await dial(pointsman.address());
      client.send('the question');
      client.halfClose();
      await client.untilEnd();
      expect(client.ending).toBe('fin');
      expect(endpoint.wires[0]!.text).toBe('the question');
      expect(client.received.equals(bytes)).toBe(true);
    });

    test('who reads slowly holds back who writes, and gets every byte', async () => {
      const total = 96 * MIB;
      const piece = Buffer.from(Array.from({ length: MIB }, (_, index) => (index * 31) & 0xff));
      let taken = 0;
      await using endpoint = await ScriptedEndpoint.start(async (wire) => {
        for (; taken < total; taken += MIB) {
          if (!wire.socket.write(piece)) await new Promise((resolve) => wire.socket.once('drain', resolve));
        }
        wire.halfClose();
      });
      await using pointsman = await front([endpoint.name], {}, options);
      const before = pointsman.workerRssBytes();
      const client = await dial(pointsman.address(), { paused: true, keep: false });
      const hash = createHash('sha256');
      client.socket.on('data', (bytes: Buffer) => void hash.update(bytes));
      client.socket.pause();
      const takenNow = (): number => taken;
      let takenBefore = -1;
      await eventually('a halt', async () => {
        takenBefore = takenNow();
        await Bun.sleep(300);
        return takenNow() === takenBefore;
      });
      await Bun.sleep(500);
      // What lies in between is bounded: a piece of ours and the buffers of the kernel.
      expect(taken - takenBefore).toBeLessThan(8 * MIB);
      expect(takenBefore).toBeLessThan(total / 2);
      expect(pointsman.workerRssBytes() - before).toBeLessThan(48 * MIB);
      client.socket.resume();
      await client.untilEnd(30_000);
      expect(client.receivedBytes).toBe(total);
      const expected = createHash('sha256');
      for (let sent = 0; sent < total; sent += MIB) expected.update(piece);
      expect(hash.digest('hex')).toBe(expected.digest('hex'));
    }, 60_000);

    test('nothing is left behind by clients that leave in any way', async () => {
      await using endpoint = await echoing('a');
      await using pointsman = await front([endpoint.name], {}, options);
      await leaveOften(pointsman, 40);
      await eventually('sessions over', async () => (await underWay(pointsman)) === 0);
      const files = pointsman.openFiles();
      const rss = pointsman.workerRssBytes();
      await leaveOften(pointsman, 200);
      await eventually('sessions over', async () => (await underWay(pointsman)) === 0);
      expect(pointsman.openFiles()).toBeLessThanOrEqual(files + 4);
      expect(pointsman.workerRssBytes() - rss).toBeLessThan(48 * MIB);
      await eventually('their ends heard of', () => endpoint.wires.every(({ ending }) => ending !== 'open'));
      const client = await greeted(pointsman, 'a');
      client.close();
    }, 60_000);
  },
);

test('an endpoint that refuses costs no client anything, and neither does one that takes no connections', async () => {
  await using processes = await startEndpoints(1);
  const [frozen] = processes.all;
  const [closed] = await freePorts(1);
  await using endpoint = await echoing('b');
  await using pointsman = await front([`127.0.0.1:${closed}`, frozen!.address, endpoint.name], {
    timeouts: { connect: '600ms' },
  });
  frozen!.signal('SIGSTOP');
  const port = Number(frozen!.address.split(':')[1]);
  // Fills the queue of connections that nobody accepts; those that do not fit stay in their first step.
  const fillers = Array.from({ length: 700 }, () =>
    net.connect({ host: '127.0.0.1', port }).on('error', () => {}),
  );
  await Bun.sleep(300);
  await expectTime(600, async () => {
    const client = await greeted(pointsman, 'b');
    client.close();
  });
  for (const filler of fillers) filler.destroy();
});

test('a killed endpoint resets its sessions; the next client is served by another', async () => {
  await using processes = await startEndpoints(1);
  const [first] = processes.all as [EndpointProcess];
  await using second = await echoing('b');
  await using pointsman = await front([first.address, second.name]);
  const client = await dial(pointsman.address());
  client.send('GET /slow HTTP/1.1\r\nHost: a\r\n');
  await eventually('a session', async () => (await underWay(pointsman)) > 0);
  await Bun.sleep(50);
  await first.kill();
  await client.untilEnd();
  expect(client.ending).not.toBe('open');
  const next = await greeted(pointsman, 'b');
  next.close();
});

describe('an endpoint that hangs', () => {
  const check: Pool['healthCheck'] = {
    http: { path: '/health' },
    interval: '200ms',
    timeout: '150ms',
    fall: 2,
  };

  test.each([
    ['close', true],
    ['keep', false],
  ] as const)('onEndpointDown: %s', async (onEndpointDown, reset) => {
    await using processes = await startEndpoints(2);
    await using pointsman = await front(
      processes.all.map(({ address }) => address),
      { healthCheck: check, onEndpointDown },
    );
    const client = await dial(pointsman.address());
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    const serving = valueOf(await client.answer(), 'x-endpoint');
    const hanging = processes.all.find(({ name }) => name === serving)!;
    await hanging.behave('hang');
    // By its address: the pool has no names for them.
    await eventually('unhealthy', () =>
      pointsman.lines('endpoint-unhealthy').some((line) => line.includes(hanging.address)),
    );
    if (reset) await client.untilEnd();
    else await client.ends(500);
    expect(client.ending).toBe(reset ? 'reset' : 'open');
    const next = await dial(pointsman.address());
    next.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await next.answer()).status).toBe(200);
    for (const wire of [client, next]) wire.close();
  });
});

test('thousands of idle sessions cost little, and are all given back', async () => {
  const count = 3000;
  await using endpoint = await echoing('a');
  await using pointsman = await front([endpoint.name], {}, { openFiles: 3 * count });
  const warm = await greeted(pointsman, 'a');
  warm.close();
  await leaveOften(pointsman, 20);
  await eventually('nobody', async () => (await underWay(pointsman)) === 0);
  const files = pointsman.openFiles();
  const rss = pointsman.workerRssBytes();
  const clients: Wire[] = [];
  for (let batch = 0; batch < count; batch += 100) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => greeted(pointsman, 'a')))));
  }
  const cpu = pointsman.cpuSeconds();
  await Bun.sleep(1000);
  expect(pointsman.cpuSeconds() - cpu).toBeLessThan(0.3);
  expect((pointsman.workerRssBytes() - rss) / count).toBeLessThan(12 * 1024);
  for (const client of clients.splice(0, 1000)) client.reset();
  for (const client of clients) client.close();
  await eventually('all gone', async () => (await underWay(pointsman)) === 0);
  expect(pointsman.openFiles()).toBeLessThanOrEqual(files + 4);
  const again = await greeted(pointsman, 'a');
  again.close();
}, 120_000);

test('out of descriptors: who is there is served, no endpoint is blamed, and it recovers', async () => {
  await using endpoint = await echoing('a');
  await using other = await echoing('b');
  await using pointsman = await front(
    [endpoint.name, other.name],
    { outlierDetection: {} },
    { openFiles: 120 },
  );
  const first = await greeted(pointsman, 'a');
  const crowd: Wire[] = [];
  for (let count = 0; count < 250; count++) {
    // Where there is no descriptor for the endpoint, the client may be reset before it knows that it was connected.
    const client = await dial(pointsman.address()).catch(() => undefined);
    if (client !== undefined) crowd.push(client);
  }
  await Bun.sleep(300);
  first.send('still here');
  await first.until(() => first.text.includes('still here'));
  expect(first.text).toBe('a\nstill here');
  for (const client of crowd) client.close();
  // It is not the endpoints' fault.
  expect(pointsman.logs()).not.toContain('ejected');
  await eventually('room', async () => (await underWay(pointsman)) <= 4);
  const after = await greeted(pointsman, 'a');
  for (const wire of [first, after]) wire.close();
}, 30_000);
