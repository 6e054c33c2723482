import { readdirSync, readlinkSync } from 'node:fs';

import { describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import { cli, type Ran } from '../support/cli.ts';
import { get } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { failed, Load, summary } from '../support/load.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import { untilTrue } from '../support/services.ts';
import { ask, dial } from '../support/wire.ts';

const WORKERS = 4;
/** By as many connections of their own, every worker is met: that one of four is not has a chance of 4 x 0.75^60. */
const ENOUGH = 60;

/** Answers a load at once. */
function answering(name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') break;
      wire.forget();
      const id = valueOf(parsed.message, 'x-id') ?? '';
      wire.send(plainAnswer(`${id} ok`, `X-Endpoint: ${name}\r\nX-Id: ${id}\r\n`));
    }
    wire.close();
  });
}

function configOf(endpoints: readonly ScriptedEndpoint[], more: Partial<TestConfig> = {}): TestConfig {
  return {
    workers: WORKERS,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api' }] }],
    pools: [{ name: 'api', policy: 'round-robin', endpoints: endpoints.map(({ name }) => name) }],
    ...more,
  };
}

/** Statuses of requests on connections of their own. */
function statuses(pointsman: Pointsman, target: string, listener = 'web'): Promise<number[]> {
  const one = async (): Promise<number> =>
    (await ask(pointsman.address(listener), get(target, 'Connection: close'), 15_000)).status;
  return Promise.all(Array.from({ length: ENOUGH }, one));
}

async function poolOf(pointsman: Pointsman): Promise<PoolReport> {
  return (await (await fetch(`${pointsman.admin}/api/v1/pools/api`)).json()) as PoolReport;
}

function command(pointsman: Pointsman, words: string): Promise<Ran> {
  return cli([...words.split(' '), '--admin', pointsman.admin.replace('http://', '')]);
}

/** A listener for HTTP. */
function http(name: string, address: string, ...routes: HttpRoutes): TestConfig['listeners'][number] {
  return { name, address, protocol: 'http', routes };
}

type HttpRoutes = Extract<TestConfig['listeners'][number], { protocol?: 'http' | undefined }>['routes'];

const ANY_PORT = '127.0.0.1:0';
const toApi = { pool: 'api' };
const closed = { match: { path: '/closed' }, reply: { status: 410 as const } };

/** Nobody listens there any more. Workers close their sockets one after the other, a moment after the reload. */
function untilRefused(port: number): Promise<void> {
  return untilTrue('the end of an address', async () => {
    try {
      (await dial({ host: '127.0.0.1', port })).close();
      return false;
    } catch {
      return true;
    }
  });
}

