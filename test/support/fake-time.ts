import { TimerWheel } from '../../src/net/timer-wheel.ts';
import { runTurn, setTurnClock } from '../../src/net/turn.ts';
import { systemClock } from '../../src/util/clock.ts';
import { FakeClock } from '../../src/util/fake-clock.ts';

/** Time that stands still until a test moves it, for turns, deadlines and clocks alike. Give it back with `restore`. */
export class FakeTime {
  readonly clock = new FakeClock();
  readonly wheel = new TimerWheel(this.clock);

  constructor() {
    setTurnClock(this.clock);
  }

  /** A tick of the wheel is 50 ms: what is due after `ms` has fired `ms + 50` later. */
  advance(ms: number): void {
    this.clock.advance(ms);
  }

  /** Something that happens in a turn of its own. */
  turn(work: () => void): void {
    runTurn(work);
  }

  restore(): void {
    setTurnClock(systemClock);
  }
}
