import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import { LeastOf } from './least-of.ts';
import type { Judgement, Policy, PolicyPicker } from './policy.ts';

class LeastConnectionsPicker implements PolicyPicker {
  readonly least: LeastOf;

  constructor(least: LeastOf) {
    this.least = least;
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { least } = this;
    const { endpoints } = least;
    // Of a thousand endpoints many are idle, as a rule: no need to look at all.
    const idle = least.idle(request);
    if (idle !== undefined) return idle;
    least.begin();
    for (let index = 0; index < endpoints.length; index++) {
      const endpoint = endpoints[index]!;
      // Exact for ties: equal fractions divide to the same double.
      if (canTake(endpoint, request)) least.offer(index, endpoint.inFlight / endpoint.effectiveWeight);
      else least.withhold(index);
    }
    return least.choose();
  }

  fork(): PolicyPicker {
    return new LeastConnectionsPicker(this.least.copy());
  }

  judge(endpoint: Endpoint): Judgement {
    return {
      score: endpoint.inFlight / endpoint.effectiveWeight,
      meaning: 'in flight / weight, least wins, equals take turns',
    };
  }
}

/**
 * `least-connections`: the exact minimum of requests in flight per weight, as nginx does it. In flight counts from the
 * pick, so a request that still waits for its connection weighs as much as one that is being answered, and an endpoint
 * slow to accept does not collect a pile.
 *
 * A pick looks at every endpoint, unless one of the next in turn is idle and all weights are equal.
 */
export const leastConnections: Policy = {
  usesLatency: false,
  build(endpoints, _config, deps, previous) {
    const before = previous instanceof LeastConnectionsPicker ? previous.least : undefined;
    return new LeastConnectionsPicker(new LeastOf(endpoints, before, deps.turns));
  },
};
