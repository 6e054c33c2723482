import { expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import { get } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';

/** An endpoint that counts how many requests it has at a time. */
class CountingEndpoint implements AsyncDisposable {
  now = 0;
  most = 0;
  readonly #endpoint: ScriptedEndpoint;

  private constructor(endpoint: ScriptedEndpoint) {
    this.#endpoint = endpoint;
    endpoint.script = async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') break;
        wire.forget();
        this.most = Math.max(this.most, ++this.now);
        await Bun.sleep(1);
        this.now--;
        wire.send(plainAnswer('ok'));
      }
      wire.close();
    };
  }

  static async start(): Promise<CountingEndpoint> {
    return new CountingEndpoint(await ScriptedEndpoint.start());
  }

  get name(): string {
    return this.#endpoint.name;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#endpoint[Symbol.asyncDispose]();
  }
}

async function poolOf(pointsman: Pointsman): Promise<PoolReport> {
  return (await (await fetch(`${pointsman.admin}/api/v1/pools/api`)).json()) as PoolReport;
}

/** Requests by so many clients on connections of their own; the statuses. */
async function clients(pointsman: Pointsman, count: number, requests: number): Promise<number[]> {
  const statuses: number[] = [];
  const client = async (): Promise<void> => {
    const wire = await dial(pointsman.address());
    for (let request = 0; request < requests; request++) {
      wire.send(get('/'));
      statuses.push((await wire.answer('GET', 30_000)).status);
      wire.forget();
    }
    wire.close();
  };
  await Promise.all(Array.from({ length: count }, client));
  return statuses;
}

test('an endpoint with a limit of 2 never has 3 requests of 4 workers and 300 clients', async () => {
  await using endpoint = await CountingEndpoint.start();
  await using pointsman = await startPointsman({
    workers: 4,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api' }] }],
    pools: [
      {
        name: 'api',
        endpoints: [{ address: endpoint.name, maxConnections: 2 }],
        queue: { size: 1000, timeout: '30s' },
        timeouts: { response: '30s' },
      },
    ],
  });
  const statuses = await clients(pointsman, 300, 6);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  expect(endpoint.most).toBe(2);
  const { active, queued, requests } = await poolOf(pointsman);
  expect([active, queued, requests]).toEqual([0, 0, 1800]);
});

test('the queue is as long as it says for all workers together', async () => {
  await using endpoint = await ScriptedEndpoint.start(async (wire) => {
    await wire.request(60_000);
    await wire.untilEnd(60_000);
  });
  await using pointsman = await startPointsman({
    workers: 4,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api' }] }],
    pools: [
      {
        name: 'api',
        endpoints: [{ address: endpoint.name, maxConnections: 1 }],
        queue: { size: 10, timeout: '30s' },
      },
    ],
  });
  const wires = await Promise.all(Array.from({ length: 40 }, () => dial(pointsman.address())));
  for (const wire of wires) wire.send(get('/'));
  const deadline = performance.now() + 30_000;
  let pool = await poolOf(pointsman);
  while (pool.queueRejections.full < 29 && performance.now() < deadline) pool = await poolOf(pointsman);
  expect([pool.active, pool.queued, pool.queueRejections.full]).toEqual([11, 10, 29]);
  for (const wire of wires) wire.close();
});

test('least-connections counts the requests of all workers', async () => {
  const endpoints = await Promise.all(Array.from({ length: 4 }, () => CountingEndpoint.start()));
  await using pointsman = await startPointsman({
    workers: 4,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api' }] }],
    pools: [{ name: 'api', policy: 'least-connections', endpoints: endpoints.map(({ name }) => name) }],
  });
  await clients(pointsman, 40, 40);
  const { endpoints: reports } = await poolOf(pointsman);
  const shares = reports.map(({ requests }) => requests);
  expect(shares.reduce((sum, share) => sum + share)).toBe(1600);
  expect(Math.min(...shares)).toBeGreaterThan(300);
  for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
});
