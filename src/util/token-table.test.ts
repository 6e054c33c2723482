import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { seededRandom } from './random.ts';
import { seedTable } from './table-seeds.ts';
import { privateTokenTable, TokenTable, tokenTableBytes } from './token-table.ts';

describe('a bucket', () => {
  test('gives a burst at once, then one token an interval', () => {
    const table = privateTokenTable(100, 3, 10);
    expect([0, 0, 0, 0].map((nowMs) => table.take('a', nowMs))).toEqual([0, 0, 0, 100]);
    expect(table.take('a', 99)).toBe(1);
    expect(table.take('a', 100)).toBe(0);
    expect(table.take('a', 100)).toBe(100);
    expect([1000, 1000, 1000, 1000].map((nowMs) => table.take('a', nowMs))).toEqual([0, 0, 0, 100]);
  });

  test('a refused request costs nothing', () => {
    const table = privateTokenTable(100, 1, 10);
    expect(table.take('a', 0)).toBe(0);
    for (let nowMs = 1; nowMs < 100; nowMs++) expect(table.take('a', nowMs)).toBe(100 - nowMs);
    expect(table.take('a', 100)).toBe(0);
  });

  test('each key has its own', () => {
    const table = privateTokenTable(100, 1, 10);
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
          const table = privateTokenTable(intervalMs, burst, 1);
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
    const table = privateTokenTable(1000 / 3, 1, 1);
    for (let request = 0; request < 10_000; request++) expect(table.take('a', (request * 1000) / 3)).toBe(0);
  });
});

describe('a full table', () => {
  test('forgets the key that would be without effect soonest, and counts those that still mattered', () => {
    const table = privateTokenTable(100, 1, 2);
    table.take('a', 0);
    table.take('b', 50);
    table.take('c', 60);
    expect(table.forgotten).toBe(1);
    expect(table.take('b', 60)).toBe(90);
    expect(table.take('c', 60)).toBe(100);
    expect(table.take('a', 60)).toBe(0);
  });

  test('forgets what has no more effect without counting', () => {
    const table = privateTokenTable(100, 1, 2);
    for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) table.take(key, index * 60);
    expect(table.forgotten).toBe(0);
    expect(table.take('d', 180)).toBeGreaterThan(0);
  });

  test('remembers as many keys as it is for', () => {
    const memory = new Uint8Array(tokenTableBytes(10_000));
    seedTable(memory, seededRandom(7));
    const table = new TokenTable(1000, 1, 10_000, memory);
    for (let key = 0; key < 10_000; key++) expect(table.take(`key ${key}`, 0)).toBe(0);
    let early = 0;
    for (let key = 0; key < 10_000; key++) if (table.take(`key ${key}`, 1) === 0) early++;
    expect(early).toBeLessThan(200);
  });
});

test('tables over the same memory count together', () => {
  const memory = new Uint8Array(tokenTableBytes(100));
  seedTable(memory, seededRandom(7));
  const [first, second] = [0, 1].map(() => new TokenTable(100, 3, 100, memory));
  expect([first!.take('a', 0), second!.take('a', 0), first!.take('a', 0)]).toEqual([0, 0, 0]);
  expect([first!.take('a', 0), second!.take('a', 0), second!.take('b', 0)]).toEqual([100, 100, 0]);
});
