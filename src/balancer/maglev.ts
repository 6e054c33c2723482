import type { Endpoint } from '../model/endpoint.ts';
import { hashString } from '../util/hash.ts';
import { buildHashPicker, type HashTable } from './hash-picker.ts';
import type { Policy } from './policy.ts';

const SKIP_SEED = 0x5bd1e995;

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return value > 1;
}

/** The smallest prime that is not below `size`. */
export function primeFrom(size: number): number {
  let candidate = size;
  while (!isPrime(candidate)) candidate++;
  return candidate;
}

class MaglevTable implements HashTable {
  readonly owners: Uint32Array;

  /** `size` must be prime: only then does every endpoint's walk visit every slot. */
  constructor(endpoints: readonly Endpoint[], size: number) {
    const owners = new Uint32Array(size);
    const count = endpoints.length;
    this.owners = owners;
    if (count === 0) return;
    const taken = new Uint8Array(size);
    const slot = new Uint32Array(count);
    const skip = new Uint32Array(count);
    const weights = new Float64Array(count);
    const credit = new Float64Array(count);
    let heaviest = 0;
    for (const [index, endpoint] of endpoints.entries()) {
      slot[index] = hashString(endpoint.name) % size;
      skip[index] = (hashString(endpoint.name, SKIP_SEED) % (size - 1)) + 1;
      weights[index] = endpoint.effectiveWeight;
      heaviest = Math.max(heaviest, endpoint.effectiveWeight);
    }
    for (let filled = 0; filled < size;) {
      for (let index = 0; index < count && filled < size; index++) {
        // The heaviest has a turn in every round; one of a third of its weight in every third.
        credit[index]! += weights[index]!;
        if (credit[index]! < heaviest) continue;
        credit[index]! -= heaviest;
        let free = slot[index]!;
        while (taken[free] === 1) free = (free + skip[index]!) % size;
        taken[free] = 1;
        owners[free] = index;
        filled++;
        slot[index] = (free + skip[index]!) % size;
      }
    }
  }

  locate(hash: number): number {
    return hash % this.owners.length;
  }
}

/**
 * `maglev`: consistent hashing by table (Eisenbud et al., NSDI 2016, section 3.4). A choice is one array access, shares are
 * even to a fraction of a percent, and the table is the same on every balancer. When an endpoint leaves, a few keys of
 * the others move too (below 1 %); with ring-hash none do.
 */
export const maglev: Policy = {
  usesLatency: false,
  build(endpoints, config, deps, previous) {
    const size = primeFrom(config.hash.tableSize);
    return buildHashPicker(endpoints, config, deps, previous, {
      parameters: `maglev ${size}`,
      make: (ordered) => new MaglevTable(ordered, size),
    });
  },
};
