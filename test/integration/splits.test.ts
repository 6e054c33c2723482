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
    const shares = async (target: string, count: number) => {
      const answers = await askAtOnce(
        pointsman,
        Array.from({ length: count }, () => get(target)),
      );
      return answers.filter(({ body }) => body.toString() === 'canary').length / count;
    };
    const share = await shares('/x', 600);
    // Five standard deviations of 600 draws at 0.2.
    expect(share).toBeGreaterThan(0.118);
    expect(share).toBeLessThan(0.282);
    expect(await shares('/none', 50)).toBe(0);
  });
});
