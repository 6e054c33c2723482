/** Smallest, middle and largest of a list of figures. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Spread of `values`; of an even count the median is the mean of the two in the middle. NaN when there are none. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return { median: (lower + upper) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The value below which `share` (0 to 1) of `sorted` lies, by nearest rank; NaN when it is empty. */
export function quantile(sorted: Float64Array, share: number): number {
  const rank = Math.ceil(share * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)] ?? Number.NaN;
}

/** `items` turned so that every item takes every place in the order once in `items.length` rounds. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const shift = (items.length - (round % items.length)) % items.length;
  return [...items.slice(shift), ...items.slice(0, shift)];
}
