import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import type { Random } from '../util/random.ts';
import type { Judgement, Policy, PolicyPicker } from './policy.ts';
import { WeightedSample } from './weighted-sample.ts';

class RandomPicker implements PolicyPicker {
  readonly #sample: WeightedSample;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.#sample = new WeightedSample(endpoints, random);
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { endpoints } = this.#sample;
    if (endpoints.length === 0) return undefined;
    const endpoint = endpoints[this.#sample.draw()]!;
    return canTake(endpoint, request) ? endpoint : this.#sample.drawTaking(request, undefined);
  }

  fork(random: Random): PolicyPicker {
    return new RandomPicker(this.#sample.endpoints, random);
  }

  judge(endpoint: Endpoint): Judgement {
    return { score: this.#sample.chancePercent(endpoint), meaning: 'chance in percent' };
  }
}

/** `random`: by chance, in proportion to the weights. Load does not matter. */
export const random: Policy = {
  usesLatency: false,
  build: (endpoints, _config, deps) => new RandomPicker(endpoints, deps.random),
};
