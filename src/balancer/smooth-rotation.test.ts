import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { NOTHING_TRIED, PolicyPool } from '../../test/support/policy-pool.ts';
import { SmoothRotation } from './smooth-rotation.ts';

const request = { hash: -1, tried: NOTHING_TRIED };

function endpointsOf(weights: readonly number[]) {
  return new PolicyPool({ policy: 'first', endpoints: weights }).endpoints;
}

function turns(rotation: SmoothRotation, count: number): string {
  return Array.from({ length: count }, () => rotation.next(request)!.name).join('');
}

const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });

describe('SmoothRotation', () => {
  test("gives nginx's sequence for the weights 5, 1, 1", () => {
    const rotation = new SmoothRotation(endpointsOf([5, 1, 1]));
    expect(turns(rotation, 7)).toBe('aabacaa');
    expect([...rotation.currentWeights()]).toEqual([0, 0, 0]);
    expect(turns(rotation, 7)).toBe('aabacaa');
  });

  test('begins where it would stand after so many turns', () => {
    for (const values of [
      [5, 1, 1],
      [1, 1, 1],
    ]) {
      const endpoints = endpointsOf(values);
      const first = new SmoothRotation(endpoints);
      for (let taken = 0; taken < 9; taken++) {
        const later = new SmoothRotation(endpoints, undefined, taken);
        expect([...later.currentWeights()]).toEqual([...first.currentWeights()]);
        first.next(request);
      }
    }
  });

  test('gives every endpoint exactly its turns in a round, and the current weights sum to 0 after each', () => {
    fc.assert(
      fc.property(weights, (values) => {
        const endpoints = endpointsOf(values);
        const rotation = new SmoothRotation(endpoints);
        const total = values.reduce((sum, weight) => sum + weight, 0);
        const counts = new Map(endpoints.map((endpoint) => [endpoint, 0]));
        for (let turn = 0; turn < total; turn++) {
          const endpoint = rotation.next(request)!;
          counts.set(endpoint, counts.get(endpoint)! + 1);
          expect(rotation.currentWeights().reduce((sum, weight) => sum + weight, 0)).toBe(0);
        }
        expect([...counts.values()]).toEqual(values);
      }),
    );
  });

  test('never leaves an endpoint waiting for more than a round', () => {
    fc.assert(
      fc.property(weights, (values) => {
        const rotation = new SmoothRotation(endpointsOf(values));
        const total = values.reduce((sum, weight) => sum + weight, 0);
        const names = turns(rotation, 3 * total);
        for (const [index, weight] of values.entries()) {
          const name = endpointsOf(values)[index]!.name;
          const gaps = names.split(name).map(({ length }) => length);
          expect(Math.max(...gaps)).toBeLessThanOrEqual(Math.ceil((2 * total) / weight));
        }
      }),
    );
  });

  test('with equal weights goes in order and skips what is full', () => {
    const endpoints = endpointsOf([1, 1, 1, 1]);
    const rotation = new SmoothRotation(endpoints);
    expect(turns(rotation, 6)).toBe('abcdab');
    endpoints[2]!.limit = 0;
    expect(turns(rotation, 4)).toBe('dabd');
  });

  test('goes on where it was when one leaves and when one joins', () => {
    const endpoints = endpointsOf([1, 1, 1, 1]);
    const rotation = new SmoothRotation(endpoints);
    expect(turns(rotation, 2)).toBe('ab');
    const without = new SmoothRotation([endpoints[0]!, endpoints[1]!, endpoints[3]!], rotation);
    expect(turns(without, 3)).toBe('dab');
    const joined = new SmoothRotation(endpoints, without);
    expect(turns(joined, 4).slice(0, 2)).toMatch(/c|d/);
  });

  test('goes on where it was when weights become unequal and equal again', () => {
    const endpoints = endpointsOf([1, 1, 1]);
    const equal = new SmoothRotation(endpoints);
    expect(turns(equal, 2)).toBe('ab');
    endpoints[0]!.effectiveWeight = 0.5;
    const ramping = new SmoothRotation(endpoints, equal);
    expect(turns(ramping, 1)).toBe('c');
    endpoints[0]!.effectiveWeight = 1;
    expect(turns(new SmoothRotation(endpoints, ramping), 1)).not.toBe('c');
  });

  test('the current weights sum to 0 again after a member left or joined', () => {
    const endpoints = endpointsOf([5, 3, 2]);
    const rotation = new SmoothRotation(endpoints);
    turns(rotation, 1);
    const without = new SmoothRotation(endpoints.slice(1), rotation);
    expect([...without.currentWeights()]).not.toEqual([0, 0]);
    const sum = (weights: Float64Array) => weights.reduce((total, weight) => total + weight, 0);
    expect(sum(without.currentWeights())).toBeCloseTo(0, 9);
    turns(without, 1);
    expect(sum(new SmoothRotation(endpoints, without).currentWeights())).toBeCloseTo(0, 9);
  });

  test('one that paid for a long round does not starve in a short one', () => {
    const endpoints = endpointsOf([200, 1]);
    const rotation = new SmoothRotation(endpoints);
    while (rotation.next(request) !== endpoints[1]) {
      // On to the one turn of the light one, after which it has paid for the whole round.
    }
    endpoints[0]!.effectiveWeight = 3;
    endpoints[1]!.effectiveWeight = 2;
    expect(turns(new SmoothRotation(endpoints, rotation), 5)).toInclude('b');
  });

  test('after any change of weights nobody waits for more than two rounds', () => {
    fc.assert(
      fc.property(
        weights,
        fc.infiniteStream(fc.integer({ min: 1, max: 20 })),
        fc.nat(200),
        (values, next, turn) => {
          const endpoints = endpointsOf(values);
          const before = new SmoothRotation(endpoints);
          for (let index = 0; index < turn; index++) before.next(request);
          let total = 0;
          for (const endpoint of endpoints) total += endpoint.effectiveWeight = next.next().value;
          const after = new SmoothRotation(endpoints, before);
          expect(after.currentWeights().reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(0, 6);
          const seen = new Set(Array.from({ length: 3 * total }, () => after.next(request)));
          expect(seen.size).toBe(endpoints.length);
        },
      ),
    );
  });

  test('a copy leaves no trace in the original', () => {
    const rotation = new SmoothRotation(endpointsOf([3, 2, 1]));
    turns(rotation, 2);
    const copied = turns(rotation.copy(), 12);
    expect(turns(rotation, 12)).toBe(copied);
  });
});
