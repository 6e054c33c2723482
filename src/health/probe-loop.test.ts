import { expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { FakeClock } from '../util/fake-clock.ts';
import type { ProbeResult } from './probe.ts';
import { ProbeLoop } from './probe-loop.ts';

const PASSED: ProbeResult = { passed: true, detail: '' };

/** A loop whose probes take the time that is asked for, and when each began. */
class Rig {
  readonly clock = new FakeClock();
  readonly started: number[] = [];
  cancelled = 0;
  underWay = 0;
  mostUnderWay = 0;
  takesMs = 10;

  loop(intervalMs: number, firstDelayMs = 0): ProbeLoop {
    return new ProbeLoop(
      this.clock,
      (done) => {
        this.started.push(this.clock.nowMs());
        this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
        const cancel = this.clock.after(this.takesMs, () => {
          this.underWay--;
          done(PASSED);
        });
        return () => {
          this.cancelled++;
          cancel();
        };
      },
      () => intervalMs,
      firstDelayMs,
    );
  }
}

test('the interval is from start to start', () => {
  const rig = new Rig();
  rig.loop(100, 5);
  rig.clock.advance(320);
  expect(rig.started).toEqual([5, 105, 205, 305]);
});

test('a probe that takes longer than the interval is waited for', () => {
  const rig = new Rig();
  rig.takesMs = 130;
  rig.loop(100);
  rig.clock.advance(400);
  expect(rig.started).toEqual([0, 130, 260, 390]);
  expect(rig.mostUnderWay).toBe(1);
});

test('hastening moves the next probe forward, never back', () => {
  const rig = new Rig();
  const loop = rig.loop(1000);
  rig.clock.advance(100);
  loop.hasten(50);
  loop.hasten(500);
  rig.clock.advance(900);
  expect(rig.started).toEqual([0, 150]);
});

test('hastening while a probe is under way starts no second one', () => {
  const rig = new Rig();
  const loop = rig.loop(1000);
  rig.clock.advance(5);
  loop.hasten(0);
  rig.clock.advance(100);
  expect(rig.started).toEqual([0]);
});

test('stopping gives up the probe under way and the timer', () => {
  const rig = new Rig();
  const loop = rig.loop(100);
  rig.clock.advance(5);
  loop.stop();
  loop.hasten(0);
  expect(rig.cancelled).toBe(1);
  expect(rig.clock.pending).toBe(0);
  rig.clock.advance(1000);
  expect(rig.started).toEqual([0]);
});

test('stopping from within a result is final', () => {
  const clock = new FakeClock();
  let started = 0;
  const loop = new ProbeLoop(
    clock,
    (done) => {
      started++;
      return clock.after(1, () => done(PASSED));
    },
    () => {
      loop.stop();
      return 0;
    },
    0,
  );
  clock.advance(100);
  expect(started).toBe(1);
  expect(clock.pending).toBe(0);
});

test('never two at a time, whatever is done to it', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          stepMs: fc.nat(60),
          hasten: fc.option(fc.nat(50)),
          takesMs: fc.integer({ min: 1, max: 90 }),
        }),
      ),
      (steps) => {
        const rig = new Rig();
        const loop = rig.loop(40);
        for (const { stepMs, hasten, takesMs } of steps) {
          rig.takesMs = takesMs;
          rig.clock.advance(stepMs);
          if (hasten !== null) loop.hasten(hasten);
        }
        expect(rig.mostUnderWay).toBeLessThanOrEqual(1);
        expect(rig.clock.pending).toBe(1);
      },
    ),
  );
});
