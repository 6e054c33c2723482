import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { DIAL_MS, HealthRig, healthPool, reloadPool } from '../../test/support/health-rig.ts';
import { availability } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Pool } from '../model/pool.ts';

const TWO = ['127.0.0.1:1', '127.0.0.1:2'];
/** No jitter, so that times are exact; outlier detection off unless a test is about it. */
const CHECK = { interval: '5s', fastInterval: '1s', timeout: '2s', fall: 3, rise: 2, jitterPercent: 0 };

function start(
  spec: Readonly<Record<string, unknown>>,
  rig = new HealthRig(0),
): { rig: HealthRig; pool: Pool } {
  const pool = healthPool({ endpoints: TWO, outlierDetection: false, ...spec });
  rig.monitor.watch(pool);
  return { rig, pool };
}

function fail(rig: HealthRig, pool: Pool, failure: FailureCode, times: number): void {
  for (let time = 0; time < times; time++) rig.observer.observe(pool, pool.view.all[0]!, failure, 0);
}

describe('an active check', () => {
  test('decides at the first result, and tells of it after the pool was published', () => {
    const rig = new HealthRig(0);
    rig.refusing.add(1);
    const { pool } = start({ healthCheck: CHECK }, rig);
    rig.clock.advance(DIAL_MS);
    expect(pool.view.all.map(({ health }) => health)).toEqual(['unhealthy', 'healthy']);
    expect(rig.record.transitions).toEqual([
      '1 unhealthy: connection refused (ECONNREFUSED), first check',
      '2 healthy: connection accepted, first check',
    ]);
    expect(rig.record.published).toEqual(['2', '2']);
    expect(rig.record.logged).toEqual([
      'warn endpoint-unhealthy 127.0.0.1:1 connection refused (ECONNREFUSED), first check',
      'info endpoint-healthy 127.0.0.1:2 connection accepted, first check',
    ]);
  });

  test('follows the intervals: steady, in transition, down, in transition, steady', () => {
    const { rig } = start({ healthCheck: { ...CHECK, downInterval: '3s' } });
    rig.clock.advance(4999);
    rig.refusing.add(1);
    // Fails at 5 s, 6 s, 7 s; down.
    rig.clock.advance(2100);
    expect(rig.record.transitions.at(-1)).toBe('1 unhealthy: connection refused (ECONNREFUSED), 3 in a row');
    // Fails at 10 s, passes at 13 s and 14 s; up.
    rig.clock.advance(5000);
    rig.refusing.delete(1);
    rig.clock.advance(2000);
    expect(rig.record.transitions.at(-1)).toBe('1 healthy: connection accepted, 2 in a row');
    rig.clock.advance(6000);
    expect(rig.dialsTo(1)).toEqual([0, 5000, 6000, 7000, 10_000, 13_000, 14_000, 19_000]);
    expect(rig.dialsTo(2)).toEqual([0, 5000, 10_000, 15_000, 20_000]);
  });

  test('says how far a streak has come', () => {
    const { rig, pool } = start({ healthCheck: CHECK });
    rig.clock.advance(4999);
    rig.refusing.add(1);
    rig.clock.advance(1100);
    const [endpoint] = pool.view.all;
    expect(endpoint!.health).toBe('healthy');
    expect(endpoint!.healthReason).toBe('connection refused (ECONNREFUSED), 2 of 3');
    rig.refusing.delete(1);
    rig.clock.advance(1000);
    expect(endpoint!.healthReason).toBe('connection accepted');
  });

  test('that hangs longer than the interval never overlaps itself', () => {
    const { rig } = start({ healthCheck: { ...CHECK, interval: '1s', timeout: '2500ms' } });
    rig.silent.add(1);
    rig.clock.advance(10_000);
    expect(rig.mostUnderWay).toBe(1);
    expect(rig.dialsTo(1)).toEqual([0, 2500, 5000, 7500, 10_000]);
  });

  test('that cannot be made for want of descriptors says nothing of the endpoint', () => {
    const { rig, pool } = start({ healthCheck: CHECK });
    rig.clock.advance(100);
    const told = rig.record.transitions.length;
    rig.exhausted = true;
    rig.clock.advance(30_000);
    expect(pool.view.all.map(({ health }) => health)).toEqual(['healthy', 'healthy']);
    expect(pool.view.all[0]!.healthReason).toBe(
      'not checked for want of a descriptor, memory or port (EMFILE)',
    );
    expect(rig.record.transitions).toHaveLength(told);
    // Not a line for each.
    expect(rig.record.logged.filter((line) => line.startsWith('error health-check-impossible'))).toHaveLength(
      3,
    );
    rig.exhausted = false;
    rig.refusing.add(1);
    rig.clock.advance(4000);
    expect(rig.record.transitions.at(-1)).toBe('1 unhealthy: connection refused (ECONNREFUSED), 3 in a row');
  });

  test('goes to the port that it was told', () => {
    const { rig } = start({ healthCheck: { ...CHECK, port: 99 } });
    rig.clock.advance(1);
    expect(rig.dials.map(({ port }) => port)).toEqual([99, 99]);
  });

  test('is spread over a short time at the start, and jittered', () => {
    const rig = new HealthRig(0.75);
    start({ healthCheck: { ...CHECK, jitterPercent: 10 } }, rig);
    rig.clock.advance(5500);
    expect(rig.dialsTo(1)[0]).toBe(7.5);
    // 5 s and half of 10 % on top.
    expect(rig.dialsTo(1)[1]).toBeCloseTo(7.5 + 5250, 6);
  });

  test('with initial unhealthy needs rise passes', () => {
    const { rig, pool } = start({ healthCheck: { ...CHECK, initial: 'unhealthy' } });
    rig.clock.advance(900);
    expect(pool.view.all[0]!.health).toBe('unhealthy');
    rig.clock.advance(200);
    expect(pool.view.all[0]!.health).toBe('healthy');
  });

  test('does not change what the operator wants', () => {
    const { rig, pool } = start({ healthCheck: CHECK });
    const [endpoint] = pool.view.all;
    endpoint!.admin = 'draining';
    rig.clock.advance(10_000);
    expect(endpoint!.admin).toBe('draining');
    expect(availability(endpoint!, rig.clock.nowMs())).toBe('bound-only');
  });
});

