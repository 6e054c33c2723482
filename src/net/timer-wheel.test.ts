import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { FakeTime } from '../../test/support/fake-time.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { onDefect } from './defects.ts';
import { Deadline, TimerWheel } from './timer-wheel.ts';
import { setTurnClock } from './turn.ts';

const TICK_MS = 50;
/** One lap of the wheel. */
const LAP_MS = 512 * TICK_MS;

let time: FakeTime;

beforeEach(() => {
  time = new FakeTime();
});
afterEach(() => time.restore());

/** A deadline that notes when it fired. */
class Noted {
  readonly firedMs: number[] = [];
  readonly deadline: Deadline;
  onFire: () => void = () => {};

  constructor() {
    this.deadline = new Deadline(time.wheel, this);
  }

  onDeadline(): void {
    this.firedMs.push(time.clock.nowMs());
    this.onFire();
  }
}

describe('a deadline', () => {
  test.each([0, 1, 49, 50, 51, 99, 100, 1000, LAP_MS - 1, LAP_MS, LAP_MS + 1, 3 * LAP_MS + 17, 3_600_000])(
    'of %d ms fires once, not early and at most a tick late',
    (delayMs) => {
      const noted = new Noted();
      time.advance(17);
      noted.deadline.start(delayMs);
      time.advance(delayMs + 10 * TICK_MS);
      expect(noted.firedMs).toHaveLength(1);
      expect(noted.firedMs[0]! - 17).toBeWithin(delayMs, delayMs + TICK_MS + 0.001);
    },
  );

  test('that is moved later again and again fires at its last time', () => {
    const noted = new Noted();
    for (let turn = 0; turn < 100; turn++) {
      noted.deadline.start(200);
      time.advance(30);
    }
    expect(noted.firedMs).toEqual([]);
    time.advance(1000);
    expect(noted.firedMs).toEqual([3200]);
  });

  test('that is moved earlier fires at the earlier time, once', () => {
    const noted = new Noted();
    noted.deadline.start(60_000);
    noted.deadline.start(100);
    time.advance(120_000);
    expect(noted.firedMs).toEqual([100]);
  });

  test.each(['stop', 'cancel'] as const)('does not fire after %s, and can be started again', (end) => {
    const noted = new Noted();
    noted.deadline.start(100);
    noted.deadline[end]();
    time.advance(1000);
    expect(noted.firedMs).toEqual([]);
    noted.deadline.start(100);
    time.advance(1000);
    expect(noted.firedMs).toEqual([1100]);
  });

  test('may be started again when it fires', () => {
    const noted = new Noted();
    noted.onFire = () => {
      if (noted.firedMs.length < 5) noted.deadline.start(100);
    };
    noted.deadline.start(100);
    time.advance(5000);
    expect(noted.firedMs).toEqual([100, 200, 300, 400, 500]);
  });

  test.each([
    ['cancelled', (deadline: Deadline) => deadline.cancel(), []],
    ['stopped', (deadline: Deadline) => deadline.stop(), []],
    ['moved', (deadline: Deadline) => deadline.start(500), [600]],
  ] as const)('may be %s by another that fires in the same tick', (_how, touch, then) => {
    const all = Array.from({ length: 9 }, () => new Noted());
    for (const noted of all) {
      noted.onFire = () => {
        for (const other of all) if (other !== noted) touch(other.deadline);
      };
      noted.deadline.start(100);
    }
    time.advance(300);
    expect(all.flatMap(({ firedMs }) => firedMs)).toEqual([100]);
    for (const noted of all) noted.onFire = () => {};
    time.advance(1000);
    expect(new Set(all.flatMap(({ firedMs }) => firedMs))).toEqual(new Set([100, ...then]));
  });
});

