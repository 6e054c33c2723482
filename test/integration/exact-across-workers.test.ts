import { describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { get, type ListenerInput, type PoolInput } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask } from '../support/wire.ts';

const WORKERS = 4;

type Route = ListenerInput['routes'][number];

function configOf(pool: Partial<PoolInput>, route: Partial<Route> = {}): TestConfig {
  return {
    workers: WORKERS,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api', ...route }] }],
    pools: [{ name: 'api', outlierDetection: false, ...pool } as PoolInput],
  };
}

/** Every client has a connection of its own, so the system spreads them over the workers. */
function storm(pointsman: Pointsman, count: number): Promise<HttpMessage>[] {
  return Array.from({ length: count }, (_, index) =>
    ask(pointsman.address(), get(`/${index}`, 'Connection: close'), 60_000),
  );
}

function statuses(answers: readonly HttpMessage[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 20 seconds: ${what}`);
    await Bun.sleep(10);
  }
}

async function poolOf(pointsman: Pointsman): Promise<PoolReport> {
  return (await (await fetch(`${pointsman.admin}/api/v1/pools/api`)).json()) as PoolReport;
}

/** Counts by itself how many requests it has at once. */
class CountingEndpoint {
  active = 0;
  most = 0;
  readonly targets: string[] = [];
  readonly #workMs: number;

  constructor(workMs: number) {
    this.#workMs = workMs;
  }

  start(): Promise<ScriptedEndpoint> {
    return ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') return;
        wire.forget();
        this.targets.push(parsed.message.target);
        this.most = Math.max(this.most, ++this.active);
        await Bun.sleep(this.#workMs);
        this.active--;
        wire.send(plainAnswer('done'));
      }
    });
  }
}

describe('maxConnections', () => {
  test('an endpoint that takes 2 never has 3, and everybody is served', async () => {
    const counting = new CountingEndpoint(4);
    await using endpoint = await counting.start();
    await using pointsman = await startPointsman(
      configOf({
        endpoints: [{ address: endpoint.name, maxConnections: 2 }],
        queue: { size: 1000, timeout: '50s' },
      }),
    );
    const answers = await Promise.all(storm(pointsman, 400));
    expect(statuses(answers)).toEqual({ 200: 400 });
    expect(counting.most).toBe(2);
    const { active, queued } = await poolOf(pointsman);
    expect([active, queued]).toEqual([0, 0]);
  }, 90_000);

  test('who came first is served first, whatever worker has it', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startPointsman(
      configOf({
        endpoints: [{ address: endpoint.name, maxConnections: 1 }],
        queue: { size: 100, timeout: '50s' },
      }),
    );
    endpoint.hold();
    const answers: Promise<HttpMessage>[] = [];
    for (let index = 0; index < 40; index++) {
      answers.push(ask(pointsman.address(), get(`/${index}`, 'Connection: close'), 60_000));
      await until('it has its place', async () => (await poolOf(pointsman)).active === index + 1);
    }
    endpoint.release();
    await Promise.all(answers);
    const late = endpoint.taken.map((target, place) => Math.abs(place - Number(target.slice(1))));
    expect(late).toHaveLength(40);
    expect(Math.max(...late)).toBeLessThanOrEqual(3);
  }, 90_000);

  test('places of a worker that is killed are free again', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startPointsman(
      configOf({
        endpoints: [{ address: endpoint.name, maxConnections: 12 }],
        queue: { size: 1000, timeout: '50s' },
      }),
    );
    endpoint.hold();
    const clients = storm(pointsman, 40).map((answer) =>
      answer.then(
        ({ status }) => status,
        () => 'lost',
      ),
    );
    await endpoint.took(12);
    await until('all are here', async () => (await poolOf(pointsman)).active === 40);
    expect((await poolOf(pointsman)).queued).toBe(28);
    const pids = pointsman.workerPids;
    expect(pids).toHaveLength(WORKERS);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('all that they had is gone', async () => {
      const { active, queued, endpoints } = await poolOf(pointsman);
      return active === 0 && queued === 0 && endpoints[0]!.active === 0;
    });
    expect(new Set(await Promise.all(clients))).toEqual(new Set(['lost']));
    endpoint.release();
    await until('new workers serve', () => pointsman.lines('worker-ready').length === WORKERS);
    expect(statuses(await Promise.all(storm(pointsman, 100)))).toEqual({ 200: 100 });
    expect((await poolOf(pointsman)).active).toBe(0);
  }, 90_000);

  test('those who wait in other workers get the places of one that is killed', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startPointsman(
      configOf({
        endpoints: [{ address: endpoint.name, maxConnections: 8 }],
        queue: { size: 1000, timeout: '50s' },
      }),
    );
    endpoint.hold();
    const clients = storm(pointsman, 60).map((answer) =>
      answer.then(
        ({ status }) => status,
        () => 'lost',
      ),
    );
    await endpoint.took(8);
    process.kill(pointsman.workerPids[0]!, 'SIGKILL');
    // Its connections are closed with it, and others take their places: more than eight have come then.
    endpoint.release();
    const outcomes = await Promise.all(clients);
    expect(outcomes.every((outcome) => outcome === 200 || outcome === 'lost')).toBe(true);
    expect(outcomes.filter((outcome) => outcome === 200).length).toBeGreaterThan(20);
    await until('nothing is left', async () => (await poolOf(pointsman)).active === 0);
  }, 90_000);
});

test('the queue holds what it may, of all workers together', async () => {
  await using endpoint = await HeldEndpoint.start();
  await using pointsman = await startPointsman(
    configOf({
      endpoints: [{ address: endpoint.name, maxConnections: 2 }],
      queue: { size: 5, timeout: '50s' },
    }),
  );
  endpoint.hold();
  const answers = storm(pointsman, 60);
  let ended = 0;
  for (const answer of answers) void answer.finally(() => ended++);
  await until('all but seven are refused', () => ended >= 53);
  expect((await poolOf(pointsman)).queued).toBe(5);
  endpoint.release();
  expect(statuses(await Promise.all(answers))).toEqual({ 200: 7, 503: 53 });
}, 60_000);

test('least-connections is even over what all workers have under way', async () => {
  const endpoints = await Promise.all(Array.from({ length: 4 }, () => HeldEndpoint.start()));
  try {
    await using pointsman = await startPointsman(
      configOf({ policy: 'least-connections', endpoints: endpoints.map(({ name }) => name) }),
    );
    for (const endpoint of endpoints) endpoint.hold();
    const answers: Promise<HttpMessage>[] = [];
    const open = (): number[] => endpoints.map((endpoint) => endpoint.open);
    for (let count = 1; count <= 32; count++) {
      answers.push(...storm(pointsman, 1));
      await until('it is there', () => open().reduce((sum, each) => sum + each, 0) === count);
      expect(Math.max(...open()) - Math.min(...open())).toBeLessThanOrEqual(1);
    }
    expect(open()).toEqual([8, 8, 8, 8]);
    for (const endpoint of endpoints) endpoint.release();
    expect(statuses(await Promise.all(answers))).toEqual({ 200: 32 });
  } finally {
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  }
}, 60_000);

test('the retry budget is one for all workers', async () => {
  await using broken = await ScriptedEndpoint.start(async (wire) => {
    await wire.request(60_000);
    wire.close();
  });
  await using second = await HeldEndpoint.start();
  await using pointsman = await startPointsman(
    configOf({
      policy: 'first',
      endpoints: [broken.name, second.name],
      retry: { attempts: 1, budgetPercent: 0, minRetries: 3 },
    }),
  );
  second.hold();
  const answers = storm(pointsman, 60);
  let ended = 0;
  for (const answer of answers) void answer.finally(() => ended++);
  let most = 0;
  await until('those without a place gave up', () => {
    most = Math.max(most, second.open);
    return ended >= 57;
  });
  expect([most, second.open]).toEqual([3, 3]);
  second.release();
  expect(statuses(await Promise.all(answers))).toEqual({ 200: 3, 502: 57 });
}, 60_000);

describe('a rate limit', () => {
  const limited = (rate: string, more: Partial<Route> = {}): Partial<Route> => ({
    filters: [{ rateLimit: { key: 'route', rate, burst: 50 } }],
    ...more,
  });

  test('lets a burst through once, not once for each worker; neither a reload nor a death gives another', async () => {
    const counting = new CountingEndpoint(0);
    await using endpoint = await counting.start();
    const pool = { endpoints: [endpoint.name] };
    await using pointsman = await startPointsman(configOf(pool, limited('1/h')));
    expect(statuses(await Promise.all(storm(pointsman, 300)))).toEqual({ 200: 50, 429: 250 });
    await pointsman.reload(
      configOf({ ...pool, policy: 'round-robin' }, limited('1/h', { match: { path: '/*' } })),
    );
    expect(statuses(await Promise.all(storm(pointsman, 40)))).toEqual({ 429: 40 });
    process.kill(pointsman.workerPids[1]!, 'SIGKILL');
    await pointsman.line('worker-ready');
    expect(statuses(await Promise.all(storm(pointsman, 40)))).toEqual({ 429: 40 });
    await pointsman.reload(configOf(pool, limited('2/h')));
    expect(statuses(await Promise.all(storm(pointsman, 300)))).toEqual({ 200: 50, 429: 250 });
  }, 60_000);

  test('of 100 a second lets through 100 a second', async () => {
    const counting = new CountingEndpoint(0);
    await using endpoint = await counting.start();
    await using pointsman = await startPointsman(configOf({ endpoints: [endpoint.name] }, limited('100/s')));
    const beganMs = performance.now();
    let passed = 0;
    while (performance.now() - beganMs < 1500 || passed <= 100)
      passed += statuses(await Promise.all(storm(pointsman, 60)))[200] ?? 0;
    const tookMs = performance.now() - beganMs;
    expect(passed).toBeLessThanOrEqual(51 + tookMs / 10);
  }, 60_000);
});