describe('a reload', () => {
  const base = { endpoints: TWO, outlierDetection: false, healthCheck: CHECK };

  test('that does not touch the check leaves its timing, streaks and health alone', () => {
    const { rig, pool } = start(base);
    rig.clock.advance(4999);
    rig.refusing.add(1);
    rig.clock.advance(1100);
    reloadPool(pool, { ...base, slowStart: '10s' });
    rig.monitor.watch(pool);
    rig.clock.advance(1000);
    expect(rig.dialsTo(1)).toEqual([0, 5000, 6000, 7000]);
    expect(pool.view.all[0]!.health).toBe('unhealthy');
  });

  test('adds and removes endpoints', () => {
    const { rig, pool } = start(base);
    rig.clock.advance(100);
    reloadPool(pool, { ...base, endpoints: ['127.0.0.1:2', '127.0.0.1:3'] });
    rig.monitor.watch(pool);
    rig.clock.advance(5000);
    expect(rig.dialsTo(1)).toEqual([0]);
    expect(rig.dialsTo(2)).toEqual([0, 5000]);
    expect(rig.dialsTo(3)).toEqual([100, 5100]);
    expect(rig.clock.pending).toBe(2);
  });

  test('that changes the check keeps the verdict and begins the new check', () => {
    const { rig, pool } = start(base);
    rig.refusing.add(1);
    rig.clock.advance(100);
    reloadPool(pool, { ...base, healthCheck: { ...CHECK, rise: 1, port: 99 } });
    rig.monitor.watch(pool);
    expect(pool.view.all[0]!.health).toBe('unhealthy');
    rig.clock.advance(DIAL_MS);
    expect(pool.view.all[0]!.health).toBe('healthy');
    expect(rig.dials.at(-1)).toEqual({ atMs: 100, port: 99 });
  });

  test('that removes the check gives an unhealthy endpoint the benefit of the doubt', () => {
    const { rig, pool } = start(base);
    rig.refusing.add(1);
    rig.clock.advance(100);
    reloadPool(pool, { endpoints: TWO, outlierDetection: false });
    rig.monitor.watch(pool);
    expect(pool.view.all[0]!.health).toBe('unknown');
    expect(pool.view.all[0]!.healthReason).toBe('no longer checked');
    expect(rig.clock.pending).toBe(0);
  });

  test('that removes the pool, and the end, leave no timer', () => {
    const { rig, pool } = start({ ...base, outlierDetection: {} });
    const other = healthPool({ endpoints: TWO });
    rig.monitor.watch(other);
    fail(rig, other, 'connect_refused', 5);
    rig.clock.advance(0.5);
    rig.monitor.forget(pool);
    rig.monitor.stop();
    expect(rig.clock.pending).toBe(0);
    expect([...rig.underWay.values()].every((dials) => dials === 0)).toBe(true);
    fail(rig, other, 'connect_refused', 50);
    expect(rig.clock.pending).toBe(0);
  });
});

