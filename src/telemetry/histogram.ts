import { bucketUpperMs, SKETCH_BUCKETS, type LatencySketch } from '../model/latency-sketch.ts';

/** Upper bounds of the buckets of every latency histogram, seconds: from a cache hit to a report. */
export const LATENCY_BOUNDS_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** For each bucket of a sketch the first bound that it lies below, by its middle. */
const BOUND_OF_BUCKET: Uint8Array = Uint8Array.from({ length: SKETCH_BUCKETS }, (_, bucket) => {
  const lowerMs = bucket === 0 ? 0 : bucketUpperMs(bucket - 1);
  const middleSeconds = (lowerMs + bucketUpperMs(bucket)) / 2000;
  const bound = LATENCY_BOUNDS_SECONDS.findIndex((upper) => middleSeconds <= upper);
  return bound === -1 ? LATENCY_BOUNDS_SECONDS.length : bound;
});

/**
 * Cumulative counts for `LATENCY_BOUNDS_SECONDS` and, last, for infinity. The bucket of the sketch that a bound cuts goes
 * to the side that its middle is on, so each bound is exact within 3.2 % of its value.
 */
export function cumulativeCounts(sketch: LatencySketch): number[] {
  const counts = Array.from<number>({ length: LATENCY_BOUNDS_SECONDS.length + 1 }).fill(0);
  for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++)
    counts[BOUND_OF_BUCKET[bucket]!]! += sketch.counts[bucket]!;
  for (let i = 1; i < counts.length; i++) counts[i]! += counts[i - 1]!;
  return counts;
}
