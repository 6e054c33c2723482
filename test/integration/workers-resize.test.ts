import { writeFileSync } from 'node:fs';

import { describe, expect, test } from 'bun:test';

import type { StatusReport } from '../../src/admin/status-report.ts';
import { cli } from '../support/cli.ts';
import { startEndpoints } from '../support/endpoint-process.ts';
import { get } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { failed, Load, summary } from '../support/load.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { untilTrue } from '../support/services.ts';
import { UdpClient, UdpEndpoint } from '../support/udp-peers.ts';
import { ask, dial } from '../support/wire.ts';

function configOf(endpoints: readonly string[], workers: number, more: Partial<TestConfig> = {}): TestConfig {
  return {
    workers,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
    pools: [{ name: 'web', policy: 'round-robin', endpoints: [...endpoints] }],
    ...more,
  };
}

async function workersOf({ admin }: Pointsman): Promise<StatusReport['workers']> {
  const status = await fetch(`${admin}/api/v1/status`, { keepalive: false });
  return ((await status.json()) as StatusReport).workers;
}

/** Reloads with so many workers, and waits until it is so. */
async function resize(pointsman: Pointsman, config: TestConfig, workers: number): Promise<void> {
  const next = { admin: { address: '127.0.0.1:0' }, ...config, workers };
  writeFileSync(pointsman.file, JSON.stringify(next));
  const reloaded = await cli(['reload', '--admin', new URL(pointsman.admin).host]);
  expect([reloaded.code, reloaded.err]).toEqual([0, '']);
  await untilTrue(`${workers} workers`, async () => {
    const all = await workersOf(pointsman);
    return all.length === workers && all.every(({ state }) => state === 'ready');
  });
}

