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
  readonly #boundFactor: number;
  readonly #bound: BoundedLoad;
  readonly #unhashed: RandomTwoPicker;

  constructor(endpoints: readonly Endpoint[], boundFactor: number, random: Random) {
    this.#endpoints = endpoints;
    this.#seeds = seedsOf(endpoints);
    this.#boundFactor = boundFactor;
    this.#bound = new BoundedLoad(endpoints, boundFactor);
    this.#unhashed = new RandomTwoPicker(endpoints, random);
  }

  pick(request: PickRequest): Endpoint | undefined {
    if (request.hash < 0) return this.#unhashed.pick(request);
    this.#bound.begin();
    let within: Endpoint | undefined;
    let withinScore = Number.NEGATIVE_INFINITY;
    let beyond: Endpoint | undefined;
    let beyondScore = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < this.#endpoints.length; index++) {
      const endpoint = this.#endpoints[index]!;
      const below = this.#below(index, request.hash);
      // ln(1 - x) <= -x, so this one cannot win; the logarithm is spared for all but a few.
      if (-below <= withinScore * endpoint.effectiveWeight) continue;
      const score = Math.log1p(-below) / endpoint.effectiveWeight;
      if (score <= withinScore) continue;
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
    const below = this.#below(this.#endpoints.indexOf(endpoint), request.hash);
    const score = Math.log1p(-below) / endpoint.effectiveWeight;
    const meaning = 'score of this address with this endpoint, highest wins';
    this.#bound.begin();
    const obstacle = this.#bound.obstacle(endpoint, request);
    return obstacle === undefined ? { score, meaning } : { score, meaning, obstacle };
  }

  /** How far below 1 the random number of this endpoint and hash is; in (0, 1). */
  #below(index: number, hash: number): number {
    return (mix32(hash ^ this.#seeds[index]!) + 0.5) / 4_294_967_296;
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
