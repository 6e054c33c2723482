import { expect, test } from 'bun:test';

import { FakeClock } from '../util/fake-clock.ts';
import { EventLoopLag } from './event-loop-lag.ts';

/** A clock whose timers run late when something else takes the time. */
class BusyClock extends FakeClock {
  #lateMs = 0;

  block(ms: number): void {
    this.#lateMs += ms;
  }

  override nowMs(): number {
    return super.nowMs() + this.#lateMs;
  }
}

test('the longest delay stays for ten to twenty seconds', () => {
  const clock = new BusyClock();
  const lag = new EventLoopLag(clock);
  lag.start();
  clock.advance(5000);
  expect(lag.largestMs()).toBe(0);
  clock.block(80);
  clock.advance(250);
  clock.block(30);
  clock.advance(250);
  expect(lag.largestMs()).toBe(80);
  clock.advance(9500);
  expect(lag.largestMs()).toBe(80);
  clock.advance(10_500);
  expect(lag.largestMs()).toBe(0);
  lag.stop();
  expect(clock.pending).toBe(0);
});
