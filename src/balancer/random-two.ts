import type { Endpoint } from '../model/endpoint.ts';
import type { PickRequest } from '../model/picker.ts';
import type { Random } from '../util/random.ts';
import { PairSample } from './pair-sample.ts';
import type { Judgement, Policy, PolicyPicker } from './policy.ts';

/** Picks for `random-two`, and for the hashing policies when a request has nothing to hash. */
export class RandomTwoPicker implements PolicyPicker {
  readonly #endpoints: readonly Endpoint[];
  readonly #pair: PairSample;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.#endpoints = endpoints;
    this.#pair = new PairSample(endpoints, random);
  }

  pick(request: PickRequest): Endpoint | undefined {
    const pair = this.#pair;
    pair.draw(request);
    const { first, second } = pair;
    if (first === undefined || second === undefined) return first;
    return second.inFlight * first.effectiveWeight < first.inFlight * second.effectiveWeight ? second : first;
  }

  fork(random: Random): PolicyPicker {
    return new RandomTwoPicker(this.#endpoints, random);
  }

  judge(endpoint: Endpoint): Judgement {
    return {
      score: endpoint.inFlight / endpoint.effectiveWeight,
      meaning: 'in flight / weight, lower of two drawn by chance wins',
    };
  }
}

/**
 * `random-two`: two endpoints by chance, the less loaded one wins. As even as least-connections for a large pool at a
 * constant cost, and without a herd when several balancers look at the same endpoints.
 *
 * An endpoint of weight w counts as w endpoints of weight 1: it is drawn w times as often, and its load is shared by w.
 * Only then do the weights hold both in an idle pool (where every pair is a tie) and in a busy one.
 */
export const randomTwo: Policy = {
  usesLatency: false,
  build: (endpoints, _config, deps) => new RandomTwoPicker(endpoints, deps.random),
};
