import { expect, test } from 'bun:test';

import { available } from './linux/libc.ts';
import { CallPipes, joinCalls } from './worker-calls.ts';

/** Resolves when `call` has been heard; fails after two seconds. */
async function heard(count: () => number, least: number): Promise<void> {
  const deadline = performance.now() + 2000;
  while (count() < least) {
    if (performance.now() > deadline) throw new Error('nothing was heard');
    await Bun.sleep(1);
  }
}

test.if(available)('a worker hears that it was called, and no other does', async () => {
  const pipes = new CallPipes(3);
  const calls = [0, 0, 0];
  const call = pipes.paths.map((_, own) => joinCalls(pipes.paths, own, () => calls[own]!++));
  call[0]!(1);
  await heard(() => calls[1]!, 1);
  call[2]!(1);
  await heard(() => calls[1]!, 2);
  expect(calls).toEqual([0, 2, 0]);
  pipes.callAll();
  await heard(() => Math.min(...calls.map((count, own) => (own === 1 ? count - 2 : count))), 1);
  pipes.close();
});

test.if(available)('more calls than a pipe holds are heard as one', async () => {
  const pipes = new CallPipes(2);
  let calls = 0;
  joinCalls(pipes.paths, 0, () => calls++);
  const call = joinCalls(pipes.paths, 1, () => {});
  for (let time = 0; time < 100_000; time++) call(0);
  await heard(() => calls, 1);
  const before = calls;
  call(0);
  await heard(() => calls, before + 1);
  expect(calls).toBeLessThan(20);
  pipes.close();
});
