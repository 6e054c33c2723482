import { expect } from 'bun:test';

/** How much sooner a limit may act: those that are looked at now and then are. */
const SOONER_MS = 120;
/** How many times longer than it says a limit may take on a machine that is busy, or stalls. */
const LATER = 10;

/**
 * Runs `wait` and expects that it took about `expectedMs`. What starts the limit belongs into `wait`: a stall between the
 * two would make the limit look too short. That no other limit acted is for the test to see to: by others that are far
 * longer.
 */
export async function expectTime(expectedMs: number, wait: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await wait();
  const took = performance.now() - start;
  expect(took).toBeGreaterThan(expectedMs - SOONER_MS);
  expect(took).toBeLessThan(expectedMs * LATER);
}
