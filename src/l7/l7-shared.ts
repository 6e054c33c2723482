import type { AccessLog } from '../model/access-entry.ts';
import type { Balancer, ChallengeSource, Log, OutcomeObserver } from '../model/ports.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';

/** What all listeners of a process share. */
export interface L7Shared {
  readonly balancer: Balancer;
  readonly observer: OutcomeObserver;
  readonly accessLog: AccessLog | undefined;
  readonly log: Log;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly random: Random;
  /** What an ACME server may ask for; undefined where certificates are not asked for. */
  challenges?: ChallengeSource | undefined;
}
