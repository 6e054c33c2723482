import type { FailureCode } from '../model/failures.ts';
import type { dial } from '../net/dial.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import type { Clock } from '../util/clock.ts';

/** What probes need of the outside. */
export interface ProbeDeps {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly dial: typeof dial;
}

export interface ProbeResult {
  readonly passed: boolean;
  /** For people: `GET /health answered 500`. */
  readonly detail: string;
}

/**
 * Tries an endpoint once. `done` is called once, and not before this returns. The returned function gives up: then `done`
 * is not called.
 */
export type Probe = (done: (result: ProbeResult) => void) => () => void;

const DIAL_FAILURES: Partial<Record<FailureCode, string>> = {
  connect_refused: 'connection refused',
  connect_timeout: 'no connection in time',
  dns_failed: 'name not resolved',
};

/** A failed dial in words. */
export function describeDialFailure(code: FailureCode, detail: string): string {
  return `${DIAL_FAILURES[code] ?? 'cannot connect'} (${detail})`;
}
