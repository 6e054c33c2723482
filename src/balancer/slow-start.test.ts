import { describe, expect, test } from 'bun:test';

import { PolicyPool, poolConfig } from '../../test/support/policy-pool.ts';
import { updatePool } from './pools.ts';

const WINDOW_MS = 20_000;

function poolWith(endpoints: ConstructorParameters<typeof PolicyPool>[0]['endpoints'], slowStart = '20s') {
  return new PolicyPool({ policy: 'round-robin', slowStart, endpoints });
}

/** Out for a moment and back. */
function bounce(subject: PolicyPool, name: string): void {
  subject.change(name, { health: 'unhealthy' });
  subject.clock.advance(100);
  subject.change(name, { health: 'healthy' });
}

function weight(subject: PolicyPool, name: string): number {
  return subject.endpoint(name).effectiveWeight;
}

describe('slow start', () => {
  test('brings an endpoint that returns up to its weight and limit in even steps', () => {
    const subject = poolWith([{ weight: 10, maxConnections: 100 }, { weight: 10 }]);
    bounce(subject, 'a');
    expect(weight(subject, 'a')).toBeCloseTo(0.5);
    expect(subject.endpoint('a').limit).toBe(5);
    expect(subject.endpoint('b').limit).toBe(Number.POSITIVE_INFINITY);
    const steps = [];
    for (let second = 1; second <= 20; second++) {
      subject.clock.advance(1000);
      steps.push(Math.round(weight(subject, 'a') * 100) / 100);
    }
    expect(steps).toEqual(Array.from({ length: 20 }, (_, index) => (index + 1) / 2));
    expect(subject.endpoint('a').limit).toBe(100);
    expect(subject.endpoint('a').warmingSinceMs).toBe(-1);
    expect(subject.clock.pending).toBe(0);
  });

  test('publishes a step at most every second, and every twentieth of a long window', () => {
    const changes = (slowStart: string, forMs: number) => {
      const subject = poolWith([1, 1], slowStart);
      bounce(subject, 'a');
      let seen = 0;
      let view = subject.pool.view;
      for (let ms = 0; ms < forMs; ms += 50) {
        subject.clock.advance(50);
        if (subject.pool.view !== view) seen++;
        view = subject.pool.view;
      }
      return seen;
    };
    expect(changes('5s', 10_000)).toBe(5);
    expect(changes('100s', 200_000)).toBe(20);
  });

  test('does not begin in a pool that has just started', () => {
    const subject = poolWith([3, 3]);
    expect(subject.endpoints.map(({ effectiveWeight }) => effectiveWeight)).toEqual([3, 3]);
    expect(subject.clock.pending).toBe(0);
  });

  test('does not begin while the balancer itself has just started and the first checks come in', () => {
    const subject = new PolicyPool({
      slowStart: '20s',
      healthCheck: { initial: 'unhealthy' },
      endpoints: [1, 1, 1],
    });
    expect(subject.available).toBe('');
    for (const name of ['a', 'b']) {
      subject.clock.advance(300);
      subject.change(name, { health: 'healthy' });
      expect(weight(subject, name)).toBe(1);
    }
    subject.clock.advance(WINDOW_MS);
    subject.change('c', { health: 'healthy' });
    expect(weight(subject, 'c')).toBeLessThan(0.1);
  });

  test('is left out when nobody else of the same priority is warm', () => {
    const subject = poolWith([{ weight: 4 }, { weight: 4, priority: 1 }]);
    bounce(subject, 'a');
    expect(weight(subject, 'a')).toBe(4);
    const both = poolWith([4, 4]);
    both.change('a', { health: 'unhealthy' });
    both.change('b', { health: 'unhealthy' });
    both.change('a', { health: 'healthy' });
    expect(weight(both, 'a')).toBe(4);
  });

  test('ends at once when the last warm one leaves', () => {
    const subject = poolWith([4, 4]);
    bounce(subject, 'a');
    expect(weight(subject, 'a')).toBeLessThan(1);
    subject.change('b', { health: 'unhealthy' });
    expect(weight(subject, 'a')).toBe(4);
  });

  test('ends when the endpoint closes, so that in panic it has its full weight', () => {
    const subject = poolWith([4, 4]);
    bounce(subject, 'a');
    subject.change('a', { health: 'unhealthy' });
    expect(weight(subject, 'a')).toBe(4);
    expect(subject.endpoint('a').warmingSinceMs).toBe(-1);
    expect(subject.clock.pending).toBe(0);
  });

  test('starts again when the endpoint flaps', () => {
    const subject = poolWith([10, 10]);
    bounce(subject, 'a');
    subject.clock.advance(10_000);
    expect(weight(subject, 'a')).toBeCloseTo(5);
    bounce(subject, 'a');
    expect(weight(subject, 'a')).toBeCloseTo(0.5);
  });

  test('begins for what joins a running pool, for a cancelled drain and for the end of an ejection', () => {
    const subject = poolWith([1, 1]);
    const config = poolConfig({ policy: 'round-robin', slowStart: '20s', endpoints: [1, 1, 1] });
    updatePool(subject.pool, config, subject.publisher);
    expect(weight(subject, 'c')).toBeLessThan(0.1);
    expect(weight(subject, 'a')).toBe(1);
    subject.change('a', { admin: 'draining' });
    subject.change('a', { admin: 'enabled' });
    expect(weight(subject, 'a')).toBeLessThan(0.1);
    subject.clock.advance(2 * WINDOW_MS);
    subject.change('b', { ejectedUntilMs: subject.clock.nowMs() + 5000 });
    expect(subject.available).toBe('a c');
    subject.clock.advance(5000);
    expect(subject.available).toBe('a b c');
    expect(weight(subject, 'b')).toBeLessThan(0.1);
  });

  test('switched off by a reload, everyone is warm', () => {
    const subject = poolWith([4, 4]);
    bounce(subject, 'a');
    updatePool(subject.pool, poolConfig({ policy: 'round-robin', endpoints: [4, 4] }), subject.publisher);
    expect(weight(subject, 'a')).toBe(4);
    expect(subject.clock.pending).toBe(0);
  });

  test('gives the returning endpoint its share of the traffic and no more', () => {
    const subject = poolWith([1, 1]);
    bounce(subject, 'a');
    let toReturning = 0;
    for (let index = 0; index < 2100; index++) if (subject.pick()?.name === 'a') toReturning++;
    expect(toReturning).toBe(100);
  });
});
