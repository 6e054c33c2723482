import { expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { PolicyPool } from '../../test/support/policy-pool.ts';
import { canTake } from '../model/picker.ts';
import { balancer } from './flow.ts';

const endpointStates = fc.array(
  fc.record({
    weight: fc.integer({ min: 1, max: 9 }),
    maxConnections: fc.integer({ min: 0, max: 12 }),
    inFlight: fc.integer({ min: 0, max: 12 }),
  }),
  { minLength: 1, maxLength: 10 },
);

test('never picks an endpoint when another has less in flight for its weight', () => {
  fc.assert(
    fc.property(endpointStates, (states) => {
      const subject = new PolicyPool({
        policy: 'least-connections',
        endpoints: states.map(({ weight, maxConnections }) => ({ weight, maxConnections })),
      });
      for (const [index, endpoint] of subject.endpoints.entries()) {
        for (let taken = 0; taken < states[index]!.inFlight; taken++)
          balancer.acquire(subject.pool, endpoint);
      }
      for (let repeat = 0; repeat < 20; repeat++) {
        const candidates = subject.endpoints.filter((endpoint) => canTake(endpoint, { hash: -1, tried: [] }));
        const picked = subject.take();
        if (picked === undefined) expect(candidates).toEqual([]);
        else {
          const before = picked.inFlight - 1;
          for (const other of candidates) {
            if (other === picked) continue;
            // Cross-multiplied, so that the oracle is exact.
            expect(before * other.effectiveWeight).toBeLessThanOrEqual(
              other.inFlight * picked.effectiveWeight,
            );
          }
        }
      }
    }),
  );
});

test('an idle pool is served in turns by weight, not by its first endpoint', () => {
  const subject = new PolicyPool({ policy: 'least-connections', endpoints: [2, 1, 1] });
  let names = '';
  for (let index = 0; index < 8; index++) {
    const endpoint = subject.take()!;
    subject.release(endpoint);
    names += endpoint.name;
  }
  expect(names).toBe('abcaabca');
});

test('a request that still waits for its connection weighs as much as any other', () => {
  const subject = new PolicyPool({ policy: 'least-connections', endpoints: [1, 1] });
  const slowToAccept = subject.take()!;
  for (let index = 0; index < 5; index++) {
    const endpoint = subject.take()!;
    expect(endpoint).not.toBe(slowToAccept);
    subject.release(endpoint);
  }
});

test('one that is idle is found among many that are not, and idle ones take turns', () => {
  const subject = new PolicyPool({
    policy: 'least-connections',
    endpoints: Array.from({ length: 100 }, () => 1),
  });
  for (const endpoint of subject.endpoints) balancer.acquire(subject.pool, endpoint);
  const freed = [10, 12, 90].map((index) => subject.endpoints[index]!);
  for (const endpoint of freed) balancer.release(subject.pool, endpoint);
  const picked: string[] = [];
  for (let round = 0; round < 6; round++) {
    const endpoint = subject.take()!;
    picked.push(endpoint.name);
    subject.release(endpoint);
  }
  const names = freed.map(({ name }) => name);
  expect(picked).toEqual([...names, ...names]);
});
