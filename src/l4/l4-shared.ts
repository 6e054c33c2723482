import type { AccessLog } from '../model/access-entry.ts';
import type { Balancer, Log, OutcomeObserver } from '../model/ports.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';

/** What all listeners of a process share. */
export interface L4Shared {
  readonly balancer: Balancer;
  readonly observer: OutcomeObserver;
  readonly accessLog: AccessLog | undefined;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
