import type { Endpoint } from '../model/endpoint.ts';
import type { PickRequest } from '../model/picker.ts';
import type { Judgement, Policy, PolicyPicker } from './policy.ts';
import { SmoothRotation } from './smooth-rotation.ts';

class RoundRobinPicker implements PolicyPicker {
  readonly rotation: SmoothRotation;

  constructor(rotation: SmoothRotation) {
    this.rotation = rotation;
  }

  pick(request: PickRequest): Endpoint | undefined {
    return this.rotation.next(request);
  }

  fork(): PolicyPicker {
    return new RoundRobinPicker(this.rotation.copy());
  }

  judge(endpoint: Endpoint): Judgement {
    return { score: this.rotation.standing(endpoint), meaning: 'current weight, highest wins' };
  }
}

/** `round-robin`: in turn, by weight, evenly spread over the round. A reload or a change of health does not restart it. */
export const roundRobin: Policy = {
  usesLatency: false,
  build(endpoints: readonly Endpoint[], _config, deps, previous): PolicyPicker {
    const before = previous instanceof RoundRobinPicker ? previous.rotation : undefined;
    return new RoundRobinPicker(new SmoothRotation(endpoints, before, deps.turns));
  },
};
