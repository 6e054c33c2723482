import { expect, test } from 'bun:test';

import type { Clock } from '../util/clock.ts';
import { wallTime } from './report-values.ts';

/** One whose wall time is in whole milliseconds, as that of the machine is, beside a finer count. */
function coarseClock(): { clock: Clock; passMs: (ms: number) => void; setWallMs: (ms: number) => void } {
  let nowMs = 0.3;
  let epochMs = 1_700_000_000_000.6;
  return {
    clock: { nowMs: () => nowMs, wallMs: () => Math.floor(epochMs + nowMs), after: () => () => {} },
    passMs: (ms) => void (nowMs += ms),
    setWallMs: (ms) => void (epochMs += ms),
  };
}

test('a time is shown as the same whenever it is asked for, and differences are what they are', () => {
  const { clock, passMs } = coarseClock();
  const since = wallTime(clock, 5);
  for (let asked = 0; asked < 100; asked++) {
    passMs(0.37);
    expect(wallTime(clock, 5)).toBe(since);
    passMs(0.37);
    expect(Date.parse(wallTime(clock, 60_005)) - Date.parse(since)).toBe(60_000);
  }
});

test('when somebody sets the clock of the machine, times are shown by it', () => {
  const { clock, setWallMs } = coarseClock();
  const before = Date.parse(wallTime(clock, 5));
  setWallMs(3_600_000);
  expect(Date.parse(wallTime(clock, 5)) - before).toBe(3_600_000);
});
