import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import type { Judgement, Policy, PolicyPicker } from './policy.ts';

class FirstPicker implements PolicyPicker {
  readonly #endpoints: readonly Endpoint[];

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
  }

  pick(request: PickRequest): Endpoint | undefined {
    for (const endpoint of this.#endpoints) if (canTake(endpoint, request)) return endpoint;
    return undefined;
  }

  fork(): PolicyPicker {
    return this;
  }

  judge(endpoint: Endpoint): Judgement {
    return {
      score: this.#endpoints.indexOf(endpoint) + 1,
      meaning: 'place in the list, first that is not full wins',
    };
  }
}

/** `first`: the first in the order of the file until it is full (`maxConnections`), then the next. Weights do not matter. */
export const first: Policy = {
  usesLatency: false,
  build: (endpoints) => new FirstPicker(endpoints),
};
