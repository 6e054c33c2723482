import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import { hashString, mix32 } from '../util/hash.ts';
import type { Random } from '../util/random.ts';
import { BoundedLoad } from './bounded-load.ts';
import type { Judgement, Policy, PolicyPicker } from './policy.ts';
import { RandomTwoPicker } from './random-two.ts';

/** One number an endpoint, from its name, no two alike. */
function seedsOf(endpoints: readonly Endpoint[]): Uint32Array {
  const used = new Set<number>();
  return Uint32Array.from(endpoints, (endpoint) => {
    let seed = hashString(endpoint.name);
    while (used.has(seed)) seed = mix32(seed + 1);
    used.add(seed);
    return seed;
  });
}

class HighestScorePicker implements PolicyPicker {
  readonly #endpoints: readonly Endpoint[];
  readonly #seeds: Uint32Array;
  readonly #equal: boolean;
  readonly #boundFactor: number;
  readonly #bound: BoundedLoad;
  readonly #unhashed: RandomTwoPicker;

  constructor(endpoints: readonly Endpoint[], boundFactor: number, random: Random) {
    this.#endpoints = endpoints;
    this.#seeds = seedsOf(endpoints);
    this.#equal = endpoints.every((endpoint) => endpoint.effectiveWeight === endpoints[0]!.effectiveWeight);
    this.#boundFactor = boundFactor;
    this.#bound = new BoundedLoad(endpoints, boundFactor);
    this.#unhashed = new RandomTwoPicker(endpoints, random);
  }

  pick(request: PickRequest): Endpoint | undefined {
    if (request.hash < 0) return this.#unhashed.pick(request);
    let within: Endpoint | undefined;
    let withinScore = -1;
    let beyond: Endpoint | undefined;
    let beyondScore = -1;
    for (let index = 0; index < this.#endpoints.length; index++) {
      const score = this.#score(index, request.hash);
      if (score <= withinScore) continue;
      const endpoint = this.#endpoints[index]!;
      if (this.#bound.admits(endpoint, request)) {
        within = endpoint;
        withinScore = score;
      } else if (score > beyondScore && canTake(endpoint, request)) {
        beyond = endpoint;
        beyondScore = score;
      }
    }
    return within ?? beyond;
  }

  fork(random: Random): PolicyPicker {
    return new HighestScorePicker(this.#endpoints, this.#boundFactor, random);
  }

  judge(endpoint: Endpoint, request: PickRequest): Judgement {
    if (request.hash < 0) return this.#unhashed.judge(endpoint);
    const score = this.#score(this.#endpoints.indexOf(endpoint), request.hash);
    const meaning = 'score of this address with this endpoint, highest wins';
    const obstacle = this.#bound.obstacle(endpoint, request);
    return obstacle === undefined ? { score, meaning } : { score, meaning, obstacle };
  }

  /** Above 0. With equal weights the logarithm changes no order and is spared. */
  #score(index: number, hash: number): number {
    const mixed = mix32(hash ^ this.#seeds[index]!);
    if (this.#equal) return mixed;
    return -this.#endpoints[index]!.effectiveWeight / Math.log((mixed + 0.5) / 4_294_967_296);
  }
}

/**
 * `ip-hash`: the same client address, the same endpoint, by weighted rendezvous hashing (Thaler and Ravishankar 1998;
 * weights after Schindelhauer and Schomaker 2005). Exact shares, nothing to build, and only the keys of an endpoint that
 * leaves move; a pick looks at every endpoint, so use `maglev` for hundreds of them.
 */
export const ipHash: Policy = {
  usesLatency: false,
  build: (endpoints, config, deps) => new HighestScorePicker(endpoints, config.hash.boundedLoad, deps.random),
};
