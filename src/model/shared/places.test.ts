import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { Places } from './places.ts';
import { SharedCount } from './shared-count.ts';

const STRIDE = 16;

function workersOf(workers: number) {
  const words = new Int32Array(workers * STRIDE + 1);
  const at = (own: number) => ({ words, first: 1, stride: STRIDE, workers, own, call: () => {} });
  return {
    words,
    places: Array.from({ length: workers }, (_, own) => new Places(at(own))),
    observer: new Places(at(-1)),
    counts: Array.from({ length: workers }, (_, own) => new SharedCount(at(own))),
  };
}

/** What a worker does: takes a place, or gives one back. */
const steps = (workers: number) =>
  fc.array(fc.record({ worker: fc.nat({ max: workers - 1 }), takes: fc.boolean() }), { maxLength: 200 });

test.each([1, 2, 5])(
  '%d workers together never have more than the limit, and all that there is',
  (workers) => {
    fc.assert(
      fc.property(steps(workers), fc.integer({ min: 0, max: 8 }), (list, limit) => {
        const { places, observer } = workersOf(workers);
        const held = places.map(() => 0);
        const total = () => held.reduce((sum, count) => sum + count, 0);
        for (const { worker, takes } of list) {
          if (takes) {
            const free = total() < limit;
            expect(places[worker]!.take(limit)).toBe(free);
            if (free) held[worker]!++;
          } else if (held[worker]! > 0) {
            places[worker]!.give();
            held[worker]!--;
          }
          expect(observer.sum).toBe(total());
          for (const [index, each] of places.entries()) {
            expect([each.sum, each.own, each.others]).toEqual([
              total(),
              held[index]!,
              total() - held[index]!,
            ]);
          }
        }
      }),
    );
  },
);

describe('a claim of another worker', () => {
  /** As the word of a worker is that was stopped just after it had claimed a place. */
  const CLAIM = (1 << 24) + 1;

  test('is not exceeded, whoever made it', () => {
    for (const claimer of [0, 2]) {
      const { words, places } = workersOf(3);
      words[1 + claimer * STRIDE] = CLAIM;
      expect(places[1]!.take(1)).toBe(false);
      expect(places[1]!.sum).toBe(1);
      expect(places[1]!.take(2)).toBe(true);
      expect(places[1]!.sum).toBe(2);
    }
  });

  test('leaves nothing behind when its word is cleared', () => {
    const { words, places } = workersOf(2);
    words[1] = CLAIM;
    expect(places[1]!.take(1)).toBe(false);
    words[1] = 0;
    expect([places[1]!.take(1), places[1]!.sum]).toEqual([true, 1]);
  });
});

test('without a limit everybody gets a place', () => {
  const { places, observer } = workersOf(3);
  for (const each of places) expect(each.take(Number.POSITIVE_INFINITY)).toBe(true);
  expect(observer.sum).toBe(3);
});

test('a count is the sum of what each adds', () => {
  const { counts } = workersOf(3);
  counts[0]!.add(2);
  counts[2]!.add(5);
  counts[2]!.add(-1);
  expect(counts.map(({ sum, own }) => [sum, own])).toEqual([
    [6, 2],
    [6, 0],
    [6, 4],
  ]);
});
