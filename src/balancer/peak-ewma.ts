import type { LatencyMetric } from '../model/endpoint.ts';

/** Time in which what was seen loses 63 % of its say; Finagle's default. */
const DECAY_MS = 10_000;
/** Load of an endpoint that has a request under way and has not answered any yet: above all that was measured. */
const UNPROVEN = 1e12;
/** A failure makes an endpoint look this much slower than it did. */
const FAILURE_FACTOR = 2;

/**
 * Peak-EWMA, after Finagle's `PeakEwma.scala`: a moving average of the latency that jumps up to a slow answer at once and
 * comes down slowly. With no traffic it decays, so an endpoint that was slow is tried again. One that has never answered
 * gets one request at a time.
 *
 * Failures double the cost (Finagle does not have this): an endpoint that refuses in a millisecond has the best latency
 * and never anything in flight, and would attract all traffic. Failures in a row double it each time up to `ceilingMs`,
 * which with the decay between them makes an exponential back-off of tries.
 */
export class PeakEwma implements LatencyMetric {
  readonly #ceilingMs: number;
  #costMs = 0;
  #stampMs = 0;

  /** `ceilingMs`: failures do not raise the cost beyond it; the time after which the pool gives up on an answer. */
  constructor(ceilingMs: number) {
    this.#ceilingMs = ceilingMs;
  }

  observe(ms: number, nowMs: number): void {
    if (ms > this.#costMs) this.#costMs = ms;
    else {
      const kept = Math.exp((this.#stampMs - nowMs) / DECAY_MS);
      this.#costMs = this.#costMs * kept + ms * (1 - kept);
    }
    this.#stampMs = nowMs;
  }

  observeFailure(ms: number, nowMs: number): void {
    // From what it was when last seen, not from what it decayed to: the next silence is to be longer than this one.
    const raised = Math.min(FAILURE_FACTOR * Math.max(this.#costMs, ms), this.#ceilingMs);
    this.#costMs = Math.max(this.#costMs, raised);
    this.#stampMs = nowMs;
  }

  cost(inFlight: number, nowMs: number): number {
    if (this.#costMs === 0) return inFlight === 0 ? 0 : UNPROVEN + inFlight;
    return this.#costMs * Math.exp((this.#stampMs - nowMs) / DECAY_MS) * (inFlight + 1);
  }
}
