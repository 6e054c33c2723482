import type { Random } from '../util/random.ts';

/** One pool of a weighted choice. An arm of weight 0 takes only what is bound to it. */
export interface WeightedArm<P> {
  readonly pool: P;
  readonly weight: number;
}

/** A weighted choice between pools. */
export interface WeightedArms<P> {
  readonly arms: readonly WeightedArm<P>[];
  /** Sum of the weights, above 0. */
  readonly totalWeight: number;
}

/**
 * Compiles a split. `pool` turns a name into what the caller links pools to.
 * @throws RangeError when no arm has a weight, which the configuration check refuses.
 */
export function compileArms<P>(
  split: readonly WeightedArm<string>[],
  pool: (name: string) => P,
): WeightedArms<P> {
  const totalWeight = split.reduce((sum, { weight }) => sum + weight, 0);
  if (totalWeight === 0) throw new RangeError('every arm of the split has weight 0');
  return { arms: split.map((arm) => ({ pool: pool(arm.pool), weight: arm.weight })), totalWeight };
}

/** Draws an arm at random, by weight. */
export function drawArm<P>({ arms, totalWeight }: WeightedArms<P>, random: Random): P {
  let left = random.next() * totalWeight;
  for (let index = 0; index < arms.length; index++) {
    left -= arms[index]!.weight;
    if (left < 0) return arms[index]!.pool;
  }
  return arms.findLast((arm) => arm.weight > 0)!.pool;
}
