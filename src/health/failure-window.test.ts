import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { FailureWindow } from './failure-window.ts';

test('what is older than the window is forgotten, to a tenth of it', () => {
  const window = new FailureWindow(1000);
  window.record(true, 0);
  window.record(false, 950);
  expect(window.outcomes).toBe(2);
  expect(window.failurePercent).toBe(50);
  window.record(false, 1000);
  expect(window.outcomes).toBe(2);
  expect(window.failurePercent).toBe(0);
  window.record(true, 60_000);
  expect(window.outcomes).toBe(1);
  expect(window.failurePercent).toBe(100);
});

test('it counts what a list of all outcomes would', () => {
  const outcome = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 700 }));
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 200 }), (outcomes) => {
      const window = new FailureWindow(1000);
      const all: { failed: boolean; slice: number }[] = [];
      let nowMs = 12_345;
      for (const [failed, stepMs] of outcomes) {
        nowMs += stepMs;
        window.record(failed, nowMs);
        const slice = Math.floor(nowMs / 100);
        all.push({ failed, slice });
        const inside = all.filter((one) => one.slice > slice - 10);
        expect(window.outcomes).toBe(inside.length);
        const failures = inside.filter((one) => one.failed).length;
        expect(window.failurePercent).toBeCloseTo((failures / inside.length) * 100, 9);
      }
    }),
  );
});
