import { expect, test } from 'bun:test';

import { available } from './linux/libc.ts';
import { CallPipes, WorkerCalls } from './worker-calls.ts';

function pipesFor(workers: number): CallPipes {
  const pipes = new CallPipes();
  pipes.reach(workers);
  return pipes;
}

function join(pipes: CallPipes, own: number, onCall: () => void): WorkerCalls {
  const calls = new WorkerCalls(own, onCall);
  calls.learn(pipes.paths);
  return calls;
}

/** Resolves when `call` has been heard; fails after ten seconds. */
async function heard(count: () => number, least: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (count() < least) {
    if (performance.now() > deadline) throw new Error('nothing was heard');
    await Bun.sleep(1);
  }
}

test.if(available)('a worker hears that it was called, and no other does', async () => {
  const pipes = pipesFor(3);
  const calls = [0, 0, 0];
  const joined = pipes.paths.map((_, own) => join(pipes, own, () => calls[own]!++));
  joined[0]!.call(1);
  await heard(() => calls[1]!, 1);
  joined[2]!.call(1);
  await heard(() => calls[1]!, 2);
  expect(calls).toEqual([0, 2, 0]);
  pipes.callAll();
  await heard(() => Math.min(...calls.map((count, own) => (own === 1 ? count - 2 : count))), 1);
  pipes.close();
});

test.if(available)('more calls than a pipe holds are heard as one', async () => {
  const pipes = pipesFor(2);
  let calls = 0;
  join(pipes, 0, () => calls++);
  const caller = join(pipes, 1, () => {});
  for (let time = 0; time < 100_000; time++) caller.call(0);
  await heard(() => calls, 1);
  const before = calls;
  caller.call(0);
  await heard(() => calls, before + 1);
  expect(calls).toBeLessThan(20);
  pipes.close();
});

test.if(available)('workers that come later are called, and call', async () => {
  const pipes = pipesFor(1);
  const calls = [0, 0];
  const first = join(pipes, 0, () => calls[0]!++);
  pipes.reach(2);
  const second = join(pipes, 1, () => calls[1]!++);
  first.learn(pipes.paths);
  first.call(1);
  second.call(0);
  await heard(() => Math.min(...calls), 1);
  pipes.close();
});