describe('the wheel', () => {
  test('does not tick when nothing is filed, and ticks again when something is', () => {
    expect(time.clock.pending).toBe(0);
    const noted = new Noted();
    noted.deadline.start(100);
    expect(time.clock.pending).toBe(1);
    time.advance(200);
    expect(time.clock.pending).toBe(0);
    noted.deadline.start(100);
    noted.deadline.cancel();
    time.advance(100);
    expect(time.clock.pending).toBe(0);
    noted.deadline.start(100);
    time.advance(200);
    expect(noted.firedMs).toEqual([100, 400]);
  });

  test('catches up after a stall: what came due has fired, what has not is kept', () => {
    // The process is stopped: its one timer runs long after its time.
    let nowMs = 0;
    let timer: (() => void) | undefined;
    const clock: Clock = {
      nowMs: () => nowMs,
      wallMs: () => nowMs,
      after(_delayMs, run) {
        timer = run;
        return () => {
          timer = undefined;
        };
      },
    };
    setTurnClock(clock);
    const wheel = new TimerWheel(clock);
    const fired: number[] = [];
    const file = (delayMs: number): void =>
      new Deadline(wheel, { onDeadline: () => fired.push(delayMs) }).start(delayMs);
    const due = [0, 60, 1000, 5000, LAP_MS + 1, 2 * LAP_MS];
    for (const delayMs of due) file(delayMs);
    file(2 * LAP_MS + 300);
    nowMs = 2 * LAP_MS + 101;
    timer?.();
    expect(fired.sort((a, b) => a - b)).toEqual(due);
    nowMs += 300;
    timer?.();
    expect(fired).toHaveLength(due.length + 1);
    expect(timer).toBeUndefined();
  });

  test('goes on when the target of a deadline throws, and tells of it', () => {
    const told: unknown[] = [];
    onDefect((error) => told.push(error));
    const all = Array.from({ length: 5 }, () => new Noted());
    for (const [index, noted] of all.entries()) {
      if (index === 2) {
        noted.onFire = () => {
          throw new Error('a defect');
        };
      }
      noted.deadline.start(100);
    }
    const later = new Noted();
    later.deadline.start(1000);
    time.advance(2000);
    onDefect((error) => {
      throw error;
    });
    expect(all.map((noted) => noted.firedMs)).toEqual(all.map(() => [100]));
    expect(later.firedMs).toEqual([1000]);
    expect(told).toHaveLength(1);
  });

  test('fires thousands of deadlines, each in its time', () => {
    const all = Array.from({ length: 10_000 }, (_, index) => {
      const noted = new Noted();
      noted.deadline.start((index * 7919) % 120_000);
      return noted;
    });
    time.advance(121_000);
    const wrong = all.filter(({ firedMs }, index) => {
      const dueMs = (index * 7919) % 120_000;
      return firedMs.length !== 1 || firedMs[0]! < dueMs || firedMs[0]! > dueMs + TICK_MS;
    });
    expect(wrong).toEqual([]);
    expect(time.clock.pending).toBe(0);
  });

  test('keeps every deadline under any sequence of starts, stops, cancels and waits', () => {
    const count = 6;
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(fc.constant('start' as const), fc.nat(count - 1), fc.nat(40_000)) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('stop' as const), fc.nat(count - 1), fc.constant(0)) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('cancel' as const), fc.nat(count - 1), fc.constant(0)) },
      { weight: 4, arbitrary: fc.tuple(fc.constant('wait' as const), fc.constant(0), fc.nat(30_000)) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        time.restore();
        time = new FakeTime();
        const all = Array.from({ length: count }, () => new Noted());
        const dueMs = all.map(() => Number.POSITIVE_INFINITY);
        /** When each fires: a deadline of 0 ms waits for the next tick. */
        const tickMs = all.map(() => Number.POSITIVE_INFINITY);
        const owed: [index: number, dueMs: number][] = [];
        const wait = (ms: number): void => {
          const untilMs = time.clock.nowMs() + ms;
          time.advance(ms);
          for (const [index, due] of dueMs.entries()) {
            if (tickMs[index]! > untilMs) continue;
            owed.push([index, due]);
            tickMs[index] = Number.POSITIVE_INFINITY;
          }
        };
        for (const [what, index, ms] of steps) {
          if (what === 'wait') {
            wait(ms);
          } else if (what === 'start') {
            all[index]!.deadline.start(ms);
            const nowMs = time.clock.nowMs();
            const due = nowMs + ms;
            dueMs[index] = due;
            tickMs[index] = Math.max(Math.ceil(due / TICK_MS), Math.floor(nowMs / TICK_MS) + 1) * TICK_MS;
          } else {
            all[index]!.deadline[what]();
            tickMs[index] = Number.POSITIVE_INFINITY;
          }
        }
        wait(50_000);
        const fired = all.map(({ firedMs }) => firedMs);
        for (const [index, due] of owed) {
          const at = fired[index]!.shift();
          expect(at).toBeWithin(due, due + TICK_MS + 0.001);
        }
        expect(fired.flat()).toEqual([]);
        expect(time.clock.pending).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('by the clock of the machine', async () => {
    time.restore();
    const wheel = new TimerWheel(systemClock);
    const started = performance.now();
    const late = await new Promise<number>((resolve) => {
      const deadline = new Deadline(wheel, { onDeadline: () => resolve(performance.now() - started) });
      deadline.start(60);
    });
    expect(late).toBeGreaterThanOrEqual(60);
  });
});