describe('a reload with another number of workers', () => {
  test('up and down, under load: nobody is refused, no request fails', async () => {
    await using endpoints = await startEndpoints(2);
    const config = configOf(
      endpoints.all.map(({ address }) => address),
      1,
    );
    await using pointsman = await startPointsman(config);
    const [first] = await workersOf(pointsman);
    const load = new Load({ address: pointsman.address(), ratePerSecond: 100, freshShare: 0.6 });
    for (const workers of [3, 2, 1, 2]) {
      await resize(pointsman, config, workers);
      await Bun.sleep(300);
    }
    await untilTrue('a load', () => load.shots.length > 100);
    const shots = await load.stop();
    expect(shots.length).toBeGreaterThan(100);
    expect(summary(failed(shots))).toBe('');
    expect((await workersOf(pointsman))[0]).toMatchObject({ pid: first!.pid, restarts: 0 });
    expect(pointsman.lines('workers-changed').map((line) => /from=\d+ to=\d+/.exec(line)![0])).toEqual([
      'from=1 to=3',
      'from=3 to=2',
      'from=2 to=1',
      'from=1 to=2',
    ]);
    expect(pointsman.lines('worker-died')).toEqual([]);
    expect(pointsman.lines('defect')).toEqual([]);
  }, 60_000);

  test('all of them take connections; limits are those of all together, before and after', async () => {
    await using endpoint = await HeldEndpoint.start('held');
    const pools = [
      {
        name: 'web',
        endpoints: [{ address: endpoint.name, maxConnections: 3 }],
        queue: { size: 0 },
        retry: { attempts: 0 },
      },
    ];
    const config = configOf([], 1, { pools });
    await using pointsman = await startPointsman(config);
    const answers = async (): Promise<string> => {
      endpoint.hold();
      const wires = await Promise.all(Array.from({ length: 40 }, () => dial(pointsman.address())));
      const before = endpoint.taken.length;
      for (const wire of wires) wire.send(get('/'));
      await untilTrue('three requests', () => endpoint.taken.length === before + 3);
      const refused = (): number => wires.filter(({ text }) => text.includes(' 503 ')).length;
      await untilTrue('the refusal of the others', () => refused() === 37);
      endpoint.release();
      const statuses = await Promise.all(wires.map(async (wire) => (await wire.answer()).status));
      for (const wire of wires) wire.close();
      return [200, 503].map((status) => statuses.filter((one) => one === status).length).join(' ');
    };
    expect(await answers()).toBe('3 37');
    await resize(pointsman, config, 4);
    // That one of four has none of them has a chance of 4 x 0.75^90, below 1e-10.
    const wires = await Promise.all(Array.from({ length: 90 }, () => dial(pointsman.address())));
    await untilTrue('connections to all', async () =>
      (await workersOf(pointsman)).every(({ connections }) => connections > 0),
    );
    for (const wire of wires) wire.close();
    expect(await answers()).toBe('3 37');
    await resize(pointsman, config, 1);
    expect(await answers()).toBe('3 37');
  }, 60_000);

  test('a request under way in a worker that goes is finished, and counted', async () => {
    await using endpoint = await HeldEndpoint.start('held');
    const config = configOf([endpoint.name], 3);
    await using pointsman = await startPointsman(config);
    endpoint.hold();
    const wires = await Promise.all(Array.from({ length: 30 }, () => dial(pointsman.address())));
    for (const wire of wires) wire.send(get('/'));
    await endpoint.took(30);
    const resized = resize(pointsman, config, 1);
    await pointsman.line('workers-changed');
    expect((await workersOf(pointsman)).map(({ state }) => state)).toEqual(['ready', 'stopping', 'stopping']);
    endpoint.release();
    for (const wire of wires) expect((await wire.answer()).status).toBe(200);
    await resized;
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    expect(metrics).toMatch(/pointsman_endpoint_requests_total\{[^}]*\} 30\n/);
  }, 60_000);

  test('datagrams are answered all the while', async () => {
    await using endpoint = await UdpEndpoint.start('u');
    const listener = { name: 'in', address: '127.0.0.1:0', protocol: 'udp', pool: 'p' } as const;
    const config = {
      workers: 1,
      listeners: [listener],
      pools: [{ name: 'p', endpoints: [endpoint.address] }],
    };
    await using pointsman = await startPointsman(config);
    const { port } = pointsman.address('in');
    const load = { stopped: false };
    const asked = Array.from({ length: 8 }, () => 0);
    const clients = asked.map(async (_, index) => {
      using client = await UdpClient.open(port);
      while (!load.stopped) {
        const text = `${index}-${asked[index]!++}`;
        expect(await client.ask(text)).toBe(`u:${text}`);
        await Bun.sleep(5);
      }
    });
    for (const workers of [3, 1, 2]) {
      await resize(pointsman, config, workers);
      const before = [...asked];
      await untilTrue('answers to all', () => asked.every((now, index) => now > before[index]! + 10));
    }
    load.stopped = true;
    await Promise.all(clients);
  }, 60_000);
});

test('an upgrade to fewer workers leaves no socket that nobody takes from', async () => {
  await using endpoints = await startEndpoints(1);
  const config = configOf(
    endpoints.all.map(({ address }) => address),
    4,
  );
  await using pointsman = await startPointsman(config);
  const load = new Load({ address: pointsman.address(), ratePerSecond: 100, freshShare: 1 });
  const next = { admin: { address: '127.0.0.1:0' }, ...config, workers: 1 };
  writeFileSync(pointsman.file, JSON.stringify(next));
  const upgraded = await cli(['upgrade', '--admin', new URL(pointsman.admin).host, '--json']);
  expect([upgraded.code, upgraded.err]).toEqual([0, '']);
  const { pid } = JSON.parse(upgraded.out) as { pid: number };
  try {
    await untilTrue('the next process', async () => {
      const workers = await workersOf(pointsman).catch(() => []);
      return workers.length === 1 && workers[0]!.state === 'ready';
    });
    await pointsman.exited();
    await Bun.sleep(200);
    const shots = await load.stop();
    expect(summary(failed(shots))).toBe('');
    for (let count = 0; count < 40; count++)
      expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  } finally {
    process.kill(pid, 'SIGKILL');
  }
}, 60_000);
