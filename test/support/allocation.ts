import { memoryUsage } from 'bun:jsc';

const CALLS = 100_000;
const TRIALS = 5;

/** Bytes that one call of `run` allocates, once it is compiled: the median of several trials between collections. */
export function bytesPerCall(run: (index: number) => void): number {
  const callMany = () => {
    for (let index = 0; index < CALLS; index++) run(index);
  };
  callMany();
  const found: number[] = [];
  for (let trial = 0; trial < TRIALS; trial++) {
    Bun.gc(true);
    const before = memoryUsage().current;
    callMany();
    found.push((memoryUsage().current - before) / CALLS);
  }
  return found.toSorted((a, b) => a - b)[TRIALS >> 1]!;
}
