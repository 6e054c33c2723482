/** 64-bit words of memory that the counters of a pool need. */
export const POOL_TOTALS = 6;

/** Counters of one pool since the start, kept as those of an endpoint are. */
export class PoolStats {
  readonly #totals: Float64Array;

  /** @param totals `POOL_TOTALS` words, with what was counted before. */
  constructor(totals: Float64Array) {
    this.#totals = totals;
  }

  /** Exchanges and sessions that were routed to the pool. */
  get requests(): number {
    return this.#totals[0]!;
  }

  set requests(count: number) {
    this.#totals[0] = count;
  }

  /** Retries that were begun. */
  get retries(): number {
    return this.#totals[1]!;
  }

  set retries(count: number) {
    this.#totals[1] = count;
  }

  /** Retries that the budget refused. */
  get retriesDenied(): number {
    return this.#totals[2]!;
  }

  set retriesDenied(count: number) {
    this.#totals[2] = count;
  }

  /** Requests that found the queue full. */
  get queueFull(): number {
    return this.#totals[3]!;
  }

  set queueFull(count: number) {
    this.#totals[3] = count;
  }

  /** Requests that waited in the queue for too long. */
  get queueTimeouts(): number {
    return this.#totals[4]!;
  }

  set queueTimeouts(count: number) {
    this.#totals[4] = count;
  }

  /** Requests for which there was no endpoint. */
  get noEndpoint(): number {
    return this.#totals[5]!;
  }

  set noEndpoint(count: number) {
    this.#totals[5] = count;
  }
}
