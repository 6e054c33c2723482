import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { nameOf, PolicyPool, poolConfig } from '../../test/support/policy-pool.ts';
import { mix32 } from '../util/hash.ts';
import { balancer } from './flow.ts';
import { primeFrom } from './maglev.ts';
import { updatePool } from './pools.ts';

const KEYS = 20_000;
const HASH_POLICIES = ['ip-hash', 'ring-hash', 'maglev'] as const;

type HashPolicy = (typeof HASH_POLICIES)[number];

/** Share of the keys of others that move, at most, when one of ten leaves. */
const MOVED_BY_LEAVING: Readonly<Record<HashPolicy, number>> = {
  'ip-hash': 0,
  'ring-hash': 0,
  maglev: 0.01,
};

function homes(subject: PolicyPool): string[] {
  return Array.from({ length: KEYS }, (_, key) => subject.pick(mix32(key + 1))!.name);
}

function equalEndpoints(count: number): number[] {
  return Array.from({ length: count }, () => 1);
}

for (const policy of HASH_POLICIES) {
  describe(policy, () => {
    test('when one of ten leaves, the keys of the others stay', () => {
      const subject = new PolicyPool({ policy, endpoints: equalEndpoints(10) });
      const before = homes(subject);
      subject.change('d', { health: 'unhealthy' });
      const after = homes(subject);
      let moved = 0;
      for (let key = 0; key < KEYS; key++) {
        expect(after[key]).not.toBe('d');
        if (before[key] !== 'd' && before[key] !== after[key]) moved++;
      }
      expect(moved / KEYS).toBeLessThanOrEqual(MOVED_BY_LEAVING[policy]);
      subject.change('d', { health: 'healthy' });
      expect(homes(subject)).toEqual(before);
    });

    test('when all have left there is none, with a key or without', () => {
      const subject = new PolicyPool({ policy, endpoints: equalEndpoints(2) });
      for (const name of ['a', 'b']) subject.change(name, { health: 'unhealthy' });
      expect([subject.pick(mix32(1)), subject.pick(0), subject.pick()]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
    });

    test('what one that leaves had is spread over all others', () => {
      const subject = new PolicyPool({ policy, endpoints: equalEndpoints(10) });
      const before = homes(subject);
      subject.change('d', { health: 'unhealthy' });
      const heirs = new Map<string, number>();
      for (const [key, name] of homes(subject).entries()) {
        if (before[key] === 'd') heirs.set(name, (heirs.get(name) ?? 0) + 1);
      }
      expect(heirs.size).toBe(9);
      const total = [...heirs.values()].reduce((sum, count) => sum + count, 0);
      for (const count of heirs.values()) expect(count / total).toBeLessThan(0.25);
    });

    test('when one joins ten, about an eleventh of the keys goes to it and hardly any elsewhere', () => {
      const subject = new PolicyPool({ policy, endpoints: equalEndpoints(10) });
      const before = homes(subject);
      updatePool(subject.pool, poolConfig({ policy, endpoints: equalEndpoints(11) }), subject.publisher);
      const joined = nameOf(10);
      let toJoined = 0;
      let elsewhere = 0;
      for (const [key, name] of homes(subject).entries()) {
        if (name === joined) toJoined++;
        else if (name !== before[key]) elsewhere++;
      }
      expect(toJoined / KEYS).toBeCloseTo(1 / 11, 1);
      expect(elsewhere / KEYS).toBeLessThanOrEqual(MOVED_BY_LEAVING[policy]);
    });

    test('the order in the file does not matter', () => {
      const names = equalEndpoints(7).map((_, index) => ({
        name: nameOf(index),
        address: `${nameOf(index)}:1`,
      }));
      const subject = new PolicyPool({ policy, endpoints: names });
      const turned = new PolicyPool({ policy, endpoints: names.toReversed() });
      expect(homes(turned)).toEqual(homes(subject));
    });

    test('no endpoint goes beyond its bounded load', () => {
      const factor = fc.double({ min: 1, max: 3, noNaN: true });
      const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
      // A few hot keys, so that the bound is what decides.
      const keys = fc.array(fc.nat(4), { minLength: 1, maxLength: 150 });
      fc.assert(
        fc.property(factor, weights, keys, (boundedLoad, endpoints, requests) => {
          const subject = new PolicyPool({ policy, endpoints, hash: { boundedLoad, tableSize: 257 } });
          const total = endpoints.reduce((sum, weight) => sum + weight, 0);
          for (const [underWay, key] of requests.entries()) {
            const endpoint = subject.take(mix32(key + 1))!;
            const capacity = Math.ceil((boundedLoad * (underWay + 1) * endpoint.effectiveWeight) / total);
            expect(endpoint.inFlight).toBeLessThanOrEqual(capacity);
          }
        }),
        { numRuns: 150 },
      );
    });

    test('one hot key uses the whole pool when it must', () => {
      const subject = new PolicyPool({ policy, endpoints: equalEndpoints(5) });
      for (let taken = 0; taken < 100; taken++) subject.take(12_345);
      const loads = subject.endpoints.map(({ inFlight }) => inFlight);
      expect(Math.max(...loads)).toBe(25);
      expect(loads.filter((load) => load > 0).length).toBeGreaterThanOrEqual(4);
    });

    test('finds the only free one among five hundred', () => {
      const subject = new PolicyPool({
        policy,
        endpoints: Array.from({ length: 500 }, () => ({ maxConnections: 1 })),
      });
      const free = subject.endpoint('e321');
      for (const endpoint of subject.endpoints) {
        if (endpoint !== free) balancer.acquire(subject.pool, endpoint);
      }
      for (let key = 0; key < 50; key++) expect(subject.pick(mix32(key))).toBe(free);
    });
  });
}

test('ring-hash and maglev keep their table while names and weights stay', () => {
  for (const policy of ['ring-hash', 'maglev'] as const) {
    const subject = new PolicyPool({ policy, endpoints: equalEndpoints(3) });
    const tableOf = () => Reflect.get(subject.publisher.pickerOf(subject.pool), 'table') as object;
    const table = tableOf();
    expect(table).toBeObject();
    subject.publisher.publish(subject.pool);
    expect(tableOf()).toBe(table);
    subject.change('a', { health: 'unhealthy' });
    expect(tableOf()).not.toBe(table);
  }
});

test('ring-hash with heavy weights stays within its number of points', () => {
  const subject = new PolicyPool({
    policy: 'ring-hash',
    endpoints: Array.from({ length: 100 }, (_, index) => 200 + (index % 57)),
  });
  const { owners } = Reflect.get(subject.publisher.pickerOf(subject.pool), 'table') as {
    owners: Uint32Array;
  };
  expect(owners.length).toBeLessThan(262_144 + 100);
  expect(new Set(owners).size).toBe(100);
});

test('maglev spreads its slots to a fraction of a percent', () => {
  const subject = new PolicyPool({ policy: 'maglev', endpoints: equalEndpoints(10) });
  const { owners } = Reflect.get(subject.publisher.pickerOf(subject.pool), 'table') as {
    owners: Uint32Array;
  };
  const slots = equalEndpoints(10).map(() => 0);
  for (const owner of owners) slots[owner]!++;
  for (const count of slots) expect([6553, 6554]).toContain(count);
});

test('primeFrom gives the prime itself or the next one', () => {
  expect([7, 8, 100, 65_537, 65_538].map(primeFrom)).toEqual([7, 11, 101, 65_537, 65_539]);
});