describe('a reload with four workers under load', () => {
  test('holds in all of them; listeners come, move and go; nobody is refused', async () => {
    await using a = await answering('a');
    await using b = await answering('b');
    const [first = 0, second = 0] = await freePorts(2);
    const config = configOf([a, b]);
    await using pointsman = await startPointsman(config);
    const load = new Load({ address: pointsman.address(), ratePerSecond: 150, freshShare: 0.5 });
    const listening = (...listeners: TestConfig['listeners']) => pointsman.reload({ ...config, listeners });
    const web = http('web', ANY_PORT, toApi);
    await listening(http('web', ANY_PORT, closed, toApi), http('other', `127.0.0.1:${first}`, closed));
    expect(new Set(await statuses(pointsman, '/closed'))).toEqual(new Set([410]));
    expect(new Set(await statuses(pointsman, '/closed', 'other'))).toEqual(new Set([410]));
    await listening(web, http('other', `127.0.0.1:${second}`, closed));
    expect((await ask({ host: '127.0.0.1', port: second }, get('/closed'))).status).toBe(410);
    await untilRefused(first);
    expect(new Set(await statuses(pointsman, '/closed'))).toEqual(new Set([200]));
    // Its address goes to a listener of another name.
    await listening(http('heir', `127.0.0.1:${second}`, closed), web);
    for (let round = 0; round < 20; round++) {
      const route = { ...closed, match: { path: `/${round}` } };
      await listening(http('web', ANY_PORT, route, toApi));
    }
    await untilRefused(second);
    await untilTrue('a load', () => load.shots.length > 50);
    await load.stop();
    expect(summary(failed(load.shots))).toBe('');
    expect(load.shots.length).toBeGreaterThan(50);
  });

  test('is refused whole when an address is taken, and leaves no socket behind', async () => {
    await using a = await answering('a');
    const [free = 0] = await freePorts(1);
    const config = configOf([a]);
    await using pointsman = await startPointsman(config);
    const changed = http('web', ANY_PORT, closed, toApi);
    const added = http('added', `127.0.0.1:${free}`, toApi);
    const taken = http('taken', pointsman.admin.replace('http://', ''), toApi);
    const line = await pointsman.reload({ ...config, listeners: [changed, added, taken] });
    expect(line).toContain('reload-refused reason=apply');
    expect(line).toContain('EADDRINUSE');
    expect(new Set(await statuses(pointsman, '/closed'))).toEqual(new Set([200]));
    await untilRefused(free);
    expect(await pointsman.reload({ ...config, listeners: [changed, added] })).toContain(
      'reloaded revision=2',
    );
    expect(new Set(await statuses(pointsman, '/closed'))).toEqual(new Set([410]));
  });

  test('holds for a worker that is started later', async () => {
    await using a = await answering('a');
    const config = configOf([a]);
    await using pointsman = await startPointsman(config);
    await pointsman.reload({ ...config, listeners: [http('web', ANY_PORT, closed, toApi)] });
    await command(pointsman, `weight api/${a.name} 7`);
    for (const pid of pointsman.workerPids) process.kill(pid, 'SIGKILL');
    await pointsman.line('worker-ready', WORKERS - 1);
    expect(new Set(await statuses(pointsman, '/closed'))).toEqual(new Set([410]));
    expect((await poolOf(pointsman)).endpoints[0]!.weight).toBe(7);
  });
});

