import { describe, expect, test } from 'bun:test';

import { get } from '../support/front.ts';
import { startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask, dial, type Wire } from '../support/wire.ts';

describe('out of file descriptors', () => {
  test('those that are connected are served, the process does not spin, and it recovers', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startPointsman(
      {
        listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
        pools: [{ name: 'web', endpoints: [endpoint.name], timeouts: { idle: '60s' } }],
      },
      { openFiles: 120 },
    );
    const first = await dial(pointsman.address());
    first.send(get('/first'));
    expect((await first.answer()).status).toBe(200);
    const crowd: Wire[] = [];
    for (let count = 0; count < 250; count++) crowd.push(await dial(pointsman.address()));
    await Bun.sleep(300);
    const before = pointsman.cpuSeconds();
    await Bun.sleep(1000);
    expect(pointsman.cpuSeconds() - before).toBeLessThan(0.3);
    first.send(get('/again'));
    expect((await first.answer()).status).toBe(200);
    expect(pointsman.running).toBe(true);
    for (const client of crowd) client.close();
    await Bun.sleep(500);
    for (let round = 0; round < 5; round++) {
      expect((await ask(pointsman.address(), get(`/${round}`))).status).toBe(200);
    }
    first.close();
  }, 30_000);

  test('no descriptor left for an endpoint is a failure of that request alone', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startPointsman(
      {
        listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
        pools: [{ name: 'web', endpoints: [endpoint.name] }],
      },
      { openFiles: 120 },
    );
    const crowd: Wire[] = [];
    for (let count = 0; count < 250; count++) crowd.push(await dial(pointsman.address()));
    await Bun.sleep(200);
    const [client] = crowd;
    client?.send(get('/x'));
    const answer = await client?.answer('GET', 8000);
    expect([200, 502, 503, 504]).toContain(answer?.status ?? 0);
    for (const other of crowd) other.close();
    await Bun.sleep(500);
    expect((await ask(pointsman.address(), get('/after'))).status).toBe(200);
  }, 30_000);

  test('workers go on to answer the supervisor and are not killed', async () => {
    await using endpoint = await ScriptedEndpoint.start();
    await using pointsman = await startPointsman(
      {
        workers: 2,
        workerWatchdog: { warnAfter: '1s', killAfter: '2s' },
        listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
        pools: [{ name: 'web', endpoints: [endpoint.name], timeouts: { idle: '60s' } }],
      },
      { openFiles: 120 },
    );
    const crowd: Wire[] = [];
    for (let count = 0; count < 400; count++) crowd.push(await dial(pointsman.address()));
    await Bun.sleep(4000);
    for (const other of crowd) other.close();
    await Bun.sleep(500);
    expect((await ask(pointsman.address(), get('/after'))).status).toBe(200);
    expect(pointsman.lines('worker-stuck', 'worker-died', 'defect')).toEqual([]);
  }, 30_000);
});
