import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';

/**
 * Smooth weighted rotation, nginx's algorithm: every turn each candidate gains its weight, the highest goes and pays what
 * all gained together. Weights 5, 1, 1 give `a a b a c a a`, not five times `a` in a row.
 *
 * The current weights always sum to 0, and over a period of sum/gcd turns each endpoint has exactly weight/gcd of them.
 */
export class SmoothRotation {
  readonly #endpoints: readonly Endpoint[];
  readonly #current: Float64Array;
  /** Sum of the weights. */
  readonly #total: number;

  /** Starts level, or where `previous` stood for the endpoints that both have. */
  constructor(endpoints: readonly Endpoint[], previous?: SmoothRotation) {
    this.#endpoints = endpoints;
    this.#current = new Float64Array(endpoints.length);
    let total = 0;
    for (const endpoint of endpoints) total += endpoint.effectiveWeight;
    this.#total = total;
    if (previous !== undefined) this.#takeOver(previous);
  }

  /** The next of those that can take the request. */
  next(request: PickRequest): Endpoint | undefined {
    const endpoints = this.#endpoints;
    const current = this.#current;
    let total = 0;
    let best = -1;
    let highest = 0;
    for (let index = 0; index < endpoints.length; index++) {
      const endpoint = endpoints[index]!;
      if (!canTake(endpoint, request)) continue;
      total += endpoint.effectiveWeight;
      const gained = current[index]! + endpoint.effectiveWeight;
      current[index] = gained;
      if (best >= 0 && gained <= highest) continue;
      best = index;
      highest = gained;
    }
    if (best < 0) return undefined;
    current[best] = highest - total;
    return endpoints[best];
  }

  /** The next of those whose entry in `loads` is `load`; there must be one. */
  nextWithLoad(loads: Float64Array, load: number): Endpoint | undefined {
    const endpoints = this.#endpoints;
    const current = this.#current;
    let total = 0;
    let best = -1;
    let highest = 0;
    for (let index = 0; index < endpoints.length; index++) {
      if (loads[index] !== load) continue;
      const weight = endpoints[index]!.effectiveWeight;
      total += weight;
      const gained = current[index]! + weight;
      current[index] = gained;
      if (best >= 0 && gained <= highest) continue;
      best = index;
      highest = gained;
    }
    current[best] = highest - total;
    return endpoints[best];
  }

  /** Current weights in the order of the endpoints, for `explain` and tests. */
  get currentWeights(): readonly number[] {
    return [...this.#current];
  }

  /** What the endpoint would have in the coming turn; the highest goes. */
  standing(endpoint: Endpoint): number {
    return this.#current[this.#endpoints.indexOf(endpoint)]! + endpoint.effectiveWeight;
  }

  /** An independent rotation that stands where this one does. */
  copy(): SmoothRotation {
    return new SmoothRotation(this.#endpoints, this);
  }

  /**
   * Phases are kept in units of the whole: with half of the total weight gone they are halved, else one that had paid for
   * a long round would starve in a short one. Then they are shifted to sum to 0 again.
   */
  #takeOver(previous: SmoothRotation): void {
    const indexBefore = new Map<Endpoint, number>();
    for (const [index, endpoint] of previous.#endpoints.entries()) indexBefore.set(endpoint, index);
    const scale = this.#total / previous.#total;
    let sum = 0;
    for (const [index, endpoint] of this.#endpoints.entries()) {
      const before = indexBefore.get(endpoint);
      if (before === undefined) continue;
      const phase = previous.#current[before]! * scale;
      this.#current[index] = phase;
      sum += phase;
    }
    const shift = sum / this.#endpoints.length;
    if (shift === 0) return;
    for (let index = 0; index < this.#current.length; index++) this.#current[index]! -= shift;
  }
}
