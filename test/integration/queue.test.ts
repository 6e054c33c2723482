import { describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import { get, type PoolInput, startFront } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import type { Pointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { valueOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask, dial } from '../support/wire.ts';

function pool(
  endpoint: { readonly name: string },
  maxConnections: number,
  queue: PoolInput['queue'],
): Partial<PoolInput> {
  return { endpoints: [{ address: endpoint.name, maxConnections }], queue };
}

/** Waits until so many requests are in the queue. */
function untilQueued(pointsman: Pointsman, count: number): Promise<void> {
  return untilTrue(`${count} in the queue`, async () => {
    const report = (await (await fetch(`${pointsman.admin}/api/v1/pools/web`)).json()) as PoolReport;
    return report.queued === count;
  });
}

/** One request that the endpoint holds, and `queued` that wait behind it, each in its place before the next is sent. */
async function fill(
  pointsman: Pointsman,
  endpoint: HeldEndpoint,
  queued: number,
): Promise<Promise<HttpMessage>[]> {
  endpoint.hold();
  const answers = [ask(pointsman.address(), get('/0'), 60_000)];
  await endpoint.took(1);
  for (let place = 1; place <= queued; place++) {
    answers.push(ask(pointsman.address(), get(`/${place}`), 60_000));
    await untilQueued(pointsman, place);
  }
  return answers;
}

describe('queue', () => {
  test('no more than maxConnections are under way, and all are served in the end', async () => {
    let active = 0;
    let most = 0;
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      while ((await wire.request(60_000)).kind === 'message') {
        most = Math.max(most, ++active);
        await Bun.sleep(20);
        active--;
        wire.send(plainAnswer('done'));
      }
    });
    await using pointsman = await startFront([], { pool: pool(endpoint, 3, { size: 100, timeout: '60s' }) });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ask(pointsman.address(), get(`/${index}`), 60_000)),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(most).toBe(3);
  });

  test('is served in order', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 100, timeout: '60s' }) });
    const answers = await fill(pointsman, endpoint, 7);
    endpoint.release();
    await Promise.all(answers);
    expect(endpoint.taken).toEqual(Array.from({ length: 8 }, (_, index) => `/${index}`));
  });

  test('a full queue is 503 at once, with Retry-After', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 2, timeout: '60s' }) });
    const first = await fill(pointsman, endpoint, 2);
    // While nobody is served: it waits for nothing.
    const answer = await ask(pointsman.address(), get('/more'), 20_000);
    expect(answer.status).toBe(503);
    expect(valueOf(answer, 'retry-after')).toBeDefined();
    expect(valueOf(answer, 'proxy-status')).toMatch(/connection_limit_reached/);
    endpoint.release();
    expect((await Promise.all(first)).every(({ status }) => status === 200)).toBe(true);
  });

  test('a wait beyond the limit is 503', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 10, timeout: '400ms' }) });
    const [first] = await fill(pointsman, endpoint, 0);
    const start = performance.now();
    const answer = await ask(pointsman.address(), get('/second'), 20_000);
    expect(answer.status).toBe(503);
    expect(performance.now() - start).toBeGreaterThan(300);
    endpoint.release();
    expect((await first!).status).toBe(200);
  });

  test('a client that has gone gives up its place and reaches no endpoint', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 1, timeout: '60s' }) });
    const [first] = await fill(pointsman, endpoint, 0);
    const gone = await dial(pointsman.address());
    gone.send(get('/gone'));
    await untilQueued(pointsman, 1);
    gone.reset();
    await untilQueued(pointsman, 0);
    const last = ask(pointsman.address(), get('/last'), 20_000);
    await untilQueued(pointsman, 1);
    endpoint.release();
    expect([(await first!).status, (await last).status]).toEqual([200, 200]);
    expect(endpoint.taken).toEqual(['/0', '/last']);
  });

  test('a place that a reset client leaves in mid-request is free again', async () => {
    await using endpoint = await HeldEndpoint.start();
    await using pointsman = await startFront([], { pool: pool(endpoint, 1, { size: 10, timeout: '60s' }) });
    endpoint.hold();
    for (let round = 1; round <= 5; round++) {
      const client = await dial(pointsman.address());
      client.send(get(`/${round}`));
      await endpoint.took(round);
      client.reset();
    }
    const after = ask(pointsman.address(), get('/after'), 20_000);
    // It is there although none of the others was ever answered.
    await endpoint.took(6);
    endpoint.release();
    expect((await after).status).toBe(200);
  });

  test('a second endpoint takes over when the first is full', async () => {
    await using one = await HeldEndpoint.start();
    await using two = await HeldEndpoint.start();
    await using pointsman = await startFront([], {
      pool: {
        policy: 'first',
        endpoints: [
          { address: one.name, maxConnections: 2 },
          { address: two.name, maxConnections: 2 },
        ],
      },
    });
    one.hold();
    two.hold();
    const answers = [1, 2, 3, 4].map((index) => ask(pointsman.address(), get(`/${index}`), 20_000));
    await one.took(2);
    await two.took(2);
    one.release();
    two.release();
    expect((await Promise.all(answers)).every(({ status }) => status === 200)).toBe(true);
    expect([one.taken.length, two.taken.length]).toEqual([2, 2]);
  });
});
