import { Places } from './places.ts';
import { privateWords, SharedCount } from './shared-count.ts';

/**
 * The memory behind one object of the model. Counts are what is under way now, summed over all workers and cleared when one dies;
 * totals only ever grow, and each process has its own record of them: a worker the one that it writes, the supervisor the sum.
 */
interface Cells<Counts> {
  readonly counts: Counts;
  readonly totals: Float64Array;
}

/** What is under way in a pool. */
export interface PoolCounts {
  /** Exchanges and sessions routed to the pool that have not ended. */
  readonly activeRequests: SharedCount;
  /** Retries under way, for the budget. */
  readonly activeRetries: Places;
  /** Requests that wait in the queue. */
  readonly queued: Places;
}

/** What is under way at an endpoint. */
export interface EndpointCounts {
  /** Requests and sessions, from the pick to the end of the response or tunnel. Changed by `balancer/flow.ts` alone. */
  readonly inFlight: Places;
  /** Those of them that are tunnels. */
  readonly tunnels: SharedCount;
  /** Those of them that are TCP or UDP sessions. */
  readonly sessions: SharedCount;
}

/** What is under way at a listener. */
export interface ListenerCounts {
  /** Client connections open now. */
  readonly connections: Places;
  /** Upgraded connections open now. */
  readonly tunnels: SharedCount;
}

export type PoolCells = Cells<PoolCounts>;
export type EndpointCells = Cells<EndpointCounts>;
export type ListenerCells = Cells<ListenerCounts>;

function privateCount(): SharedCount {
  return new SharedCount(privateWords());
}

function privatePlaces(): Places {
  return new Places(privateWords());
}

// Cells of this process alone, for what is not shared: tests, simulation, `explain`.

/** @param totals Words of counters. */
export function privatePool(totals: number): PoolCells {
  const counts = {
    activeRequests: privateCount(),
    activeRetries: privatePlaces(),
    queued: privatePlaces(),
  };
  return { counts, totals: new Float64Array(totals) };
}

/** @param totals Words of counters. */
export function privateEndpoint(totals: number): EndpointCells {
  return {
    counts: { inFlight: privatePlaces(), tunnels: privateCount(), sessions: privateCount() },
    totals: new Float64Array(totals),
  };
}

/** @param totals Words of counters. */
export function privateListener(totals: number): ListenerCells {
  return {
    counts: { connections: privatePlaces(), tunnels: privateCount() },
    totals: new Float64Array(totals),
  };
}
