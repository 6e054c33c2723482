const SUB_BUCKETS = 16;
const OCTAVES = 26;
/** Smallest value told apart, milliseconds. */
const UNIT_MS = 1 / 64;

/** Buckets of a sketch: 16 for each doubling, from 1/64 ms to over 17 minutes. */
export const SKETCH_BUCKETS: number = SUB_BUCKETS * OCTAVES;

const scratch = new Float64Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Bucket of a latency: octave from the exponent of the double, 16 linear steps from its mantissa. */
function bucketOf(ms: number): number {
  scratch[0] = ms / UNIT_MS + 1;
  const high = scratchBits[1]!;
  const bucket = (((high >>> 20) & 0x7ff) - 1023) * SUB_BUCKETS + ((high >>> 16) & 15);
  return bucket < 0 ? 0 : bucket >= SKETCH_BUCKETS ? SKETCH_BUCKETS - 1 : bucket;
}

/** Upper bound of a bucket in milliseconds. */
export function bucketUpperMs(bucket: number): number {
  const octave = Math.floor(bucket / SUB_BUCKETS);
  return (2 ** octave * (1 + ((bucket % SUB_BUCKETS) + 1) / SUB_BUCKETS) - 1) * UNIT_MS;
}

/** 64-bit words of memory that a sketch needs. */
export const SKETCH_WORDS: number = SKETCH_BUCKETS + 2;

/**
 * Latency distribution in log-linear buckets (the idea of HDR histograms): quantiles within 6.25 %, fixed memory,
 * and two sketches merge or subtract by adding or subtracting their words.
 */
export class LatencySketch {
  readonly counts: Float64Array;
  /** Count and sum. */
  readonly #sums: Float64Array;

  /** @param words `SKETCH_WORDS` of them, with what was recorded before. */
  constructor(words: Float64Array = new Float64Array(SKETCH_WORDS)) {
    this.counts = words.subarray(0, SKETCH_BUCKETS);
    this.#sums = words.subarray(SKETCH_BUCKETS, SKETCH_WORDS);
  }

  get count(): number {
    return this.#sums[0]!;
  }

  get sumMs(): number {
    return this.#sums[1]!;
  }

  record(ms: number): void {
    this.counts[bucketOf(ms)]!++;
    this.#sums[0]!++;
    this.#sums[1]! += ms;
  }
}

/** The `q` quantile (0 to 1) of bucket counts, in milliseconds; 0 when there are none. */
export function quantileMs(counts: Float64Array, q: number): number {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket]!;
  if (total === 0) return 0;
  const rank = Math.max(1, Math.ceil(q * total));
  let seen = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    seen += counts[bucket]!;
    if (seen >= rank) return bucketUpperMs(bucket);
  }
  return bucketUpperMs(counts.length - 1);
}
