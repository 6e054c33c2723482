import { statSync } from 'node:fs';

import { expect, test } from 'bun:test';

import { available } from './linux/libc.ts';
import { createSharedMemory } from './shared-memory.ts';

const MEGABYTE = 1024 ** 2;

function usedBytes(path: string): number {
  return statSync(path).blocks * 512;
}

test.if(available)('memory is taken when it is cleared, and given back when it is released', () => {
  const memory = createSharedMemory(64 * MEGABYTE);
  const bytes = memory.map(8 * MEGABYTE, MEGABYTE);
  expect(usedBytes(memory.path)).toBe(0);
  memory.clear(8 * MEGABYTE, MEGABYTE);
  expect(usedBytes(memory.path)).toBe(MEGABYTE);
  bytes.fill(7);
  memory.release(8 * MEGABYTE, MEGABYTE);
  expect(usedBytes(memory.path)).toBe(0);
  expect([bytes[0], bytes.at(-1)]).toEqual([0, 0]);
  memory.close();
});
