import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import type { Random } from '../util/random.ts';
import { WeightedSample } from './weighted-sample.ts';

/**
 * Two different endpoints at random, by weight, both able to take the request: the sampling of "the power of two
 * choices" (Mitzenmacher 2001). The pair lies in `first` and `second`, so that a draw allocates nothing.
 */
export class PairSample {
  readonly #sample: WeightedSample;
  /** Undefined when no endpoint can take the request. */
  first: Endpoint | undefined = undefined;
  /** Undefined when only one can. */
  second: Endpoint | undefined = undefined;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.#sample = new WeightedSample(endpoints, random);
  }

  draw(request: PickRequest): void {
    const { endpoints } = this.#sample;
    if (endpoints.length > 1) {
      const index = this.#sample.draw();
      const first = endpoints[index]!;
      const second = endpoints[this.#sample.drawOther(index)]!;
      if (canTake(first, request) && canTake(second, request)) {
        this.first = first;
        this.second = second;
        return;
      }
    }
    this.first = this.#sample.drawTaking(request, undefined);
    this.second = this.first === undefined ? undefined : this.#sample.drawTaking(request, this.first);
  }
}
