import { expect, test } from 'bun:test';

import { RespawnPace } from './respawn.ts';

test('the first death is made good at once, those that follow soon after ever later', () => {
  const pace = new RespawnPace();
  const delays = Array.from({ length: 8 }, () => pace.delayMs(100));
  expect(delays).toEqual([0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(pace.early).toBe(8);
});

test('a worker that lived well for ten seconds is replaced at once again', () => {
  const pace = new RespawnPace();
  for (let time = 0; time < 5; time++) pace.delayMs(9999);
  expect(pace.delayMs(10_000)).toBe(0);
  expect([pace.delayMs(1), pace.delayMs(1)]).toEqual([0, 1000]);
});
