/**
 * Token buckets by key, as the generic cell rate algorithm (ITU-T I.371): one number a key, the theoretical arrival time
 * of its next request if all came evenly. Bounded: the key that was seen longest ago makes room for a new one.
 */
export class TokenTable {
  /** Time that one request uses up. */
  readonly #intervalMs: number;
  /** How far the theoretical time may be ahead of the real one. */
  readonly #toleranceMs: number;
  readonly #maxKeys: number;
  /** In the order in which keys were seen last. */
  readonly #arrivals = new Map<string, number>();
  /** Keys that were forgotten while they still mattered: their next requests are let through too early. */
  forgotten = 0;

  /**
   * @param intervalMs Milliseconds a token takes to come back.
   * @param burst Tokens that a bucket holds, 1 or more.
   */
  constructor(intervalMs: number, burst: number, maxKeys: number) {
    this.#intervalMs = intervalMs;
    this.#toleranceMs = intervalMs * burst;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#arrivals.size;
  }

  /**
   * Takes a token.
   * @returns 0 when there was one; else the milliseconds until there is, and nothing was taken.
   */
  take(key: string, nowMs: number): number {
    const arrivals = this.#arrivals;
    const known = arrivals.get(key);
    const start = known === undefined || known < nowMs ? nowMs : known;
    const next = start + this.#intervalMs;
    const waitMs = next - nowMs - this.#toleranceMs;
    // Sums of fractions: a token that is there but for rounding is there.
    if (waitMs > 1e-6) {
      arrivals.delete(key);
      arrivals.set(key, start);
      return waitMs;
    }
    if (known !== undefined) arrivals.delete(key);
    else if (arrivals.size >= this.#maxKeys) this.#forgetOldest(nowMs);
    arrivals.set(key, next);
    return 0;
  }

  #forgetOldest(nowMs: number): void {
    for (const [key, arrivalMs] of this.#arrivals) {
      this.#arrivals.delete(key);
      if (arrivalMs > nowMs) this.forgotten++;
      return;
    }
  }
}
