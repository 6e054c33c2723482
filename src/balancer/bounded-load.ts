import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, arXiv 1608.01350): with m requests in flight
 * and one more to place, an endpoint of weight w out of W takes at most ceil(factor x (m + 1) x w / W). What is above
 * goes to the next choice of the same hash. As factor is at least 1, someone always has room.
 */
export class BoundedLoad {
  readonly #factorPerWeight: number;

  constructor(endpoints: readonly Endpoint[], factor: number) {
    let total = 0;
    for (const endpoint of endpoints) total += endpoint.effectiveWeight;
    this.#factorPerWeight = factor / total;
  }

  /** Requests in flight that the endpoint may have, the coming one included. */
  capacity(endpoint: Endpoint): number {
    const share = this.#factorPerWeight * endpoint.effectiveWeight * (endpoint.peers.inFlight + 1);
    // The subtraction keeps a product such as 3.0000000000000004 from becoming 4.
    return Math.ceil(share - 1e-9);
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
