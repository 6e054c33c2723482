import { expect, test } from 'bun:test';

import { nextDueMs, systemClock } from './clock.ts';

test('the next timer is known, until it fires or is cancelled', async () => {
  const startMs = systemClock.nowMs();
  const cancel = systemClock.after(1, () => {});
  expect(nextDueMs()).toBeLessThanOrEqual(systemClock.nowMs() + 1);
  cancel();
  await new Promise<void>((resolve) => {
    systemClock.after(5, resolve);
    const dueMs = nextDueMs();
    expect(dueMs).toBeGreaterThanOrEqual(startMs);
    expect(dueMs).toBeLessThanOrEqual(systemClock.nowMs() + 5);
  });
  const cancelLater = systemClock.after(3_600_000, () => {});
  // What is left are timers of others, if any; none of those that are over.
  expect(nextDueMs()).toBeGreaterThan(systemClock.nowMs());
  cancelLater();
});
