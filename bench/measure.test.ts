import { expect, test } from 'bun:test';

import { cpuNsBetween, foreignCores, readCpu, readMemoryBytes } from './measure.ts';

test('counts the CPU time of a child of the process asked for', async () => {
  const child = Bun.spawn(['sh', '-c', 'while :; do :; done & wait'], { detached: true });
  try {
    const before = readCpu(child.pid);
    await Bun.sleep(200);
    const after = readCpu(child.pid);
    const usedMs = cpuNsBetween(before, after) / 1e6;
    expect(usedMs).toBeGreaterThan(5);
    expect(usedMs).toBeLessThan(1000);
    expect(readMemoryBytes(child.pid)).toBeGreaterThan(4096);
  } finally {
    process.kill(-child.pid, 'SIGKILL');
  }
});

test('a thread that has gone is counted by the ticks of its process', () => {
  const before = {
    threads: new Map([
      [1, 5_000],
      [2, 9_000_000_000],
    ]),
    ticks: 100,
  };
  const after = { threads: new Map([[1, 7_000]]), ticks: 103 };
  expect(cpuNsBetween(before, after)).toBe(30_000_000);
});

test('threads that live and threads that are new are counted to the nanosecond', () => {
  const before = { threads: new Map([[1, 5_000]]), ticks: 0 };
  const after = {
    threads: new Map([
      [1, 7_000],
      [2, 11],
    ]),
    ticks: 9,
  };
  expect(cpuNsBetween(before, after)).toBe(2_011);
});

test('others used what the machine was busy with and we were not', () => {
  const before = { busyTicks: 1000, ownTicks: 400, atMs: 0 };
  expect(foreignCores(before, { busyTicks: 1300, ownTicks: 550, atMs: 2000 })).toBe(0.75);
  expect(foreignCores(before, { busyTicks: 1100, ownTicks: 501, atMs: 2000 })).toBe(0);
});
