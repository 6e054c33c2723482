import { describe, expect, test } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask } from '../support/wire.ts';

describe('outlier detection', () => {
  test('ejects after failures in a row, and takes back after its time', async () => {
    const a = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        if ((await wire.request(60_000)).kind !== 'message') return;
        wire.send(plainAnswer('bad', '', '500 No'));
      }
    });
    await using b = await ScriptedEndpoint.start();
    await using pointsman = await startFront([a, b], {
      pool: { outlierDetection: { consecutiveFailures: 3, ejectFor: '800ms' } },
    });
    const statuses: number[] = [];
    for (let round = 0; round < 20; round++)
      statuses.push((await ask(pointsman.address(), get('/x'))).status);
    // Three, and those that came while the verdict was on its way: the supervisor speaks it, for all workers. Without it there are ten.
    expect(statuses.filter((status) => status === 500).length).toBeWithin(3, 8);
    await Bun.sleep(1200);
    statuses.length = 0;
    for (let round = 0; round < 20; round++)
      statuses.push((await ask(pointsman.address(), get('/x'))).status);
    const again = statuses.filter((status) => status === 500).length;
    expect(again).toBeWithin(1, 8);
    await a[Symbol.asyncDispose]();
  });

  test('404 is no failure', async () => {
    await using a = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        if ((await wire.request(60_000)).kind !== 'message') return;
        wire.send(plainAnswer('missing', '', '404 Not Found'));
      }
    });
    await using b = await ScriptedEndpoint.start();
    await using pointsman = await startFront([a, b], {
      pool: { outlierDetection: { consecutiveFailures: 3 } },
    });
    const statuses: number[] = [];
    for (let round = 0; round < 20; round++)
      statuses.push((await ask(pointsman.address(), get('/x'))).status);
    expect(statuses.filter((status) => status === 404).length).toBe(10);
  });
});
