import { alignSystemClock } from '../util/clock.ts';
import { available, fixed, sys } from './linux/libc.ts';

const CLOCK_MONOTONIC = 1;

/**
 * Has the clock of this process count from the start of the machine, as those of all others that call this do. To be called first of
 * all. Where the system cannot be asked there is one worker, and nobody to agree with.
 */
export function alignWithMachineTime(): void {
  const nowMs = machineNowMs();
  if (nowMs !== undefined) alignSystemClock(nowMs);
}

/** CLOCK_MONOTONIC, milliseconds; undefined where the system cannot be asked. */
export function machineNowMs(): number | undefined {
  if (!available) return undefined;
  const spec = fixed(16);
  if (sys.clock_gettime(CLOCK_MONOTONIC, spec) !== 0) return undefined;
  return Number(spec.readBigInt64LE(0)) * 1000 + Number(spec.readBigInt64LE(8)) / 1e6;
}
