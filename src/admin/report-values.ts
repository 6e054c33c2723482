import type { Clock } from '../util/clock.ts';

/**
 * The wall clock differs by less from one reading to the next, milliseconds: it has whole milliseconds, and is read a moment before the other.
 * What differs by more was set.
 */
const UNSTEADY_MS = 10;

/** By clock: wall time at its zero, as it is shown. */
const epochsMs = new WeakMap<Clock, number>();

function epochMs(clock: Clock): number {
  const seenMs = Math.round(clock.wallMs() - clock.nowMs());
  const knownMs = epochsMs.get(clock);
  if (knownMs !== undefined && Math.abs(seenMs - knownMs) < UNSTEADY_MS) return knownMs;
  epochsMs.set(clock, seenMs);
  return seenMs;
}

/** A monotonic time as date and time, RFC 3339 in UTC. The same time is shown as the same, unless the clock of the machine is set meanwhile. */
export function wallTime(clock: Clock, monotonicMs: number): string {
  return new Date(epochMs(clock) + monotonicMs).toISOString();
}

/** Counters by first digit of the status, as `{"1xx": 0, ...}`. */
export function responsesByClass(statuses: Float64Array): Record<string, number> {
  const responses: Record<string, number> = {};
  for (let digit = 1; digit <= 5; digit++) responses[`${digit}xx`] = statuses[digit] ?? 0;
  return responses;
}
