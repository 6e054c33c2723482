import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { OutcomeWindow } from './outcome-window.ts';
import { privateWords } from './shared-count.ts';

function windowOf(windowMs: number): OutcomeWindow {
  const window = new OutcomeWindow(privateWords(OutcomeWindow.WORDS));
  window.fit(windowMs);
  return window;
}

test('what is older than the window is forgotten, to a tenth of it', () => {
  const window = windowOf(1000);
  window.record(true, 0);
  window.sum(0);
  window.record(false, 950);
  window.sum(950);
  expect(window.outcomes).toBe(2);
  expect(window.failurePercent).toBe(50);
  window.record(false, 1000);
  window.sum(1000);
  expect(window.outcomes).toBe(2);
  expect(window.failurePercent).toBe(0);
  window.record(true, 60_000);
  window.sum(60_000);
  expect(window.outcomes).toBe(1);
  expect(window.failurePercent).toBe(100);
});

test('it counts what a list of all outcomes would', () => {
  const outcome = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 700 }));
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 200 }), (outcomes) => {
      const window = windowOf(1000);
      const all: { failed: boolean; slice: number }[] = [];
      let nowMs = 12_345;
      for (const [failed, stepMs] of outcomes) {
        nowMs += stepMs;
        window.record(failed, nowMs);
        window.sum(nowMs);
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

test('what other workers have seen counts, also when one of them begins anew', () => {
  const stride = OutcomeWindow.WORDS + 2;
  const words = new Int32Array(3 * stride);
  const workers = [0, 1, 2].map((own) => {
    const window = new OutcomeWindow({ words, first: 1, stride, workers: 3, own, call: () => {} });
    window.fit(1000);
    return window;
  });
  for (const [index, window] of workers.entries())
    for (let time = 0; time <= index; time++) window.record(time === 0, 5000 + 100 * time);
  workers[0]!.sum(5300);
  expect([workers[0]!.outcomes, workers[0]!.failures]).toEqual([6, 3]);
  workers[2]!.clear();
  workers[1]!.sum(5300);
  expect([workers[1]!.outcomes, workers[1]!.failures]).toEqual([3, 2]);
});