describe('an ejection without an active check', () => {
  const spec = { outlierDetection: { consecutiveFailures: 5, ejectFor: '30s', maxEjectFor: '100s' } };

  test('of an endpoint that cannot be reached ends within a second of its return', () => {
    const { rig, pool } = start(spec);
    rig.refusing.add(1);
    fail(rig, pool, 'connect_refused', 5);
    expect(rig.record.transitions).toEqual(['1 ejected: 5 failures in a row (last: connect_refused)']);
    expect(rig.record.published).toEqual(['2']);
    expect(pool.view.all[0]!.ejectReason).toBe('5 failures in a row (last: connect_refused)');
    rig.clock.advance(10_000);
    expect(rig.record.transitions).toHaveLength(1);
    rig.refusing.delete(1);
    rig.clock.advance(1000);
    expect(rig.record.transitions[1]).toBe('1 readmitted: it accepts connections again');
    expect(rig.record.published[1]).toBe('1,2');
    expect(rig.clock.pending).toBe(0);
  });

  test('of one that was killed under load, so that resets came first, does too', () => {
    const { rig, pool } = start(spec);
    rig.refusing.add(1);
    fail(rig, pool, 'endpoint_reset', 5);
    rig.clock.advance(10_000);
    rig.refusing.delete(1);
    rig.clock.advance(1000);
    expect(rig.record.transitions[1]).toBe('1 readmitted: it accepts connections again');
  });

  test('of datagrams alone is not connected to', () => {
    const rig = new HealthRig(0);
    rig.connects = false;
    const { pool } = start({ outlierDetection: { consecutiveFailures: 1, ejectFor: '10s' } }, rig);
    fail(rig, pool, 'connect_refused', 1);
    rig.clock.advance(9999);
    expect(rig.dials).toEqual([]);
    expect(rig.record.transitions).toHaveLength(1);
    rig.clock.advance(1);
    expect(rig.record.transitions.at(-1)).toBe('1 readmitted: its 10000 ms are over');
  });

  test('of one that gives bad answers lasts its time, doubles, and stops at the cap', () => {
    const { rig, pool } = start(spec);
    const lengths: number[] = [];
    for (let round = 0; round < 4; round++) {
      for (let time = 0; time < 5; time++) rig.observer.observe(pool, pool.view.all[0]!, undefined, 500);
      const fromMs = rig.clock.nowMs();
      while (pool.view.all[0]!.ejectedUntilMs > 0) rig.clock.advance(500);
      lengths.push(rig.clock.nowMs() - fromMs);
    }
    expect(lengths).toEqual([30_000, 60_000, 100_000, 100_000]);
    expect(rig.record.transitions.at(-1)).toBe('1 readmitted: its 100000 ms are over');
  });

  test('is shorter again after good conduct', () => {
    const { rig, pool } = start(spec);
    const [endpoint] = pool.view.all;
    fail(rig, pool, 'response_timeout', 5);
    rig.clock.advance(30_000);
    fail(rig, pool, 'response_timeout', 5);
    expect(endpoint!.ejections).toBe(2);
    rig.clock.advance(60_000 + 30_000);
    fail(rig, pool, 'response_timeout', 5);
    expect(endpoint!.ejections).toBe(2);
    rig.clock.advance(60_000 + 3_600_000);
    fail(rig, pool, 'response_timeout', 5);
    expect(endpoint!.ejections).toBe(1);
  });

  test('ends when outlier detection is switched off', () => {
    const { rig, pool } = start(spec);
    fail(rig, pool, 'response_timeout', 5);
    reloadPool(pool, { endpoints: TWO, outlierDetection: false });
    rig.monitor.watch(pool);
    expect(pool.view.all[0]!.ejectedUntilMs).toBe(0);
    expect(rig.record.transitions.at(-1)).toBe('1 readmitted: outlier detection was switched off');
    expect(rig.clock.pending).toBe(0);
  });

  test('goes on over a reload', () => {
    const { rig, pool } = start(spec);
    fail(rig, pool, 'response_timeout', 5);
    rig.clock.advance(10_000);
    reloadPool(pool, { endpoints: TWO, ...spec, slowStart: '5s' });
    rig.monitor.watch(pool);
    rig.clock.advance(19_999);
    expect(rig.record.transitions).toHaveLength(1);
    rig.clock.advance(1);
    expect(rig.record.transitions).toHaveLength(2);
  });
});

