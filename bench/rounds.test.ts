import { expect, test } from 'bun:test';

import type { Sample } from './results.ts';
import { quietest } from './rounds.ts';

function sample(foreignCores: number, cpuUs: number): Sample {
  return { foreignCores, cpuUs, perSecond: 1, requests: 1, seconds: 1, p50Us: 1, p99Us: 1, errors: 0 };
}

test('keeps the rounds that others disturbed least, by their worst load, in order', () => {
  const loud = [sample(0.9, 1), sample(0, 1)];
  const fair = [sample(0.05, 9), sample(0.06, 9)];
  const still = [sample(0, 20), sample(0.01, 20)];
  expect(quietest([loud, fair, still], 2)).toEqual([fair, still]);
  expect(quietest([still, loud, fair], 1)).toEqual([still]);
});

test('keeps all when there are no more than asked for', () => {
  const only = [sample(2, 1)];
  expect(quietest([only], 7)).toEqual([only]);
});
