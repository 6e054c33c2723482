import { describe, expect, test } from 'bun:test';

import { PolicyPool } from '../../test/support/policy-pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { seededRandom } from '../util/random.ts';
import { balancer } from './flow.ts';
import { PairSample } from './pair-sample.ts';

const DRAWS = 60_000;

/** How often each ordered pair of names was drawn. */
function drawn(weights: readonly number[], tried: readonly string[] = []): Map<string, number> {
  const subject = new PolicyPool({ policy: 'random-two', endpoints: weights });
  const request = { hash: -1, tried: tried.map((name) => subject.endpoint(name)) };
  const pair = new PairSample(subject.endpoints, seededRandom(3));
  const counts = new Map<string, number>();
  for (let draw = 0; draw < DRAWS; draw++) {
    pair.draw(request);
    const names = `${pair.first?.name ?? '-'}${pair.second?.name ?? '-'}`;
    counts.set(names, (counts.get(names) ?? 0) + 1);
  }
  return counts;
}

/** Pearson's statistic against the expected chance of each pair. */
function chiSquare(counts: Map<string, number>, chances: Map<string, number>): number {
  let sum = 0;
  for (const [names, chance] of chances) {
    sum += ((counts.get(names) ?? 0) - DRAWS * chance) ** 2 / (DRAWS * chance);
  }
  return sum;
}

/** Chance of each ordered pair when the second is drawn from all but the first, by weight. */
function expected(weights: Readonly<Record<string, number>>): Map<string, number> {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const chances = new Map<string, number>();
  for (const [a, weightA] of Object.entries(weights)) {
    for (const [b, weightB] of Object.entries(weights)) {
      if (a !== b) chances.set(`${a}${b}`, ((weightA / total) * weightB) / (total - weightA));
    }
  }
  return chances;
}

describe('PairSample', () => {
  // Critical values for p = 0.001: 19 degrees of freedom 43.8, 11: 31.3, 5: 20.5.
  test('draws every pair of five equally often', () => {
    const counts = drawn([1, 1, 1, 1, 1]);
    expect(counts.size).toBe(20);
    expect(chiSquare(counts, expected({ a: 1, b: 1, c: 1, d: 1, e: 1 }))).toBeLessThan(43.8);
  });

  test('draws pairs by weight', () => {
    const counts = drawn([5, 3, 1, 1]);
    expect(counts.size).toBe(12);
    expect(chiSquare(counts, expected({ a: 5, b: 3, c: 1, d: 1 }))).toBeLessThan(31.3);
  });

  test('leaves out what cannot take the request before it draws, not after', () => {
    const counts = drawn([1, 1, 1, 1, 1], ['b', 'd']);
    expect(counts.size).toBe(6);
    expect(chiSquare(counts, expected({ a: 1, c: 1, e: 1 }))).toBeLessThan(20.5);
  });

  test('draws what is left when it is one, or none', () => {
    expect([...drawn([1, 2, 3], ['a', 'c']).keys()]).toEqual(['b-']);
    expect([...drawn([1, 2], ['a', 'b']).keys()]).toEqual(['--']);
  });

  test('of a pool of two with unlike weights both are always drawn', () => {
    const pairs = [...drawn([256, 1]).keys()].toSorted();
    expect(pairs).toEqual(['ab', 'ba']);
  });
});

test('random-two takes the less loaded of the two, by weight', () => {
  const subject = new PolicyPool({ policy: 'random-two', endpoints: [2, 1] });
  const load = (endpoint: Endpoint, inFlight: number) => {
    while (endpoint.inFlight < inFlight) balancer.acquire(subject.pool, endpoint);
  };
  load(subject.endpoint('a'), 3);
  load(subject.endpoint('b'), 2);
  for (let repeat = 0; repeat < 20; repeat++) expect(subject.pick()?.name).toBe('a');
  load(subject.endpoint('a'), 5);
  for (let repeat = 0; repeat < 20; repeat++) expect(subject.pick()?.name).toBe('b');
});
