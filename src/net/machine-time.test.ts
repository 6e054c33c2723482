import { expect, test } from 'bun:test';

import { available } from './linux/libc.ts';

const SAY_TIME = `
  const { alignWithMachineTime } = await import(${JSON.stringify(new URL('machine-time.ts', import.meta.url).href)});
  const { systemClock } = await import(${JSON.stringify(new URL('../util/clock.ts', import.meta.url).href)});
  alignWithMachineTime();
  process.stdout.write(String(systemClock.nowMs()));
`;

/** What a process says the time is. */
function ask(): number {
  const { stdout } = Bun.spawnSync([process.execPath, '-e', SAY_TIME], { stderr: 'inherit' });
  return Number(stdout.toString());
}

test.if(available)('processes agree on the time', () => {
  const beganMs = performance.now();
  const first = ask();
  const second = ask();
  expect(second).toBeGreaterThan(first);
  expect(second - first).toBeLessThan(performance.now() - beganMs + 1);
});
