import { expect, test } from 'bun:test';

import { coresAllowed, workerCount } from './worker-count.ts';

test.each([
  ['max 100000\n', Number.POSITIVE_INFINITY],
  ['200000 100000\n', 2],
  ['250000 100000\n', 2],
  ['50000 100000\n', 1],
  ['', Number.POSITIVE_INFINITY],
])('a limit of %j allows %d cores', (limit, cores) => {
  expect(coresAllowed(limit)).toBe(cores);
});

test('a number is taken as it is, auto is at least one', () => {
  expect(workerCount(7)).toBe(7);
  expect(workerCount('auto')).toBeGreaterThanOrEqual(1);
});
