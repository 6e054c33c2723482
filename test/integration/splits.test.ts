import { describe, expect, test } from 'bun:test';

import { askAtOnce, get } from '../support/front.ts';
import { startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';

function named(name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    while ((await wire.request()).kind === 'message') wire.send(plainAnswer(name));
  });
}

describe('weighted splits', () => {
  test('give every pool its share', async () => {
    await using web = await named('web');
    await using canary = await named('canary');
    await using pointsman = await startPointsman({
      listeners: [
        {
          name: 'web',
          address: '127.0.0.1:0',
          routes: [
            {
              match: { path: '/none' },
              split: [
                { pool: 'web', weight: 1 },
                { pool: 'canary', weight: 0 },
              ],
            },
            {
              split: [
                { pool: 'web', weight: 80 },
                { pool: 'canary', weight: 20 },
              ],
            },
          ],
        },
      ],
      pools: [
        { name: 'web', endpoints: [web.name] },
        { name: 'canary', endpoints: [canary.name] },
      ],
    });
    const AT_ONCE = 300;
    /** Of four times as many as are sent at once. */
    const shares = async (target: string): Promise<number> => {
      let canary = 0;
      for (let round = 0; round < 4; round++) {
        const requests = Array.from({ length: AT_ONCE }, () => get(target));
        const answers = await askAtOnce(pointsman, requests);
        canary += answers.filter(({ body }) => body.toString() === 'canary').length;
      }
      return canary / (4 * AT_ONCE);
    };
    const share = await shares('/x');
    // Seven standard deviations of 1200 draws at 0.2: P(B(1200, 0.2) <= 141 or >= 339) is below 1e-11.
    expect(share).toBeGreaterThan(0.118);
    expect(share).toBeLessThan(0.282);
    expect(await shares('/none')).toBe(0);
  });
});
