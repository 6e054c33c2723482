import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';

/** How far `nextIdle` looks. */
const IDLE_STEPS = 16;

/**
 * Smooth weighted rotation, nginx's algorithm: every turn each candidate gains its weight, the highest goes and pays what
 * all gained together. Weights 5, 1, 1 give `a a b a c a a`, not five times `a` in a row.
 *
 * The current weights always sum to 0, and over a period of sum/gcd turns each endpoint has exactly weight/gcd of them.
 * With equal weights that is plain turns in order, for which one cursor does in O(1).
 */
export class SmoothRotation {
  readonly #endpoints: readonly Endpoint[];
  /** Sum of the weights. */
  readonly #total: number;
  readonly #equal: boolean;
  /** Current weight of each endpoint; unused with equal weights. */
  readonly #current: Float64Array;
  /** Index of the next one, with equal weights. */
  #cursor = 0;

  /**
   * Starts where `previous` stood for the endpoints that both have; without it, where it would stand after so many turns.
   * @param turns 0 or more.
   */
  constructor(endpoints: readonly Endpoint[], previous?: SmoothRotation, turns = 0) {
    this.#endpoints = endpoints;
    let total = 0;
    let equal = true;
    for (const endpoint of endpoints) {
      total += endpoint.effectiveWeight;
      equal &&= endpoint.effectiveWeight === endpoints[0]!.effectiveWeight;
    }
    this.#total = total;
    this.#equal = equal;
    this.#current = new Float64Array(endpoints.length);
    if (previous !== undefined) this.#takeOver(previous);
    else if (endpoints.length > 0) this.#skip(turns);
  }

  /** The next of those that can take the request. */
  next(request: PickRequest): Endpoint | undefined {
    const endpoints = this.#endpoints;
    if (this.#equal) {
      for (let step = 0; step < endpoints.length; step++) {
        const endpoint = endpoints[this.#advance()]!;
        if (canTake(endpoint, request)) return endpoint;
      }
      return undefined;
    }
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

  /**
   * The next that has nothing in flight and can take the request, when it is among the next few and all weights are equal; else undefined,
   * and nobody's turn has passed.
   */
  nextIdle(request: PickRequest): Endpoint | undefined {
    if (!this.#equal) return undefined;
    const endpoints = this.#endpoints;
    const steps = Math.min(endpoints.length, IDLE_STEPS);
    for (let step = 0, index = this.#cursor; step < steps; step++) {
      const endpoint = endpoints[index]!;
      index = index + 1 === endpoints.length ? 0 : index + 1;
      if (endpoint.inFlight > 0 || !canTake(endpoint, request)) continue;
      this.#cursor = index;
      return endpoint;
    }
    return undefined;
  }

  /** The next of those whose entry in `loads` is `load`. */
  nextWithLoad(loads: Float64Array, load: number): Endpoint | undefined {
    const endpoints = this.#endpoints;
    if (this.#equal) {
      for (let step = 0; step < endpoints.length; step++) {
        const index = this.#advance();
        if (loads[index] === load) return endpoints[index];
      }
      return undefined;
    }
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
    if (best < 0) return undefined;
    current[best] = highest - total;
    return endpoints[best];
  }

  /** Current weights in the order of the endpoints. */
  currentWeights(): Float64Array {
    if (!this.#equal || this.#endpoints.length === 0) return this.#current.slice();
    // What they would be after `cursor` turns in order: those that had one have paid for all.
    const weight = this.#endpoints[0]!.effectiveWeight;
    const count = this.#endpoints.length;
    return this.#current.map(
      (_, index) => (index < this.#cursor ? this.#cursor - count : this.#cursor) * weight,
    );
  }

  /** What the endpoint would have in the coming turn; the highest goes. */
  standing(endpoint: Endpoint): number {
    return this.currentWeights()[this.#endpoints.indexOf(endpoint)]! + endpoint.effectiveWeight;
  }

  /** An independent rotation that stands where this one does. */
  copy(): SmoothRotation {
    return new SmoothRotation(this.#endpoints, this);
  }

  #skip(turns: number): void {
    const endpoints = this.#endpoints;
    if (this.#equal) {
      this.#cursor = turns % endpoints.length;
      return;
    }
    const current = this.#current;
    for (let turn = 0; turn < turns; turn++) {
      let best = 0;
      for (let index = 0; index < endpoints.length; index++) {
        current[index]! += endpoints[index]!.effectiveWeight;
        if (current[index]! > current[best]!) best = index;
      }
      current[best]! -= this.#total;
    }
  }

  #advance(): number {
    const index = this.#cursor;
    this.#cursor = index + 1 === this.#endpoints.length ? 0 : index + 1;
    return index;
  }

  /**
   * Phases are kept in units of the whole: with half of the total weight gone they are halved, else one that had paid for
   * a long round would starve in a short one. Then they are shifted to sum to 0 again.
   */
  #takeOver(previous: SmoothRotation): void {
    const before = new Map<Endpoint, number>();
    const phases = previous.currentWeights();
    for (const [index, endpoint] of previous.#endpoints.entries()) before.set(endpoint, phases[index]!);
    const scale = this.#total / previous.#total;
    let sum = 0;
    for (const [index, endpoint] of this.#endpoints.entries()) {
      const phase = (before.get(endpoint) ?? 0) * scale;
      this.#current[index] = phase;
      sum += phase;
    }
    const shift = sum / this.#endpoints.length;
    let furthest = 0;
    for (let index = 0; index < this.#endpoints.length; index++) {
      this.#current[index]! -= shift;
      if (this.#current[index]! > this.#current[furthest]!) furthest = index;
    }
    this.#cursor = furthest;
  }
}
