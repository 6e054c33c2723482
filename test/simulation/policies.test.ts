import { describe, expect, test } from 'bun:test';

import { type PolicyName, POLICY_NAMES } from '../../src/config/schema/pool.ts';
import type { Random } from '../../src/util/random.ts';
import { type Scenario, Simulation } from './simulation.ts';

/** Ten endpoints of four slots and 5 ms can answer 8000 a second; half of that arrives. */
const LOAD = { slots: 4, ratePerSecond: 4000, requests: 20_000 } as const;
const TEN = Array.from({ length: 10 }, () => 1);
const USUAL_MS = 5;
const ODD_ONE = 'b';

/** `first` sends all to one as long as that has no limit; it does not balance. */
const BALANCING = POLICY_NAMES.filter((policy) => policy !== 'first');
/** Those that look at what is in flight or at latency. */
const LOAD_AWARE = BALANCING.filter((policy) => policy !== 'round-robin' && policy !== 'random');

function serviceMs(meanMs: number, random: Random): number {
  return meanMs * (0.5 + random.next());
}

const healthy: Pick<Scenario, 'treat'> = {
  treat: (_endpoint, _nowMs, random) => ({ serviceMs: serviceMs(USUAL_MS, random) }),
};

describe('ten equal endpoints at half of what they can do', () => {
  test.each(BALANCING)('%s: p99 stays near the time of service', (policy) => {
    const run = new Simulation({ ...LOAD, ...healthy, pool: { policy, endpoints: TEN } }).run();
    expect(run.percentile(99)).toBeLessThan(3 * USUAL_MS);
    for (const name of run.sent.keys()) {
      expect(run.sharePercent(name)).toBeGreaterThan(7);
      expect(run.sharePercent(name)).toBeLessThan(13);
    }
  });
});

describe('one of ten is ten times slower, and can do 2 % of the traffic', () => {
  const run = (policy: PolicyName) =>
    new Simulation({
      ...LOAD,
      pool: { policy, endpoints: TEN },
      treat: (endpoint, _nowMs, random) => ({
        serviceMs: serviceMs(endpoint.name === ODD_ONE ? 10 * USUAL_MS : USUAL_MS, random),
      }),
    }).run();

  test.each(LOAD_AWARE)('%s sends it no more than it can do', (policy) => {
    const result = run(policy);
    expect(result.sharePercent(ODD_ONE)).toBeLessThan(2.5);
    expect(result.percentile(99)).toBeLessThan(15 * USUAL_MS);
    expect(result.percentile(100)).toBeLessThan(30 * USUAL_MS);
  });

  test('least-response-time avoids it, and nearly nobody notices', () => {
    const result = run('least-response-time');
    expect(result.sharePercent(ODD_ONE)).toBeLessThan(0.2);
    expect(result.percentile(99)).toBeLessThan(2 * USUAL_MS);
  });

  test('round-robin piles requests up before it: the reason why it is not the default', () => {
    const result = run('round-robin');
    expect(result.sharePercent(ODD_ONE)).toBeCloseTo(10, 6);
    expect(result.percentile(99)).toBeGreaterThan(1000);
  });
});

describe('one of ten fails every request in a fifth of a millisecond', () => {
  const run = (policy: PolicyName, ejectAfter: number, fromMs = 0) =>
    new Simulation({
      ...LOAD,
      ejectAfter,
      pool: { policy, endpoints: TEN },
      treat: (endpoint, nowMs, random) =>
        endpoint.name === ODD_ONE && nowMs >= fromMs
          ? { serviceMs: 0.2, fails: true }
          : { serviceMs: serviceMs(USUAL_MS, random) },
    }).run();

  test.each(BALANCING)('%s: with ejection after 5 failures it fails a handful of requests', (policy) => {
    expect(run(policy, 5).failures).toBeLessThanOrEqual(10);
  });

  test.each([0, 500])(
    'least-response-time is not attracted even without ejection, failing from %i ms',
    (fromMs) => {
      expect(run('least-response-time', 0, fromMs).failures).toBeLessThanOrEqual(20);
    },
  );
});

describe('one of ten comes back cold: for three seconds it takes ten times as long', () => {
  const run = (policy: PolicyName, slowStart: string) => {
    let phase: 'before' | 'away' | 'back' = 'before';
    return new Simulation({
      ...LOAD,
      requests: 60_000,
      pool: { policy, slowStart, endpoints: TEN },
      onArrival(subject, nowMs) {
        if (phase === 'before' && nowMs > 1000) {
          phase = 'away';
          subject.change(ODD_ONE, { health: 'unhealthy' });
        } else if (phase === 'away' && nowMs > 2000) {
          phase = 'back';
          subject.change(ODD_ONE, { health: 'healthy' });
        }
      },
      treat(endpoint, nowMs, random) {
        const cold = endpoint.name === ODD_ONE && phase === 'back' && nowMs < 5000;
        return { serviceMs: serviceMs(cold ? 10 * USUAL_MS : USUAL_MS, random) };
      },
    }).run();
  };

  test.each(BALANCING.filter((policy) => policy !== 'least-response-time'))(
    '%s: slow start lets fewer requests meet it cold',
    (policy) => {
      const coldMs = 5 * USUAL_MS;
      const hit = (slowStart: string) =>
        run(policy, slowStart).latenciesMs.filter((latencyMs) => latencyMs > coldMs).length;
      expect(hit('10s')).toBeLessThan(0.6 * hit('0'));
    },
  );

  test('least-response-time does without', () => {
    expect(run('least-response-time', '0').percentile(99)).toBeLessThan(2 * USUAL_MS);
  });
});
