import type { Endpoint } from '../model/endpoint.ts';
import type { PickRequest } from '../model/picker.ts';
import { SmoothRotation } from './smooth-rotation.ts';

const NOT_OFFERED = Number.POSITIVE_INFINITY;

/**
 * The exact minimum over a list of endpoints. Equal ones take turns by weight (never "the first": that would pile an idle
 * pool's traffic on one). For each pick: `begin`; `offer` or `withhold` every index; `choose`.
 */
export class LeastOf {
  readonly endpoints: readonly Endpoint[];
  readonly #rotation: SmoothRotation;
  /** Load offered for each endpoint in this pick. */
  readonly #loads: Float64Array;
  #least = NOT_OFFERED;
  #index = -1;
  #ties = 0;

  /** @param turns That count as taken among equal ones, without `previous`. */
  constructor(endpoints: readonly Endpoint[], previous?: LeastOf, turns = 0) {
    this.endpoints = endpoints;
    this.#rotation = new SmoothRotation(
      endpoints,
      previous === undefined ? undefined : previous.#rotation,
      turns,
    );
    this.#loads = new Float64Array(endpoints.length);
  }

  /** One with nothing in flight, of which there can be none with less, as far as it is found quickly; without `begin`. */
  idle(request: PickRequest): Endpoint | undefined {
    return this.#rotation.nextIdle(request);
  }

  begin(): void {
    this.#least = NOT_OFFERED;
    this.#ties = 0;
  }

  /** `load` must be finite. */
  offer(index: number, load: number): void {
    this.#loads[index] = load;
    if (load > this.#least) return;
    if (load === this.#least) this.#ties++;
    else {
      this.#least = load;
      this.#index = index;
      this.#ties = 1;
    }
  }

  /** This one cannot take the request. */
  withhold(index: number): void {
    this.#loads[index] = NOT_OFFERED;
  }

  /** The one with the least load; undefined when none was offered. */
  choose(): Endpoint | undefined {
    if (this.#ties === 0) return undefined;
    return this.#ties === 1
      ? this.endpoints[this.#index]
      : this.#rotation.nextWithLoad(this.#loads, this.#least);
  }

  /** An independent one that stands where this one does. */
  copy(): LeastOf {
    return new LeastOf(this.endpoints, this);
  }
}
