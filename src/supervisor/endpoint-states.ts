import type { Endpoint, HealthState } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';

/**
 * What is decided about one endpoint besides its configuration, as workers are told. Times are lengths, because the monotonic clocks
 * of two processes do not begin at the same moment.
 */
export interface EndpointState {
  readonly name: string;
  readonly health: HealthState;
  /** Why `health` is what it is, for people. */
  readonly reason: string;
  /** Still ejected for so long; 0 when it is not. */
  readonly ejectedForMs: number;
  /** In slow start for so long already; -1 when it is warm. */
  readonly warmingForMs: number;
}

function stateOf(endpoint: Endpoint, nowMs: number): EndpointState {
  const { name, health, healthReason: reason, ejectedUntilMs, warmingSinceMs } = endpoint;
  return {
    name,
    health,
    reason,
    ejectedForMs: Math.max(0, ejectedUntilMs - nowMs),
    warmingForMs: warmingSinceMs < 0 ? -1 : nowMs - warmingSinceMs,
  };
}

/** Of all endpoints of a pool, for a worker that begins. */
export function statesOf(pool: Pool, nowMs: number): EndpointState[] {
  return pool.view.all.map((endpoint) => stateOf(endpoint, nowMs));
}

/** Puts a state into an endpoint; the pool is still to be published. */
export function adoptState(endpoint: Endpoint, state: EndpointState, nowMs: number): void {
  endpoint.health = state.health;
  endpoint.healthReason = state.reason;
  endpoint.ejectedUntilMs = state.ejectedForMs === 0 ? 0 : nowMs + state.ejectedForMs;
  // A ramp that workers have seen begin is their own; one that began before this worker did is gone on with.
  if (state.warmingForMs >= 0 && endpoint.warmingSinceMs < 0)
    endpoint.warmingSinceMs = nowMs - state.warmingForMs;
}

/** Finds out what of a pool has changed since workers were told last. */
export class StateNews {
  readonly #told = new WeakMap<Endpoint, { health: HealthState; ejectedUntilMs: number }>();

  /** States that workers do not know yet; they do from now on. New endpoints begin the same everywhere. */
  of(pool: Pool, nowMs: number): EndpointState[] {
    const news: EndpointState[] = [];
    for (const endpoint of pool.view.all) {
      const { health, ejectedUntilMs } = endpoint;
      const told = this.#told.get(endpoint);
      if (told === undefined) {
        const initial = pool.config.healthCheck?.initial ?? 'unknown';
        this.#told.set(endpoint, { health, ejectedUntilMs });
        if (health === initial && ejectedUntilMs === 0) continue;
      } else {
        if (told.health === health && told.ejectedUntilMs === ejectedUntilMs) continue;
        told.health = health;
        told.ejectedUntilMs = ejectedUntilMs;
      }
      news.push(stateOf(endpoint, nowMs));
    }
    return news;
  }
}
