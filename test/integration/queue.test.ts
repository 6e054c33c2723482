import { describe, expect, test } from 'bun:test';

import { get, type PoolInput, startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ask, dial } from '../support/wire.ts';

/** Counts how many requests are under way at once. */
class BusyEndpoint {
  active = 0;
  most = 0;
  readonly targets: string[] = [];
  workMs = 100;

  start(): Promise<ScriptedEndpoint> {
    return ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') return;
        this.targets.push(parsed.message.target);
        this.most = Math.max(this.most, ++this.active);
        await Bun.sleep(this.workMs);
        this.active--;
        wire.send(plainAnswer('done'));
      }
    });
  }
}

function pool(
  endpoint: ScriptedEndpoint,
  maxConnections: number,
  queue: PoolInput['queue'],
): Partial<PoolInput> {
  return { endpoints: [{ address: endpoint.name, maxConnections }], queue };
}

describe('queue', () => {
  test('no more than maxConnections are under way, and all are served in the end', async () => {
    const busy = new BusyEndpoint();
    await using endpoint = await busy.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 3, { size: 100, timeout: '10s' }) });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ask(pointsman.address(), get(`/${index}`))),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(busy.most).toBe(3);
  });

  test('is served in order', async () => {
    const busy = new BusyEndpoint();
    busy.workMs = 30;
    await using endpoint = await busy.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 100, timeout: '10s' }) });
    const answers: Promise<unknown>[] = [];
    for (let index = 0; index < 8; index++) {
      answers.push(ask(pointsman.address(), get(`/${index}`)));
      await Bun.sleep(8);
    }
    await Promise.all(answers);
    expect(busy.targets).toEqual(Array.from({ length: 8 }, (_, index) => `/${index}`));
  });

  test('a full queue is 503 at once, with Retry-After', async () => {
    const busy = new BusyEndpoint();
    busy.workMs = 800;
    await using endpoint = await busy.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 2, timeout: '10s' }) });
    const first = [1, 2, 3].map(async (index) => {
      await Bun.sleep(index * 10);
      return ask(pointsman.address(), get(`/${index}`));
    });
    await Bun.sleep(150);
    const start = performance.now();
    const answer = await ask(pointsman.address(), get('/4'));
    expect(answer.status).toBe(503);
    expect(performance.now() - start).toBeLessThan(200);
    expect(valueOf(answer, 'retry-after')).toBeDefined();
    expect(valueOf(answer, 'proxy-status')).toMatch(/connection_limit_reached/);
    expect((await Promise.all(first)).every(({ status }) => status === 200)).toBe(true);
  });

  test('a wait beyond the limit is 503', async () => {
    const busy = new BusyEndpoint();
    busy.workMs = 1500;
    await using endpoint = await busy.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 10, timeout: '400ms' }) });
    const first = ask(pointsman.address(), get('/first'));
    await Bun.sleep(50);
    const start = performance.now();
    const answer = await ask(pointsman.address(), get('/second'));
    const took = performance.now() - start;
    expect(answer.status).toBe(503);
    expect(took).toBeGreaterThan(300);
    expect(took).toBeLessThan(900);
    expect((await first).status).toBe(200);
  });

  test('a client that has gone gives up its place and reaches no endpoint', async () => {
    const busy = new BusyEndpoint();
    busy.workMs = 500;
    await using endpoint = await busy.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 1, timeout: '10s' }) });
    const first = ask(pointsman.address(), get('/first'));
    await Bun.sleep(50);
    const gone = await dial(pointsman.address());
    gone.send(get('/gone'));
    await Bun.sleep(50);
    gone.reset();
    await Bun.sleep(50);
    expect((await ask(pointsman.address(), get('/last'))).status).toBe(200);
    expect((await first).status).toBe(200);
    expect(busy.targets).toEqual(['/first', '/last']);
  });

  test('a place that a reset client leaves in mid-request is free again', async () => {
    const busy = new BusyEndpoint();
    busy.workMs = 3000;
    await using endpoint = await busy.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 10, timeout: '2s' }) });
    for (let round = 0; round < 5; round++) {
      const client = await dial(pointsman.address());
      client.send(get(`/${round}`));
      while (!busy.targets.includes(`/${round}`)) await Bun.sleep(5);
      client.reset();
    }
    busy.workMs = 1;
    const start = performance.now();
    expect((await ask(pointsman.address(), get('/after'))).status).toBe(200);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test('a second endpoint takes over when the first is full', async () => {
    const [a, b] = [new BusyEndpoint(), new BusyEndpoint()];
    await using one = await a.start();
    await using two = await b.start();
    await using pointsman = await startFront([], {
      pool: {
        policy: 'first',
        endpoints: [
          { address: one.name, maxConnections: 2 },
          { address: two.name, maxConnections: 2 },
        ],
      },
    });
    const answers = await Promise.all(
      [1, 2, 3, 4].map((index) => ask(pointsman.address(), get(`/${index}`))),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect([a.most, b.most]).toEqual([2, 2]);
  });
});
