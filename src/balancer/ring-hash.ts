import type { Endpoint } from '../model/endpoint.ts';
import { hashString, mix32 } from '../util/hash.ts';
import { buildHashPicker, type HashTable } from './hash-picker.ts';
import type { Policy } from './policy.ts';

/** Points of all endpoints together; above, everyone gets proportionally fewer. Keeps a rebuild in milliseconds. */
const MAX_POINTS = 262_144;
/** More endpoints than any pool has; with a 32-bit place above it, a number stays exact. */
const OWNERS = 2 ** 21;

class Ring implements HashTable {
  /** Ascending places on the circle. */
  readonly #points: Uint32Array;
  readonly owners: Uint32Array;

  constructor(endpoints: readonly Endpoint[], pointsPerWeight: number) {
    let wanted = 0;
    for (const endpoint of endpoints) wanted += endpoint.effectiveWeight * pointsPerWeight;
    const perWeight = pointsPerWeight * Math.min(1, MAX_POINTS / wanted);
    const counts = endpoints.map((endpoint) => Math.max(1, Math.round(endpoint.effectiveWeight * perWeight)));
    const total = counts.reduce((sum, count) => sum + count, 0);
    // Place and owner in one double (32 and at most 21 bits), so that they are sorted together as plain numbers.
    const packed = new Float64Array(total);
    let at = 0;
    for (const [owner, endpoint] of endpoints.entries()) {
      // Point k depends on name and k alone: a heavier endpoint has the same points and more.
      const seed = hashString(endpoint.name);
      for (let k = 0; k < counts[owner]!; k++) {
        packed[at++] = mix32(seed ^ mix32(k)) * OWNERS + owner;
      }
    }
    packed.sort();
    this.#points = new Uint32Array(total);
    this.owners = new Uint32Array(total);
    for (let index = 0; index < total; index++) {
      const point = Math.floor(packed[index]! / OWNERS);
      this.#points[index] = point;
      this.owners[index] = packed[index]! - point * OWNERS;
    }
  }

  /** The first point at or after the hash, around the circle. */
  locate(hash: number): number {
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (points[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low === points.length ? 0 : low;
  }
}

/**
 * `ring-hash`: consistent hashing on a ring (Karger et al. 1997) with many points an endpoint, as in ketama: 160 for each
 * unit of weight. When an endpoint leaves, only its own keys move; its load is spread over all others.
 */
export const ringHash: Policy = {
  usesLatency: false,
  build(endpoints, config, deps, previous) {
    const { pointsPerWeight } = config.hash;
    return buildHashPicker(endpoints, config, deps, previous, {
      parameters: `ring ${pointsPerWeight}`,
      make: (ordered) => new Ring(ordered, pointsPerWeight),
    });
  },
};
