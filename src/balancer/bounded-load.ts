import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, arXiv 1608.01350): with m requests in flight
 * and one more to place, an endpoint of weight w out of W takes at most ceil(factor x (m + 1) x w / W). What is above
 * goes to the next choice of the same hash. As factor is at least 1, someone always has room.
 */
export class BoundedLoad {
  readonly #factor: number;
  /** Sum of the weights. */
  readonly #total: number;
  /** In flight at all of them; -1 before it was asked for. Adding it up over many workers costs more than a pick. */
  #inFlight = -1;

  constructor(endpoints: readonly Endpoint[], factor: number) {
    let total = 0;
    for (const endpoint of endpoints) total += endpoint.effectiveWeight;
    this.#total = total;
    this.#factor = factor;
  }

  /** Another request is to be placed. */
  begin(): void {
    this.#inFlight = -1;
  }

  /** Requests in flight that the endpoint may have, the coming one included. */
  capacity(endpoint: Endpoint): number {
    if (this.#inFlight < 0) this.#inFlight = endpoint.peers.inFlight;
    return Math.ceil((this.#factor * (this.#inFlight + 1) * endpoint.effectiveWeight) / this.#total);
  }

  /** Whether the endpoint can take the request and stays within its bound. */
  admits(endpoint: Endpoint, request: PickRequest): boolean {
    return (
      canTake(endpoint, request) && (endpoint.inFlight === 0 || endpoint.inFlight < this.capacity(endpoint))
    );
  }

  /** For `explain`: why an endpoint that could take the request is passed over; undefined when it is not. */
  obstacle(endpoint: Endpoint, request: PickRequest): string | undefined {
    if (!canTake(endpoint, request) || this.admits(endpoint, request)) return undefined;
    return `at its bounded load (${endpoint.inFlight} in flight of ${this.capacity(endpoint)})`;
  }
}
