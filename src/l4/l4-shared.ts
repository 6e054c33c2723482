import type { Balancer, OutcomeObserver } from '../model/ports.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import type { Random } from '../util/random.ts';

/** What all listeners of a process share. */
export interface L4Shared {
  readonly balancer: Balancer;
  readonly observer: OutcomeObserver;
  readonly wheel: TimerWheel;
  readonly random: Random;
}
