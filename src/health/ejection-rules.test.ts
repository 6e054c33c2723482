import { describe, expect, test } from 'bun:test';

import { healthPool } from '../../test/support/health-rig.ts';
import { ejectionMs, rememberedEjections, whyKeep } from './ejection-rules.ts';

const DURATIONS = { ejectFor: 30_000, maxEjectFor: 300_000 };

test('ejections double up to the cap', () => {
  const lengths = [1, 2, 3, 4, 5, 60, 2000].map((count) => ejectionMs(count, DURATIONS));
  expect(lengths).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
});

test('an ejection is forgotten for each ejectFor in use', () => {
  expect(rememberedEjections(3, 29_999, DURATIONS)).toBe(3);
  expect(rememberedEjections(3, 30_000, DURATIONS)).toBe(2);
  expect(rememberedEjections(3, 3_600_000, DURATIONS)).toBe(0);
});

describe('an endpoint is kept when', () => {
  function poolOf(count: number): ReturnType<typeof healthPool>['view']['all'] {
    return healthPool({
      endpoints: Array.from({ length: count }, (_none, index) => `127.0.0.1:${1000 + index}`),
    }).view.all;
  }

  test('it is the only one', () => {
    const [only] = poolOf(1);
    expect(whyKeep(only!, [only!], 100, 0)).toContain('last one');
  });

  test('no other takes new work', () => {
    const all = poolOf(5);
    all[1]!.admin = 'disabled';
    all[2]!.admin = 'draining';
    all[3]!.health = 'unhealthy';
    all[4]!.ejectedUntilMs = 10;
    expect(whyKeep(all[0]!, all, 100, 5)).toContain('last one');
    expect(whyKeep(all[0]!, all, 100, 10)).toBeUndefined();
  });

  test.each([
    // endpoints, percent, how many may be out
    [2, 50, 1],
    [2, 10, 1],
    [3, 50, 1],
    [4, 50, 2],
    [10, 50, 5],
    [10, 39, 3],
    [10, 100, 9],
    [2, 100, 1],
    [10, 0, 0],
  ])('%d endpoints, %d %%: %d are out', (count, percent, most) => {
    const all = poolOf(count);
    let out = 0;
    for (const endpoint of all) {
      if (whyKeep(endpoint, all, percent, 0) !== undefined) continue;
      endpoint.ejectedUntilMs = 1;
      out++;
    }
    expect(out).toBe(most);
  });

  test('disabled ones do not count as part of the pool', () => {
    const all = poolOf(4);
    all[2]!.admin = 'disabled';
    all[3]!.admin = 'disabled';
    all[1]!.ejectedUntilMs = 10;
    expect(whyKeep(all[0]!, all, 50, 20)).toBeUndefined();
    all[2]!.admin = 'enabled';
    expect(whyKeep(all[0]!, all, 50, 5)).toContain('1 of 3 are ejected');
  });
});
