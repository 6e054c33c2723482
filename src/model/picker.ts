import type { Endpoint } from './endpoint.ts';

/** What a policy may know of the request: protocol-free. */
export interface PickRequest {
  /** Hash of what the pool hashes on, an unsigned 32-bit number; -1 when the request does not have it. */
  readonly hash: number;
  /** Endpoints that failed this request already; never picked again. */
  readonly tried: readonly Endpoint[];
}

/**
 * Chooses one of the endpoints it was built with. Immutable membership: swapped whole when the available list changes.
 * It never asks about health; it skips what was tried and what is full (`canTake`), and returns undefined only when
 * nothing is left.
 */
export interface Picker {
  pick(request: PickRequest): Endpoint | undefined;
}

/** Whether this request may go to that endpoint now. */
export function canTake(endpoint: Endpoint, request: PickRequest): boolean {
  return !endpoint.full && (request.tried.length === 0 || !request.tried.includes(endpoint));
}
