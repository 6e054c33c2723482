import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { PolicyPool } from '../../test/support/policy-pool.ts';
import { levelsOf } from './levels.ts';

/** Levels of a pool in which `open[i]` of `all[i]` endpoints of priority i are healthy. */
function levels(panicPercent: number, ...counts: readonly (readonly [open: number, all: number])[]) {
  const subject = new PolicyPool({
    endpoints: counts.flatMap(([, all], priority) => Array.from({ length: all }, () => ({ priority }))),
  });
  let at = 0;
  for (const [open, all] of counts) {
    for (let index = 0; index < all; index++) {
      subject.endpoints[at++]!.health = index < open ? 'healthy' : 'unhealthy';
    }
  }
  return levelsOf(subject.endpoints, panicPercent, 0);
}

function shares(...counts: readonly (readonly [open: number, all: number])[]): string {
  return levels(50, ...counts)
    .map(({ sharePercent, panic }) => `${Math.round(sharePercent)}${panic ? '!' : ''}`)
    .join(' ');
}

describe('levelsOf', () => {
  // The first rows are the examples of Envoy's documentation on priorities and panic.
  test.each([
    [[100, 100], [100, 100], '100 0'],
    [[72, 100], [72, 100], '100 0'],
    [[71, 100], [71, 100], '99 1'],
    [[50, 100], [50, 100], '70 30'],
    [[25, 100], [100, 100], '35 65'],
    [[25, 100], [25, 100], '50! 50!'],
    [[0, 100], [100, 100], '0 100'],
    // Together they cannot carry everything; each gets its proportion.
    [[5, 100], [65, 100], '7! 93'],
    // All in panic: by number of endpoints.
    [[0, 10], [0, 30], '25! 75!'],
  ] as const)('%p healthy, %p healthy: %s', (first, second, expected) => {
    expect(shares(first, second)).toBe(expected);
  });

  test('one priority: all of it, in panic below the threshold', () => {
    expect(shares([4, 4])).toBe('100');
    expect(shares([2, 4])).toBe('100');
    expect(shares([1, 4])).toBe('100!');
    expect(shares([0, 4])).toBe('100!');
  });

  test('with panic switched off nobody healthy means nobody', () => {
    const [level] = levels(0, [0, 3]);
    expect(level).toEqual({ priority: 0, members: [], sharePercent: 0, panic: false });
  });

  test('a priority in panic that carries nothing does not offer its unhealthy endpoints as a reserve', () => {
    expect(levels(50, [0, 10], [6, 10])).toMatchObject([
      { members: [], sharePercent: 0, panic: true },
      { sharePercent: 100, panic: false },
    ]);
  });

  test('in panic uses the unhealthy, but never against the will of the operator', () => {
    const subject = new PolicyPool({
      endpoints: [{}, {}, { state: 'disabled' }, { state: 'draining' }, { weight: 0 }],
    });
    for (const endpoint of subject.endpoints) endpoint.health = 'unhealthy';
    const [level] = levelsOf(subject.endpoints, 50, 0);
    expect(level?.members.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('what the operator took out is no sign of ill health', () => {
    const subject = new PolicyPool({
      endpoints: [{}, { state: 'disabled' }, { state: 'draining' }, { state: 'draining' }, { priority: 1 }],
    });
    expect(levelsOf(subject.endpoints, 50, 0)).toMatchObject([
      { priority: 0, sharePercent: 100, panic: false },
      { priority: 1, sharePercent: 0, panic: false },
    ]);
  });

  test('a priority that is drained whole hands over to the next', () => {
    const subject = new PolicyPool({ endpoints: [{ state: 'draining' }, { priority: 3 }] });
    expect(levelsOf(subject.endpoints, 50, 0)).toMatchObject([{ priority: 3, sharePercent: 100 }]);
  });

  test('shares sum to 100 whenever anybody can be used, and nobody without members has one', () => {
    const count = fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 6 }));
    fc.assert(
      fc.property(fc.nat(100), fc.array(count, { minLength: 1, maxLength: 4 }), (panicPercent, counts) => {
        const result = levels(
          panicPercent,
          ...counts.map(([open, all]) => [Math.min(open, all), all] as const),
        );
        const sum = result.reduce((total, { sharePercent }) => total + sharePercent, 0);
        const usable = result.some(({ members }) => members.length > 0);
        expect(sum).toBeCloseTo(usable ? 100 : 0, 6);
        for (const { members, sharePercent } of result) {
          if (members.length === 0) expect(sharePercent).toBe(0);
        }
      }),
    );
  });
});
