import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import type { Random } from '../util/random.ts';

/**
 * Draws endpoints at random by weight: O(1) with equal weights, else a binary search in the running sums. A second,
 * different one is drawn by leaving the first out of the range, never by drawing again, so pairs are unbiased.
 */
export class WeightedSample {
  readonly endpoints: readonly Endpoint[];
  readonly #random: Random;
  /** Sum of the weights up to and including each endpoint. */
  readonly #sums: Float64Array;
  readonly #total: number;
  readonly #equal: boolean;

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints;
    this.#random = random;
    this.#sums = new Float64Array(endpoints.length);
    let total = 0;
    for (let index = 0; index < endpoints.length; index++) {
      total += endpoints[index]!.effectiveWeight;
      this.#sums[index] = total;
    }
    this.#total = total;
    this.#equal = endpoints.every((endpoint) => endpoint.effectiveWeight === endpoints[0]!.effectiveWeight);
  }

  /** Index of one endpoint. There must be at least one. */
  draw(): number {
    if (this.#equal) return (this.#random.next() * this.endpoints.length) | 0;
    return this.#indexAt(this.#random.next() * this.#total);
  }

  /** Index of another endpoint than `index`. There must be at least two. */
  drawOther(index: number): number {
    const count = this.endpoints.length;
    if (this.#equal) {
      const other = (this.#random.next() * (count - 1)) | 0;
      return other >= index ? other + 1 : other;
    }
    const end = this.#sums[index]!;
    const start = index === 0 ? 0 : this.#sums[index - 1]!;
    const at = this.#random.next() * (this.#total - (end - start));
    const other = this.#indexAt(at < start ? at : at + (end - start));
    // Only the rounding of a sum can land on the one left out.
    if (other !== index) return other;
    return index + 1 < count ? index + 1 : index - 1;
  }

  /**
   * Draws among those that can take the request, without `except`; undefined when there is none. Exact but O(n): for when
   * a plain draw hit one that was tried or is full.
   */
  drawTaking(request: PickRequest, except: Endpoint | undefined): Endpoint | undefined {
    let total = 0;
    for (const endpoint of this.endpoints) {
      if (endpoint !== except && canTake(endpoint, request)) total += endpoint.effectiveWeight;
    }
    let at = this.#random.next() * total;
    let last: Endpoint | undefined;
    for (const endpoint of this.endpoints) {
      if (endpoint === except || !canTake(endpoint, request)) continue;
      last = endpoint;
      at -= endpoint.effectiveWeight;
      if (at < 0) break;
    }
    return last;
  }

  /** Chance in percent that a draw gives this endpoint, when none is left out. */
  chancePercent(endpoint: Endpoint): number {
    return (100 * endpoint.effectiveWeight) / this.#total;
  }

  #indexAt(at: number): number {
    let low = 0;
    let high = this.endpoints.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sums[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
