import { expect } from 'bun:test';

/** How far off a limit may act. */
const TOLERANCE_MS = 500;

/** Runs `wait` and expects that it took about `expectedMs`. */
export async function expectTime(expectedMs: number, wait: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await wait();
  const took = performance.now() - start;
  expect(took).toBeGreaterThan(expectedMs - 120);
  expect(took).toBeLessThan(expectedMs + TOLERANCE_MS);
}