describe('what is decided about an endpoint', () => {
  test('reaches all workers: health', async () => {
    await using a = await answering('a');
    await using b = await answering('b');
    const healthCheck = { tcp: {}, interval: '500ms', timeout: '400ms', fall: 1, rise: 1 };
    const pools = [
      {
        name: 'api',
        policy: 'round-robin' as const,
        endpoints: [a.name, b.name],
        healthCheck,
      },
    ];
    await using pointsman = await startPointsman(configOf([a, b], { pools }));
    await pointsman.line('endpoint-healthy', 1);
    await b[Symbol.asyncDispose]();
    await pointsman.line('endpoint-unhealthy');
    const failures = async () => (await poolOf(pointsman)).endpoints[1]!.connections.failed;
    let failedBefore = -1;
    await untilTrue('its being known to all', async () => {
      failedBefore = await failures();
      expect(new Set(await statuses(pointsman, '/'))).toEqual(new Set([200]));
      return (await failures()) === failedBefore;
    });
    // One that is told of it at its start knows it, too.
    process.kill(pointsman.workerPids[0]!, 'SIGKILL');
    await pointsman.line('worker-ready');
    expect(new Set(await statuses(pointsman, '/'))).toEqual(new Set([200]));
    const { endpoints } = await poolOf(pointsman);
    expect(endpoints[1]!.connections.failed).toBe(failedBefore);
    expect(endpoints.map(({ state }) => state.health)).toEqual(['healthy', 'unhealthy']);
  });

  test('reaches all workers: disabled, added, removed', async () => {
    await using a = await answering('a');
    await using b = await answering('b');
    await using pointsman = await startPointsman(configOf([a]));
    expect((await command(pointsman, `endpoints add api ${b.name} --name b`)).code).toBe(0);
    expect((await command(pointsman, `disable api/${a.name}`)).code).toBe(0);
    const before = a.wires.length;
    expect(new Set(await statuses(pointsman, '/'))).toEqual(new Set([200]));
    expect(a.wires.length).toBe(before);
    expect((await poolOf(pointsman)).endpoints.map(({ requests }) => requests)).toEqual([0, ENOUGH]);
  });

  test('drain --wait waits for the requests of all workers', async () => {
    await using held = await HeldEndpoint.start('held');
    await using b = await answering('b');
    const config = configOf([b]);
    const pools = [
      {
        name: 'api',
        policy: 'round-robin' as const,
        endpoints: [{ name: 'held', address: held.name }, b.name],
      },
    ];
    await using pointsman = await startPointsman({ ...config, pools });
    held.hold();
    const answers = Array.from({ length: ENOUGH }, () => ask(pointsman.address(), get('/'), 15_000));
    let answered = 0;
    for (const answer of answers) void answer.then(() => answered++);
    await untilTrue('all are there', () => held.taken.length + answered === ENOUGH);
    expect(held.taken.length).toBeGreaterThan(ENOUGH / 2 - WORKERS - 1);
    const drained = command(pointsman, 'drain api/held --wait');
    let over = false;
    void drained.then(() => (over = true));
    await pointsman.line('endpoint-admin');
    const [report] = (await poolOf(pointsman)).endpoints;
    expect(report!.drain!.requests).toBe(held.taken.length);
    expect(over).toBe(false);
    held.release();
    expect((await drained).code).toBe(0);
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    expect((await poolOf(pointsman)).endpoints[0]!.drain!.empty).toBe(true);
  });

  test('ejections are counted for all workers together', async () => {
    const bad = () =>
      ScriptedEndpoint.start(async (wire) => {
        for (;;) {
          const parsed = await wire.request(60_000);
          if (parsed.kind !== 'message') break;
          wire.forget();
          wire.send('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n');
        }
        wire.close();
      });
    const endpoints = await Promise.all(Array.from({ length: 4 }, bad));
    const outlierDetection = { consecutiveFailures: 3, maxEjectedPercent: 50, ejectFor: '60s' };
    const pools = [
      {
        name: 'api',
        policy: 'round-robin' as const,
        endpoints: endpoints.map(({ name }) => name),
        outlierDetection,
      },
    ];
    await using pointsman = await startPointsman(configOf(endpoints, { pools }));
    await untilTrue('the verdicts', async () => {
      await statuses(pointsman, '/');
      return pointsman.lines('ejection-withheld').length > 0;
    });
    const ejected = (await poolOf(pointsman)).endpoints.filter(({ state }) => state.ejected !== null);
    expect(ejected).toHaveLength(2);
    expect(pointsman.lines('endpoint-ejected')).toHaveLength(2);
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  });
});

/** Whether a process has the file open that is at this path now. */
function hasOpen(pid: number, path: string): boolean {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).some((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`) === path;
    } catch {
      return false;
    }
  });
}

test('workers write one access log, whole lines, and go on in a new file', async () => {
  await using a = await answering('a');
  const folder = `${process.env['TMPDIR'] ?? '/tmp'}/pointsman-access-${process.pid}-${performance.now()}`;
  const path = `${folder}.log`;
  await using pointsman = await startPointsman(configOf([a], { accessLog: { path, format: 'json' } }));
  await statuses(pointsman, '/before');
  const lines = async (file: string): Promise<string[]> =>
    (await Bun.file(file).text()).split('\n').filter(Boolean);
  const targets = async (file: string): Promise<string[]> =>
    (await lines(file)).map((line) => (JSON.parse(line) as { target: string }).target);
  const deadline = performance.now() + 10_000;
  while ((await lines(path)).length < ENOUGH && performance.now() < deadline) await Bun.sleep(10);
  await Bun.$`mv ${path} ${path}.1`;
  pointsman.signal('SIGUSR1');
  await untilTrue('the new file in every worker', () =>
    pointsman.workerPids.every((pid) => hasOpen(pid, path)),
  );
  await statuses(pointsman, '/after');
  expect(await pointsman.stop()).toBe(0);
  expect(new Set(await targets(`${path}.1`))).toEqual(new Set(['/before']));
  expect(await targets(path)).toEqual(Array.from({ length: ENOUGH }, () => '/after'));
  await Bun.$`rm -f ${path} ${path}.1`;
});
