import type { Endpoint } from '../model/endpoint.ts';
import { quantileMs, SKETCH_BUCKETS } from '../model/latency-sketch.ts';
import type { TrafficWindow } from '../model/runtime-view.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';

const SLOT_MS = 5000;
/** Full slots that are kept; with the one under way they cover 55 to 60 seconds. */
const SLOTS = 11;
/** A window that has just begun counts as this long, so that its first request is not a thousand a second. */
const SHORTEST_SPAN_MS = 1000;

/** What happened in one slot: only the buckets that were hit. */
interface Slot {
  readonly spanMs: number;
  readonly requests: number;
  readonly errors: number;
  readonly buckets: Uint16Array;
  readonly counts: Float64Array;
}

/** The last minute of one endpoint, as differences of its counters. */
class History {
  readonly slots: Slot[] = [];
  /** Counters at the beginning of the slot under way. */
  readonly #counts = new Float64Array(SKETCH_BUCKETS);
  #requests = 0;
  #errors = 0;

  /** What happened since the last slot was closed. */
  underWay(endpoint: Endpoint, spanMs: number): Slot {
    const { latency, requests, errors } = endpoint.stats;
    let hit = 0;
    for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++) {
      if (latency.counts[bucket] !== this.#counts[bucket]) hit++;
    }
    const buckets = new Uint16Array(hit);
    const counts = new Float64Array(hit);
    for (let bucket = 0, at = 0; at < hit; bucket++) {
      const count = latency.counts[bucket]! - this.#counts[bucket]!;
      if (count === 0) continue;
      buckets[at] = bucket;
      counts[at++] = count;
    }
    return { spanMs, requests: requests - this.#requests, errors: errors - this.#errors, buckets, counts };
  }

  closeSlot(endpoint: Endpoint, spanMs: number): void {
    this.slots.push(this.underWay(endpoint, spanMs));
    if (this.slots.length > SLOTS) this.slots.shift();
    this.#counts.set(endpoint.stats.latency.counts);
    this.#requests = endpoint.stats.requests;
    this.#errors = endpoint.stats.errors;
  }
}

export interface TrafficWindowsOptions {
  readonly clock: Clock;
  /** Every endpoint that there is now. */
  readonly endpoints: () => Iterable<Endpoint>;
}

/**
 * Rates and quantiles of every endpoint over the last minute. The data path only counts up; here the counters are read
 * every five seconds and their differences kept, some hundred bytes a slot. Endpoints that go are forgotten.
 */
export class TrafficWindows {
  readonly #options: TrafficWindowsOptions;
  readonly #histories = new WeakMap<Endpoint, History>();
  readonly #scratch = new Float64Array(SKETCH_BUCKETS);
  #slotBeganMs = 0;
  #cancel: CancelTimer | undefined;

  constructor(options: TrafficWindowsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#slotBeganMs = this.#options.clock.nowMs();
    this.#cancel = this.#options.clock.after(SLOT_MS, this.#onTick);
  }

  stop(): void {
    this.#cancel?.();
  }

  /** The last minute of an endpoint, up to now. */
  window(endpoint: Endpoint): TrafficWindow {
    const history = this.#historyOf(endpoint);
    const slots = [
      ...history.slots,
      history.underWay(endpoint, this.#options.clock.nowMs() - this.#slotBeganMs),
    ];
    const total = this.#scratch.fill(0);
    let spanMs = 0;
    let requests = 0;
    let errors = 0;
    for (const slot of slots) {
      spanMs += slot.spanMs;
      requests += slot.requests;
      errors += slot.errors;
      for (let i = 0; i < slot.buckets.length; i++) total[slot.buckets[i]!]! += slot.counts[i]!;
    }
    return {
      spanMs,
      requestsPerSecond: (requests / Math.max(spanMs, SHORTEST_SPAN_MS)) * 1000,
      // An attempt may begin in one window and fail in the next.
      errorRate: errors === 0 ? 0 : Math.min(1, errors / Math.max(1, requests)),
      p50Ms: quantileMs(total, 0.5),
      p95Ms: quantileMs(total, 0.95),
      p99Ms: quantileMs(total, 0.99),
    };
  }

  #historyOf(endpoint: Endpoint): History {
    let history = this.#histories.get(endpoint);
    if (history === undefined) {
      history = new History();
      this.#histories.set(endpoint, history);
    }
    return history;
  }

  readonly #onTick = (): void => {
    const nowMs = this.#options.clock.nowMs();
    for (const endpoint of this.#options.endpoints())
      this.#historyOf(endpoint).closeSlot(endpoint, nowMs - this.#slotBeganMs);
    this.#slotBeganMs = nowMs;
    this.#cancel = this.#options.clock.after(SLOT_MS, this.#onTick);
  };
}
