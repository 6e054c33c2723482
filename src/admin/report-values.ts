import type { Clock } from '../util/clock.ts';

/** A monotonic time as date and time, RFC 3339 in UTC. */
export function wallTime(clock: Clock, monotonicMs: number): string {
  return new Date(clock.wallMs() - clock.nowMs() + monotonicMs).toISOString();
}

/** Counters by first digit of the status, as `{"1xx": 0, ...}`. */
export function responsesByClass(statuses: Float64Array): Record<string, number> {
  const responses: Record<string, number> = {};
  for (let digit = 1; digit <= 5; digit++) responses[`${digit}xx`] = statuses[digit] ?? 0;
  return responses;
}
