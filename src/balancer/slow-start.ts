import { availability, type Endpoint } from '../model/endpoint.ts';

/** Where the ramp starts. */
const FIRST_SHARE = 0.05;
/** Steps of a ramp, and the shortest time between two (HAProxy has the same two figures). */
const STEPS = 20;
const MIN_STEP_MS = 1000;

function baseLimit(endpoint: Endpoint): number {
  const { maxConnections } = endpoint.config;
  return maxConnections === 0 ? Number.POSITIVE_INFINITY : maxConnections;
}

/**
 * Brings endpoints that come (back) into a running pool up to their share: weight and limit grow linearly over the window.
 * Weights change only at steps, so that hash tables are not rebuilt all the time.
 *
 * There is no ramp when nobody else of the same priority is warm (the ramp would shed load that has nowhere to go), nor
 * when an endpoint that was there from the start opens for the first time within the first window (then the balancer
 * is what has just started). Closing ends a ramp; the next opening starts a new one.
 */
export class SlowStart {
  /** Open at the last update. */
  #open = new Set<Endpoint>();
  /** There from the start and not open yet. */
  #unopened: Set<Endpoint> | undefined;
  #startedMs = 0;

  /**
   * Sets `warmingSinceMs`, `effectiveWeight` and `limit` of each. Returns after how many milliseconds the next step is
   * due; Infinity when nothing is warming.
   */
  update(endpoints: readonly Endpoint[], windowMs: number, nowMs: number): number {
    if (this.#unopened === undefined) {
      this.#unopened = new Set(endpoints);
      this.#startedMs = nowMs;
    }
    const open = new Set<Endpoint>();
    for (const endpoint of endpoints) {
      if (availability(endpoint, nowMs) !== 'open') {
        endpoint.warmingSinceMs = -1;
        continue;
      }
      open.add(endpoint);
      const ended = endpoint.warmingSinceMs >= 0 && nowMs - endpoint.warmingSinceMs >= windowMs;
      if (ended) endpoint.warmingSinceMs = -1;
      else if (this.#starts(endpoint, windowMs, nowMs)) endpoint.warmingSinceMs = nowMs;
      this.#unopened.delete(endpoint);
    }
    this.#open = open;
    const warmPriorities = new Set<number>();
    for (const endpoint of open) {
      if (endpoint.warmingSinceMs < 0) warmPriorities.add(endpoint.config.priority);
    }
    let dueMs = Number.POSITIVE_INFINITY;
    for (const endpoint of endpoints) {
      if (!warmPriorities.has(endpoint.config.priority)) endpoint.warmingSinceMs = -1;
      dueMs = Math.min(dueMs, scale(endpoint, windowMs, nowMs));
    }
    return dueMs;
  }

  #starts(endpoint: Endpoint, windowMs: number, nowMs: number): boolean {
    if (windowMs === 0 || this.#open.has(endpoint)) return false;
    return !this.#unopened!.has(endpoint) || nowMs - this.#startedMs >= windowMs;
  }
}

/** Sets weight and limit in force; returns the time to the next step of this endpoint's ramp. */
function scale(endpoint: Endpoint, windowMs: number, nowMs: number): number {
  if (endpoint.warmingSinceMs < 0) {
    endpoint.effectiveWeight = endpoint.config.weight;
    endpoint.limit = baseLimit(endpoint);
    return Number.POSITIVE_INFINITY;
  }
  const stepMs = Math.max(MIN_STEP_MS, windowMs / STEPS);
  const elapsedMs = nowMs - endpoint.warmingSinceMs;
  const steps = Math.floor(elapsedMs / stepMs);
  const share = Math.min(1, Math.max(FIRST_SHARE, (steps * stepMs) / windowMs));
  endpoint.effectiveWeight = endpoint.config.weight * share;
  endpoint.limit = Math.max(1, Math.floor(baseLimit(endpoint) * share));
  return Math.min((steps + 1) * stepMs, windowMs) - elapsedMs;
}
