import { describe, expect, test } from 'bun:test';
import { statSync } from 'node:fs';

import { CAPACITY } from '../../src/model/shared/layout.ts';
import { SharedState } from '../../src/model/shared/shared-state.ts';
import { sharedStateBytes, StateOwner } from '../../src/model/shared/state-owner.ts';
import { createSharedMemory, openSharedMemory } from '../../src/net/shared-memory.ts';
import { WITNESS, witnessWord } from '../support/places-witness.ts';

const WORKERS = 4;
/** Processes that are killed, and how many until one had a place. */
const LEAST_KILLS = 12;
const MOST_KILLS = 100;
const HAMMER = new URL('../support/hammer-places.ts', import.meta.url).pathname;

function endpoints(count: number) {
  const endpoint = Array.from({ length: count }, (_, index) => `e${index}`);
  return { pool: ['p'], endpoint, listener: [], route: [], regions: [] };
}

function scene() {
  const memory = createSharedMemory(sharedStateBytes(WORKERS));
  const owner = StateOwner.create(memory, WORKERS, () => {});
  owner.assign(endpoints(1), 0);
  const word = (slot: number) => witnessWord(owner.state, slot);
  const read = (slot: number): number => Atomics.load(owner.state.counts, word(slot));
  return { memory, owner, word, read };
}

async function until(what: string, is: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!is()) {
    if (performance.now() > deadline) throw new Error(`not within 30 seconds: ${what}`);
    await Bun.sleep(5);
  }
}

function hammer(path: string, worker: number, limit: number) {
  return Bun.spawn([process.execPath, HAMMER, path, String(worker), String(limit)], {
    stdin: 'pipe',
    stdout: 'inherit',
    stderr: 'inherit',
  });
}

describe('places that four processes fight for', () => {
  test.each([1, 2, 3])('are never more than %d', async (limit) => {
    const { memory, owner, read } = scene();
    const workers = Array.from({ length: WORKERS }, (_, worker) => hammer(memory.path, worker, limit));
    try {
      await until('all have fought for a while', () => read(WITNESS.taken) > 300_000);
    } finally {
      for (const worker of workers) void worker.stdin.end();
    }
    for (const worker of workers) expect(await worker.exited).toBe(0);
    expect(read(WITNESS.violations)).toBe(0);
    expect(owner.state.cells('endpoint', 0).counts.inFlight.sum).toBe(0);
    memory.close();
  });

  test('are exact again after processes were killed at any point', async () => {
    const limit = 2;
    const { memory, owner, word, read } = scene();
    const workers = Array.from({ length: WORKERS }, (_, worker) => hammer(memory.path, worker, limit));
    let left = 0;
    try {
      // Nearly every second one dies with a place. That none of so many does has a chance below 1e-9 even at one in five.
      for (let kills = 0; kills < LEAST_KILLS || (left === 0 && kills < MOST_KILLS); kills++) {
        const soFar = read(WITNESS.taken);
        await until('work goes on', () => read(WITNESS.taken) > soFar + 10_000);
        const victim = kills % WORKERS;
        workers[victim]!.kill('SIGKILL');
        await workers[victim]!.exited;
        const { inFlight } = owner.state.cells('endpoint', 0).counts;
        const before = SharedState.attach(memory, victim).cells('endpoint', 0).counts.inFlight.own;
        if (before !== 0) left++;
        // The witness forgets it first: from the moment that its column is cleared another may have the place.
        Atomics.and(owner.state.counts, word(WITNESS.mask), ~(1 << victim));
        owner.clearColumn(victim);
        expect(inFlight.sum).toBeLessThanOrEqual(WORKERS);
        workers[victim] = hammer(memory.path, victim, limit);
      }
    } finally {
      for (const worker of workers) void worker.stdin.end();
    }
    for (const worker of workers) expect(await worker.exited).toBe(0);
    expect(read(WITNESS.violations)).toBe(0);
    expect(owner.state.cells('endpoint', 0).counts.inFlight.sum).toBe(0);
    // Else nobody died at an interesting moment, and nothing was shown.
    expect(left).toBeGreaterThan(0);
    memory.close();
  }, 120_000);
});

test('memory is taken only for what is used, and grows with it', () => {
  const memory = createSharedMemory(sharedStateBytes(WORKERS));
  const owner = StateOwner.create(memory, WORKERS, () => {});
  const usedBytes = (): number => statSync(memory.path).blocks * 512;
  owner.assign(endpoints(10), 0);
  const small = usedBytes();
  expect(small).toBeLessThan(2 ** 21);
  owner.assign(endpoints(2000), 0);
  const large = usedBytes();
  expect(large).toBeGreaterThan(small + 10 * 2 ** 20);
  expect(large).toBeLessThan(100 * 2 ** 20);
  expect(() => owner.assign(endpoints(CAPACITY.endpoint + 1), 0)).toThrow(
    `there can be ${CAPACITY.endpoint} endpoints`,
  );
  expect(usedBytes()).toBe(large);
  memory.close();
});

test('another process that opens no memory of ours is told', () => {
  expect(() => openSharedMemory('/dev/null/state').map(0, 64)).toThrow();
  const memory = createSharedMemory(65_536);
  expect(() => SharedState.attach(openSharedMemory(memory.path), 0)).toThrow(
    'not the shared memory of Pointsman',
  );
  memory.close();
});
