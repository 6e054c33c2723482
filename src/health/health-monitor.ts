import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import { EndpointWatch, type WatchDeps } from './endpoint-watch.ts';
import { whyKeep } from './ejection-rules.ts';
import type { Judge, Suspicion } from './outlier-detector.ts';
import { type TransitionDeps, Transitions } from './transitions.ts';

export interface HealthDeps extends Omit<WatchDeps, 'dial' | 'connects'>, TransitionDeps {
  /** How the endpoints of a pool are dialled. */
  dialOf(pool: Pool): WatchDeps['dial'];
  /** Whether endpoints of a pool are reached by connections; else by datagrams alone. */
  connectsTo(pool: Pool): boolean;
}

/** First checks of a pool are spread over this much for each endpoint, and over its fast interval at most. */
const SPREAD_MS = 5;

/** Watches the endpoints of all pools: the one prober, and the one judge of what real traffic says about them. */
export class HealthMonitor implements Judge {
  readonly #deps: HealthDeps;
  readonly #transitions: Transitions;
  readonly #pools = new Map<Pool, Map<Endpoint, EndpointWatch>>();

  constructor(deps: HealthDeps) {
    this.#deps = deps;
    this.#transitions = new Transitions(deps);
  }

  /** Ejects an endpoint that is suspected, unless too many are out already. One that is out stays as it is. */
  suspect(pool: Pool, endpoint: Endpoint, { unreachable, reason }: Suspicion): void {
    const { clock, log } = this.#deps;
    const { outlierDetection } = pool.config;
    const watch = this.#pools.get(pool)?.get(endpoint);
    const nowMs = clock.nowMs();
    if (outlierDetection === false || watch === undefined) return;
    if (endpoint.ejectedUntilMs > nowMs || endpoint.health === 'unhealthy' || endpoint.admin === 'disabled')
      return;
    const keep = whyKeep(endpoint, pool.view.all, outlierDetection.maxEjectedPercent, nowMs);
    if (keep === undefined) watch.eject(unreachable, reason);
    else {
      const withheld = `${reason}, but ${keep}`;
      log.warn('ejection-withheld', { pool: pool.name, endpoint: endpoint.name, reason: withheld });
    }
  }

  /**
   * Watches the endpoints of `pool.view`. Called again after a reload it adopts the new configuration: endpoints that stayed keep
   * their state, and their checks go on undisturbed unless the check itself was changed.
   */
  watch(pool: Pool): void {
    const before = this.#pools.get(pool) ?? new Map<Endpoint, EndpointWatch>();
    const after = new Map<Endpoint, EndpointWatch>();
    this.#pools.set(pool, after);
    const endpoints = pool.view.all;
    const deps: WatchDeps = {
      ...this.#deps,
      dial: this.#deps.dialOf(pool),
      connects: () => this.#deps.connectsTo(pool),
    };
    for (const endpoint of endpoints) {
      after.set(endpoint, before.get(endpoint) ?? new EndpointWatch(deps, this.#transitions, pool, endpoint));
      before.delete(endpoint);
    }
    for (const gone of before.values()) gone.close();
    const fastMs = pool.config.healthCheck?.fastInterval ?? 0;
    const spreadMs = Math.min(fastMs, endpoints.length * SPREAD_MS);
    for (const watch of after.values()) watch.configure(this.#deps.random.next() * spreadMs);
  }

  /** The pool is gone. */
  forget(pool: Pool): void {
    for (const watch of this.#pools.get(pool)?.values() ?? []) watch.close();
    this.#pools.delete(pool);
  }

  /** Ends all checks and timers; the state of the endpoints stays as it is. */
  stop(): void {
    for (const pool of this.#pools.keys()) this.forget(pool);
  }
}
