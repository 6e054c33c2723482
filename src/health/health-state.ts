import type { HealthCheckConfig } from '../config/schema/pool.ts';
import type { HealthState } from '../model/endpoint.ts';

/** What the results so far say of an endpoint. */
export interface CheckState {
  readonly health: HealthState;
  /** Results in a row that speak against `health`; always below the number that would change it. */
  readonly streak: number;
}

export type CheckRules = Pick<HealthCheckConfig, 'fall' | 'rise'>;

/** Where an endpoint starts, or goes on when its check is configured anew. */
export function initialCheckState(health: HealthState): CheckState {
  return { health, streak: 0 };
}

/**
 * The state after one more result.
 *
 * | health    | result  | next                                            |
 * |-----------|---------|-------------------------------------------------|
 * | unknown   | passed  | healthy                                         |
 * | unknown   | failed  | unhealthy                                       |
 * | healthy   | passed  | healthy, streak 0                               |
 * | healthy   | failed  | streak + 1; unhealthy when that reaches `fall`  |
 * | unhealthy | failed  | unhealthy, streak 0                             |
 * | unhealthy | passed  | streak + 1; healthy when that reaches `rise`    |
 */
export function afterCheck(state: CheckState, passed: boolean, rules: CheckRules): CheckState {
  const supported: HealthState = passed ? 'healthy' : 'unhealthy';
  if (state.health === supported) return state.streak === 0 ? state : initialCheckState(supported);
  const needed = state.health === 'unknown' ? 1 : passed ? rules.rise : rules.fall;
  const streak = state.streak + 1;
  return streak >= needed ? initialCheckState(supported) : { health: state.health, streak };
}

type Intervals = Pick<HealthCheckConfig, 'interval' | 'fastInterval' | 'downInterval'>;

/** `downInterval` where the file has none. */
const DEFAULT_DOWN_MS = 1000;

/**
 * Milliseconds from the start of one check to the start of the next, without jitter. `hurried`: something other than the
 * checks is in doubt about the endpoint, so that news of it are wanted soon.
 */
export function checkIntervalMs(state: CheckState, intervals: Intervals, hurried: boolean): number {
  const { interval, fastInterval, downInterval = Math.min(interval, DEFAULT_DOWN_MS) } = intervals;
  const steady = state.health === 'unhealthy' ? downInterval : interval;
  const moving = state.health === 'unknown' || state.streak > 0;
  return moving || hurried ? Math.min(steady, fastInterval) : steady;
}

/** `ms` shifted by up to `percent` either way; `unit` is a random number in [0, 1). */
export function withJitter(ms: number, percent: number, unit: number): number {
  return ms * (1 + ((2 * unit - 1) * percent) / 100);
}
