import { describe, expect, test } from 'bun:test';

import { askAtOnce, get, post, startFront } from '../support/front.ts';
import { freePorts } from '../support/free-ports.ts';
import { plainAnswer, ScriptedEndpoint, type Script } from '../support/scripted-endpoint.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ask } from '../support/wire.ts';

const good: Script = async (wire) => {
  while ((await wire.request()).kind === 'message') wire.send(plainAnswer('good'));
};
const resets: Script = async (wire) => {
  await wire.request();
  wire.reset();
};
describe('how retries are bounded', () => {
  test('a refused connection is tried elsewhere, POST too', async () => {
    await using second = await ScriptedEndpoint.start(good);
    const [port] = await freePorts(1);
    await using pointsman = await startFront([], {
      pool: { policy: 'first', endpoints: [`127.0.0.1:${port}`, second.name] },
    });
    for (let round = 0; round < 5; round++) {
      expect((await ask(pointsman.address(), post('/x', 'hello'))).status).toBe(200);
    }
    expect(second.requests().every(({ body }) => body.toString() === 'hello')).toBe(true);
  });

  test('an endpoint is tried once for a request', async () => {
    const endpoints = await Promise.all([1, 2, 3].map(() => ScriptedEndpoint.start(resets)));
    await using pointsman = await startFront(endpoints, { pool: { retry: { attempts: 5 } } });
    expect((await ask(pointsman.address(), get('/x'))).status).toBe(502);
    expect(endpoints.map((endpoint) => endpoint.requests().length)).toEqual([1, 1, 1]);
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  });

  test('no more attempts than it is told', async () => {
    const endpoints = await Promise.all([1, 2, 3, 4, 5].map(() => ScriptedEndpoint.start(resets)));
    await using pointsman = await startFront(endpoints, { pool: { retry: { attempts: 2 } } });
    expect((await ask(pointsman.address(), get('/x'))).status).toBe(502);
    expect(endpoints.reduce((sum, endpoint) => sum + endpoint.requests().length, 0)).toBe(3);
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  });

  test('the deadline covers all attempts', async () => {
    const silent: Script = async (wire) => {
      await wire.request();
    };
    const endpoints = await Promise.all([1, 2, 3].map(() => ScriptedEndpoint.start(silent)));
    await using pointsman = await startFront(endpoints, {
      pool: { retry: { attempts: 2, deadline: '700ms' }, timeouts: { response: '400ms' } },
    });
    const start = performance.now();
    const answer = await ask(pointsman.address(), get('/x'), 20_000);
    expect(answer.status).toBe(504);
    expect(performance.now() - start).toBeGreaterThan(600);
    // There was no time for the third.
    expect(endpoints.filter((endpoint) => endpoint.requests().length > 0).length).toBeWithin(1, 3);
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  });

  test('no more are under way at a time than the budget allows', async () => {
    let retries = 0;
    let mostRetries = 0;
    const seen = new Set<string>();
    const endpoints = await Promise.all(
      [1, 2, 3].map(() =>
        ScriptedEndpoint.start(async (wire) => {
          const parsed = await wire.request();
          const target = parsed.kind === 'message' ? parsed.message.target : '';
          const isRetry = seen.has(target);
          seen.add(target);
          if (isRetry) mostRetries = Math.max(mostRetries, ++retries);
          await Bun.sleep(150);
          if (isRetry) retries--;
          wire.reset();
        }),
      ),
    );
    await using pointsman = await startFront(endpoints, { pool: { outlierDetection: false } });
    const answers = await askAtOnce(
      pointsman,
      Array.from({ length: 60 }, (_, index) => get(`/${index}`)),
    );
    expect(answers.every(({ status }) => status === 502)).toBe(true);
    // 20 % of 60.
    expect(mostRetries).toBeLessThanOrEqual(12);
    expect(mostRetries).toBeGreaterThan(0);
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  }, 60_000);

  test('says in Proxy-Status what went wrong', async () => {
    await using endpoint = await ScriptedEndpoint.start(resets);
    await using pointsman = await startFront([endpoint], { pool: { outlierDetection: false } });
    const answer = await ask(pointsman.address(), get('/x'));
    expect(answer.status).toBe(502);
    expect(valueOf(answer, 'proxy-status')).toMatch(/^pointsman; *error=connection_terminated/);
  });
});
