import { describe, expect, test } from 'bun:test';

import { nameOf, PolicyPool } from '../../test/support/policy-pool.ts';
import { mix32 } from '../util/hash.ts';

function shareOf(subject: PolicyPool, name: string, hashAt: (index: number) => number): number {
  let count = 0;
  for (let index = 0; index < 10_000; index++) if (subject.pick(hashAt(index))!.name === name) count++;
  return count / 10_000;
}

const unhashed = () => -1;

describe('a published view', () => {
  test('has those that take new work', () => {
    const subject = new PolicyPool({
      endpoints: [{}, { state: 'draining' }, { weight: 0 }, { state: 'disabled' }, {}],
    });
    expect(subject.available).toBe('a e');
    expect(subject.pool.view.all.length).toBe(5);
    subject.change('a', { health: 'unhealthy' });
    expect(subject.available).toBe('e');
  });

  test('is a new frozen object, so that a reader never sees half of a change', () => {
    const subject = new PolicyPool({ endpoints: [1, 1] });
    const before = subject.pool.view;
    subject.change('a', { health: 'unhealthy' });
    expect(subject.pool.view).not.toBe(before);
    expect(before.available.length).toBe(2);
    expect(Object.isFrozen(subject.pool.view)).toBe(true);
  });

  test('lets an ejected endpoint back in when its time is over, the earliest first', () => {
    const subject = new PolicyPool({ endpoints: [1, 1, 1] });
    subject.change('a', { ejectedUntilMs: 30_000 });
    subject.change('b', { ejectedUntilMs: 10_000 });
    expect(subject.available).toBe('c');
    subject.clock.advance(9999);
    expect(subject.available).toBe('c');
    subject.clock.advance(1);
    expect(subject.available).toBe('b c');
    subject.clock.advance(20_000);
    expect(subject.available).toBe('a b c');
    expect(subject.clock.pending).toBe(0);
  });

  test('has one timer however often it is published, and none after the end', () => {
    const subject = new PolicyPool({ endpoints: [1, 1] });
    subject.change('a', { ejectedUntilMs: 30_000 });
    for (let repeat = 0; repeat < 5; repeat++) subject.publisher.publish(subject.pool);
    expect(subject.clock.pending).toBe(1);
    subject.publisher.stop();
    expect(subject.clock.pending).toBe(0);
    subject.publisher.publish(subject.pool);
    expect(subject.clock.pending).toBe(0);
  });

  test('of a pool that was forgotten stays as it is', () => {
    const subject = new PolicyPool({ endpoints: [1, 1] });
    subject.change('a', { ejectedUntilMs: 30_000 });
    subject.publisher.forget(subject.pool);
    expect(subject.clock.pending).toBe(0);
    const { view } = subject.pool;
    subject.publisher.publish(subject.pool);
    expect(subject.pool.view).toBe(view);
    expect(subject.clock.pending).toBe(0);
  });
});

describe('panic', () => {
  test('begins below the threshold, uses everyone and is logged once each way', () => {
    const subject = new PolicyPool({ endpoints: [1, 1, 1, 1], panicPercent: 50 });
    for (const name of ['a', 'b', 'c']) subject.change(name, { health: 'unhealthy' });
    subject.publisher.publish(subject.pool);
    expect(subject.pool.view.panic).toBe(true);
    expect(subject.available).toBe('a b c d');
    subject.change('a', { health: 'healthy' });
    expect(subject.pool.view.panic).toBe(false);
    expect(subject.available).toBe('a d');
    expect(subject.log.map(({ level, event }) => `${level} ${event}`)).toEqual([
      'warn pool-panic',
      'info pool-panic-over',
    ]);
  });
});

describe('priorities', () => {
  const FIVE_AND_FIVE = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1].map((priority) => ({ priority }));

  test('higher ones rest while enough of the lower are healthy', () => {
    const subject = new PolicyPool({ endpoints: FIVE_AND_FIVE });
    subject.change('a', { health: 'unhealthy' });
    expect(subject.available).toBe('b c d e');
    for (let repeat = 0; repeat < 100; repeat++) expect('bcde').toContain(subject.pick()!.name);
  });

  test.each([
    ['random-two', unhashed],
    ['round-robin', unhashed],
    ['maglev', (index: number) => mix32(index + 1)],
  ] as const)('%s spills over what the lower ones cannot carry', (policy, hashAt) => {
    const subject = new PolicyPool({ policy, endpoints: FIVE_AND_FIVE });
    for (const name of ['a', 'b', 'c']) subject.change(name, { health: 'unhealthy' });
    // 2 of 5 carry 56 percent.
    expect(shareOf(subject, 'd', hashAt)).toBeCloseTo(0.28, 1);
    expect(shareOf(subject, 'f', hashAt)).toBeCloseTo(0.088, 1);
    expect(subject.pool.view.panic).toBe(false);
  });

  test('a key stays in its priority while the spill does not change', () => {
    const subject = new PolicyPool({ policy: 'ring-hash', endpoints: FIVE_AND_FIVE });
    for (const name of ['a', 'b', 'c']) subject.change(name, { health: 'unhealthy' });
    for (let key = 0; key < 200; key++) {
      const home = subject.pick(mix32(key));
      expect(subject.pick(mix32(key))).toBe(home);
    }
  });

  test('a request that failed on all of the lower ones finds the reserve, a new one does not', () => {
    const subject = new PolicyPool({ endpoints: [{ maxConnections: 1 }, { priority: 1 }] });
    expect(subject.pick(-1, [subject.endpoint('a')])?.name).toBe('b');
    subject.take();
    expect(subject.pick()).toBeUndefined();
  });

  test('when the chosen priority is full the other one that shares the traffic takes it', () => {
    const subject = new PolicyPool({
      endpoints: FIVE_AND_FIVE.map((spec) => ({ ...spec, maxConnections: 1 })),
    });
    for (const name of ['a', 'b', 'c']) subject.change(name, { health: 'unhealthy' });
    const names = Array.from({ length: 7 }, () => subject.take()!.name).toSorted();
    expect(names.join('')).toBe('defghij');
    expect(subject.take()).toBeUndefined();
  });

  test('a rotation goes on while others of another priority come and go', () => {
    const subject = new PolicyPool({ policy: 'round-robin', endpoints: FIVE_AND_FIVE });
    let names = '';
    for (let turn = 0; turn < 10; turn++) {
      names += subject.pick()!.name;
      subject.change(nameOf(5 + (turn % 5)), { health: turn % 2 === 0 ? 'unhealthy' : 'healthy' });
    }
    expect(names).toBe('abcdeabcde');
  });
});
