import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { TokenTable } from './token-table.ts';

describe('a bucket', () => {
  test('gives a burst at once, then one token an interval', () => {
    const table = new TokenTable(100, 3, 10);
    expect([0, 0, 0, 0].map((nowMs) => table.take('a', nowMs))).toEqual([0, 0, 0, 100]);
    expect(table.take('a', 99)).toBe(1);
    expect(table.take('a', 100)).toBe(0);
    expect(table.take('a', 100)).toBe(100);
    expect([1000, 1000, 1000, 1000].map((nowMs) => table.take('a', nowMs))).toEqual([0, 0, 0, 100]);
  });

  test('a refused request costs nothing', () => {
    const table = new TokenTable(100, 1, 10);
    expect(table.take('a', 0)).toBe(0);
    for (let nowMs = 1; nowMs < 100; nowMs++) expect(table.take('a', nowMs)).toBe(100 - nowMs);
    expect(table.take('a', 100)).toBe(0);
  });

  test('each key has its own', () => {
    const table = new TokenTable(100, 1, 10);
    expect(table.take('a', 0)).toBe(0);
    expect(table.take('b', 0)).toBe(0);
    expect(table.take('a', 0)).toBeGreaterThan(0);
  });

  test('agrees with a bucket that is refilled continuously', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 6 }),
        (waits, intervalMs, burst) => {
          const table = new TokenTable(intervalMs, burst, 1);
          // Counted in milliseconds of credit, so that the oracle is exact.
          let credit = burst * intervalMs;
          let nowMs = 0;
          for (const wait of waits) {
            nowMs += wait;
            credit = Math.min(burst * intervalMs, credit + wait);
            const expected = credit >= intervalMs ? 0 : intervalMs - credit;
            if (expected === 0) credit -= intervalMs;
            expect(table.take('a', nowMs)).toBe(expected);
          }
        },
      ),
    );
  });

  test('rounding takes no token away', () => {
    const table = new TokenTable(1000 / 3, 1, 1);
    for (let request = 0; request < 10_000; request++) expect(table.take('a', (request * 1000) / 3)).toBe(0);
  });
});

describe('a full table', () => {
  test('forgets the key that was seen longest ago, and counts those that still mattered', () => {
    const table = new TokenTable(100, 1, 2);
    table.take('a', 0);
    table.take('b', 1);
    table.take('a', 2);
    table.take('c', 3);
    expect(table.size).toBe(2);
    expect(table.forgotten).toBe(1);
    expect(table.take('a', 4)).toBeGreaterThan(0);
    expect(table.take('b', 4)).toBe(0);
  });

  test('forgets what has no more effect without counting', () => {
    const table = new TokenTable(100, 1, 2);
    table.take('a', 0);
    table.take('b', 1);
    table.take('c', 200);
    expect(table.forgotten).toBe(0);
    expect(table.size).toBe(2);
  });
});
