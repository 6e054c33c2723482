import { describe, expect, test } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
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
    const next = async (): Promise<number> => {
      statuses.push((await ask(pointsman.address(), get('/x'))).status);
      return statuses.at(-1)!;
    };
    // They take turns: six good ones in a row are no chance.
    const sixGood = async (): Promise<boolean> => {
      for (let round = 0; round < 6; round++) if ((await next()) !== 200) return false;
      return true;
    };
    await untilTrue('the ejection', sixGood);
    expect(statuses.filter((status) => status === 500).length).toBeGreaterThanOrEqual(3);
    expect(pointsman.lines('endpoint-ejected').length).toBeGreaterThan(0);
    await untilTrue('its return', async () => (await next()) === 500);
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