describe('an ejection with an active check', () => {
  const spec = { healthCheck: CHECK, outlierDetection: { consecutiveFailures: 5 } };

  test('of an endpoint that could not be reached ends with two passes that began after it', () => {
    const { rig, pool } = start(spec);
    rig.clock.advance(100);
    fail(rig, pool, 'connect_refused', 5);
    // The check hurries: 1.1 s and 2.1 s instead of 5 s.
    rig.clock.advance(1900);
    expect(pool.view.all[0]!.ejectedUntilMs).toBeGreaterThan(0);
    rig.clock.advance(200);
    expect(rig.record.transitions.at(-1)).toBe('1 readmitted: connection accepted, 2 in a row');
    rig.clock.advance(60_000);
    expect(rig.dialsTo(1).slice(0, 4)).toEqual([0, 1100, 2100, 7100]);
  });

  test('does not end by checks that passed all the while', () => {
    const { rig, pool } = start(spec);
    rig.clock.advance(100);
    fail(rig, pool, 'response_timeout', 5);
    rig.clock.advance(29_000);
    expect(pool.view.all[0]!.ejectedUntilMs).toBeGreaterThan(0);
    rig.clock.advance(1000);
    expect(rig.record.transitions.at(-1)).toBe('1 readmitted: its 30000 ms are over');
  });

  test('ends when the endpoint was restarted', () => {
    const { rig, pool } = start(spec);
    rig.clock.advance(100);
    fail(rig, pool, 'endpoint_reset', 5);
    rig.refusing.add(1);
    rig.clock.advance(1500);
    rig.refusing.delete(1);
    rig.clock.advance(2000);
    expect(rig.record.transitions.at(-1)).toBe('1 readmitted: connection accepted, 2 in a row');
  });

  test('is an axis of its own: an endpoint can be both, and must be neither to be used', () => {
    const { rig, pool } = start(spec);
    const [endpoint] = pool.view.all;
    rig.clock.advance(100);
    fail(rig, pool, 'response_timeout', 5);
    rig.refusing.add(1);
    rig.clock.advance(4000);
    expect(endpoint!.health).toBe('unhealthy');
    expect(endpoint!.ejectedUntilMs).toBeGreaterThan(0);
    rig.clock.advance(30_000);
    expect(endpoint!.ejectedUntilMs).toBe(0);
    expect(availability(endpoint!, rig.clock.nowMs())).toBe('closed');
    rig.refusing.delete(1);
    rig.clock.advance(3000);
    expect(availability(endpoint!, rig.clock.nowMs())).toBe('open');
  });
});

describe('an ejection that must not be', () => {
  const FOUR = [...TWO, '127.0.0.1:3', '127.0.0.1:4'];

  test('is withheld with a reason, and asked for again a second later', () => {
    const outlierDetection = { consecutiveFailures: 2, maxEjectedPercent: 25, ejectFor: '1s' };
    const { rig, pool } = start({ endpoints: FOUR, outlierDetection });
    const [a, b] = pool.view.all;
    for (let time = 0; time < 2; time++) rig.observer.observe(pool, a!, undefined, 500);
    for (let time = 0; time < 200; time++) rig.observer.observe(pool, b!, undefined, 500);
    expect(b!.ejectedUntilMs).toBe(0);
    expect(rig.record.logged.at(-1)).toBe(
      'warn ejection-withheld 127.0.0.1:2 2 failures in a row (last: status 500), but 1 of 4 are ejected, and maxEjectedPercent is 25',
    );
    rig.clock.advance(999);
    rig.observer.observe(pool, b!, undefined, 500);
    expect(b!.ejectedUntilMs).toBe(0);
    rig.clock.advance(1);
    rig.observer.observe(pool, b!, undefined, 500);
    expect(b!.ejectedUntilMs).toBe(2000);
  });

  test('by two who saw the same at once is one ejection', () => {
    const { rig, pool } = start({ endpoints: FOUR, outlierDetection: { ejectFor: '1s' } });
    const [a] = pool.view.all;
    rig.monitor.suspect(pool, a!, { unreachable: false, reason: 'by one' });
    rig.monitor.suspect(pool, a!, { unreachable: false, reason: 'by another' });
    expect(a!.ejections).toBe(1);
    expect(rig.record.transitions).toEqual(['1 ejected: by one']);
  });

  test('whatever happens: one endpoint stays, and no more than allowed are out', () => {
    const outcome = fc.record({
      endpoint: fc.nat(3),
      status: fc.constantFrom(200, 500),
      stepMs: fc.nat(400),
    });
    fc.assert(
      fc.property(
        fc.array(outcome, { maxLength: 300 }),
        fc.constantFrom(10, 50, 75, 100),
        (outcomes, maxEjectedPercent) => {
          const outlierDetection = { consecutiveFailures: 2, maxEjectedPercent, ejectFor: '1s' };
          const { rig, pool } = start({ endpoints: FOUR, outlierDetection });
          const most = Math.min(3, Math.max(1, Math.floor((4 * maxEjectedPercent) / 100)));
          for (const { endpoint, status, stepMs } of outcomes) {
            rig.clock.advance(stepMs);
            rig.observer.observe(pool, pool.view.all[endpoint]!, undefined, status);
            const nowMs = rig.clock.nowMs();
            const out = pool.view.all.filter((one) => one.ejectedUntilMs > nowMs).length;
            expect(out).toBeLessThanOrEqual(most);
          }
        },
      ),
    );
  });
});
