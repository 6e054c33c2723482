import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import type { HealthState } from '../model/endpoint.ts';
import { afterCheck, checkIntervalMs, initialCheckState, withJitter } from './health-state.ts';

const STATES = ['unknown', 'healthy', 'unhealthy'] as const;

describe('one result', () => {
  const thresholds = [1, 2, 3, 4];
  for (const fall of thresholds) {
    for (const rise of thresholds) {
      for (let streak = 0; streak < Math.max(fall, rise); streak++) {
        if (streak < fall) {
          test(`healthy, ${streak} failed so far, fall ${fall}: a failure`, () => {
            const next = afterCheck({ health: 'healthy', streak }, false, { fall, rise });
            const flips = streak + 1 === fall;
            expect(next).toEqual({ health: flips ? 'unhealthy' : 'healthy', streak: flips ? 0 : streak + 1 });
          });
          test(`healthy, ${streak} failed so far, fall ${fall}: a success`, () => {
            const next = afterCheck({ health: 'healthy', streak }, true, { fall, rise });
            expect(next).toEqual({ health: 'healthy', streak: 0 });
          });
        }
        if (streak < rise) {
          test(`unhealthy, ${streak} passed so far, rise ${rise}: a success`, () => {
            const next = afterCheck({ health: 'unhealthy', streak }, true, { fall, rise });
            const flips = streak + 1 === rise;
            expect(next).toEqual({ health: flips ? 'healthy' : 'unhealthy', streak: flips ? 0 : streak + 1 });
          });
          test(`unhealthy, ${streak} passed so far, rise ${rise}: a failure`, () => {
            const next = afterCheck({ health: 'unhealthy', streak }, false, { fall, rise });
            expect(next).toEqual({ health: 'unhealthy', streak: 0 });
          });
        }
      }
      test(`unknown: the first result decides, whatever fall ${fall} and rise ${rise} are`, () => {
        const unknown = initialCheckState('unknown');
        expect(afterCheck(unknown, true, { fall, rise })).toEqual({ health: 'healthy', streak: 0 });
        expect(afterCheck(unknown, false, { fall, rise })).toEqual({ health: 'unhealthy', streak: 0 });
      });
    }
  }
});

/** The verdict by its definition, from the whole history: it turns when the last results all speak against it. */
function healthOf(
  initial: HealthState,
  results: readonly boolean[],
  fall: number,
  rise: number,
): HealthState {
  let health = initial;
  let since = 0;
  for (let end = 1; end <= results.length; end++) {
    const needed = health === 'unknown' ? 1 : health === 'healthy' ? fall : rise;
    const last = results.slice(since, end).slice(-needed);
    const against = health === 'unknown' ? results[end - 1]! : health === 'unhealthy';
    if (last.length < needed || !last.every((passed) => passed === against)) continue;
    health = against ? 'healthy' : 'unhealthy';
    since = end;
  }
  return health;
}

test('any history gives the verdict that its definition gives, and a streak that stays below its threshold', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...STATES),
      fc.array(fc.boolean(), { maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (initial, results, fall, rise) => {
        let state = initialCheckState(initial);
        for (const [index, passed] of results.entries()) {
          state = afterCheck(state, passed, { fall, rise });
          expect(state.health).toBe(healthOf(initial, results.slice(0, index + 1), fall, rise));
          expect(state.health).not.toBe('unknown');
          expect(state.streak).toBeLessThan(state.health === 'healthy' ? fall : rise);
        }
      },
    ),
    { numRuns: 300 },
  );
});

describe('the next check comes after', () => {
  const intervals = { interval: 5000, fastInterval: 700, downInterval: 3000 };
  const noDown = { interval: 5000, fastInterval: 1000, downInterval: undefined };
  test.each([
    ['healthy', 0, false, intervals, 5000],
    ['healthy', 1, false, intervals, 700],
    ['healthy', 0, true, intervals, 700],
    ['unknown', 0, false, intervals, 700],
    ['unhealthy', 0, false, intervals, 3000],
    ['unhealthy', 1, false, intervals, 700],
    ['unhealthy', 0, false, noDown, 1000],
    ['unhealthy', 0, false, { ...noDown, interval: 400 }, 400],
    // A fast interval is never the slower one.
    ['unknown', 0, false, { ...noDown, interval: 400 }, 400],
    ['unhealthy', 1, false, { ...intervals, downInterval: 200 }, 200],
  ] as const)('%s, streak %d, hurried %p', (health, streak, hurried, given, expected) => {
    expect(checkIntervalMs({ health, streak }, given, hurried)).toBe(expected);
  });

  test('an interval that varies both ways by the share that was asked for', () => {
    expect(withJitter(1000, 10, 0)).toBe(900);
    expect(withJitter(1000, 10, 0.5)).toBe(1000);
    expect(withJitter(1000, 10, 0.999_999)).toBeCloseTo(1100, 2);
    expect(withJitter(1000, 0, 0.3)).toBe(1000);
  });
});
