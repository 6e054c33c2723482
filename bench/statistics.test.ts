import { expect, test } from 'bun:test';

import { quantile, rotated, spreadOf } from './statistics.ts';

test('the median of an even count is the mean of the two in the middle', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spreadOf([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 });
  expect(spreadOf([]).median).toBeNaN();
});

test('a quantile is a value that was measured, by nearest rank', () => {
  const sorted = Float64Array.from({ length: 100 }, (_, index) => index + 1);
  expect(quantile(sorted, 0.5)).toBe(50);
  expect(quantile(sorted, 0.99)).toBe(99);
  expect(quantile(sorted, 1)).toBe(100);
  expect(quantile(Float64Array.of(7), 0.01)).toBe(7);
  expect(quantile(new Float64Array(), 0.5)).toBeNaN();
});

test('rounds rotate: each comes first once', () => {
  expect([0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''))).toEqual([
    'abc',
    'cab',
    'bca',
    'abc',
  ]);
});
