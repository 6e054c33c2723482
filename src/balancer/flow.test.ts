import { expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { PolicyPool } from '../../test/support/policy-pool.ts';
import type { Endpoint } from '../model/endpoint.ts';

/** Compares every count with one made anew. */
function expectExact(subject: PolicyPool, underWay: readonly Endpoint[]): void {
  const { all, available } = subject.pool.view;
  for (const endpoint of all) {
    expect(endpoint.inFlight).toBe(underWay.filter((other) => other === endpoint).length);
    const sharers = all.filter(({ peers }) => peers === endpoint.peers);
    expect(endpoint.peers.inFlight).toBe(sharers.reduce((sum, { inFlight }) => sum + inFlight, 0));
    for (const other of available) {
      if (!available.includes(endpoint)) expect(sharers).not.toContain(other);
      else expect(sharers.includes(other)).toBe(other.config.priority === endpoint.config.priority);
    }
  }
}

test('counts stay exact through any order of takes, releases and changes of membership', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const), at: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), at: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('flip' as const), at: fc.nat() }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const subject = new PolicyPool({
        policy: 'least-connections',
        panicPercent: 50,
        endpoints: [{}, {}, { weight: 2 }, { priority: 1 }, { priority: 1 }],
      });
      const underWay: Endpoint[] = [];
      for (const { kind, at } of steps) {
        if (kind === 'take') {
          const endpoint = subject.take();
          if (endpoint !== undefined) underWay.push(endpoint);
        } else if (kind === 'release') {
          const [endpoint] = underWay.splice(at % Math.max(1, underWay.length), 1);
          if (endpoint !== undefined) subject.release(endpoint);
        } else {
          const endpoint = subject.endpoints[at % 5]!;
          subject.change(endpoint.name, {
            health: endpoint.health === 'unhealthy' ? 'healthy' : 'unhealthy',
          });
        }
        expectExact(subject, underWay);
      }
    }),
  );
});

test('a release too many changes nothing', () => {
  const subject = new PolicyPool({ endpoints: [1, 1] });
  const endpoint = subject.take()!;
  subject.release(endpoint);
  subject.release(endpoint);
  expect(endpoint.inFlight).toBe(0);
  expect(endpoint.peers.inFlight).toBe(0);
});

test('the place that a take gives is taken in the same step', () => {
  const subject = new PolicyPool({ endpoints: [{ maxConnections: 1 }, { maxConnections: 1 }] });
  const names = [subject.take(), subject.take()].map((endpoint) => endpoint!.name).toSorted();
  expect(names).toEqual(['a', 'b']);
  expect(subject.take()).toBeUndefined();
});
