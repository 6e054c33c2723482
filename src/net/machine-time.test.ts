import { expect, test } from 'bun:test';

import { available } from './linux/libc.ts';

const SAY_TIME = `
  const { alignWithMachineTime } = await import(${JSON.stringify(new URL('machine-time.ts', import.meta.url).href)});
  const { systemClock } = await import(${JSON.stringify(new URL('../util/clock.ts', import.meta.url).href)});
  alignWithMachineTime();
  process.stdout.write(String(systemClock.nowMs()));
`;

/** What a process says the time is, and how long it took to say so. */
function ask(): { readonly nowMs: number; readonly tookMs: number } {
  const began = performance.now();
  const { stdout } = Bun.spawnSync([process.execPath, '-e', SAY_TIME], { stderr: 'inherit' });
  return { nowMs: Number(stdout.toString()), tookMs: performance.now() - began };
}

test.if(available)('processes agree on the time', () => {
  const first = ask();
  const second = ask();
  expect(second.nowMs).toBeGreaterThan(first.nowMs);
  expect(second.nowMs - first.nowMs).toBeLessThan(first.tookMs + second.tookMs + 1);
});
