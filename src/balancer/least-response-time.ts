import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';
import { LeastOf } from './least-of.ts';
import { PairSample } from './pair-sample.ts';
import type { Judgement, Policy, PolicyDeps, PolicyPicker } from './policy.ts';

/**
 * Up to so many endpoints are compared one by one; of more, two by chance. In a small pool sampling wastes much: with
 * three endpoints of which two are slow, every third pair holds no good one. In a large pool the minimum of all costs an
 * exponential for each endpoint, and sends every balancer of a group to the same one.
 */
const COMPARE_ALL_UP_TO = 8;

function loadOf(endpoint: Endpoint, nowMs: number): number {
  return (endpoint.latency?.cost(endpoint.inFlight, nowMs) ?? 0) / endpoint.effectiveWeight;
}

const MEANING = 'expected ms x (in flight + 1) / weight';

class LeastOfAllPicker implements PolicyPicker {
  readonly least: LeastOf;
  readonly #clock: Clock;

  constructor(least: LeastOf, clock: Clock) {
    this.least = least;
    this.#clock = clock;
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { least } = this;
    const { endpoints } = least;
    const nowMs = this.#clock.nowMs();
    least.begin();
    for (let index = 0; index < endpoints.length; index++) {
      const endpoint = endpoints[index]!;
      if (canTake(endpoint, request)) least.offer(index, loadOf(endpoint, nowMs));
      else least.withhold(index);
    }
    return least.choose();
  }

  fork(): PolicyPicker {
    return new LeastOfAllPicker(this.least.copy(), this.#clock);
  }

  judge(endpoint: Endpoint): Judgement {
    return { score: loadOf(endpoint, this.#clock.nowMs()), meaning: `${MEANING}, least wins` };
  }
}

class LesserOfTwoPicker implements PolicyPicker {
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  readonly #pair: PairSample;

  constructor(endpoints: readonly Endpoint[], deps: PolicyDeps) {
    this.#endpoints = endpoints;
    this.#clock = deps.clock;
    this.#pair = new PairSample(endpoints, deps.random);
  }

  pick(request: PickRequest): Endpoint | undefined {
    const pair = this.#pair;
    pair.draw(request);
    const { first, second } = pair;
    if (first === undefined || second === undefined) return first;
    const nowMs = this.#clock.nowMs();
    return loadOf(second, nowMs) < loadOf(first, nowMs) ? second : first;
  }

  fork(random: Random): PolicyPicker {
    return new LesserOfTwoPicker(this.#endpoints, { clock: this.#clock, random });
  }

  judge(endpoint: Endpoint): Judgement {
    return {
      score: loadOf(endpoint, this.#clock.nowMs()),
      meaning: `${MEANING}, lower of two drawn by chance wins`,
    };
  }
}

/** `least-response-time`: where an answer is expected soonest, by peak-EWMA latency and requests in flight. */
export const leastResponseTime: Policy = {
  usesLatency: true,
  build(endpoints, _config, deps, previous) {
    if (endpoints.length > COMPARE_ALL_UP_TO) return new LesserOfTwoPicker(endpoints, deps);
    const before = previous instanceof LeastOfAllPicker ? previous.least : undefined;
    return new LeastOfAllPicker(new LeastOf(endpoints, before, deps.turns), deps.clock);
  },
};
