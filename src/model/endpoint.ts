import type { EndpointConfig } from '../config/schema/pool.ts';
import { ENDPOINT_TOTALS, EndpointStats } from './endpoint-stats.ts';
import { type Cells, type CountsOf, privateCells } from './shared/cells.ts';
import { PeerLoad } from './shared/peer-load.ts';
import type { Places } from './shared/places.ts';

/** The operator's will. */
export type AdminState = 'enabled' | 'draining' | 'disabled';
/** What the health checks found; `unknown` before the first verdict. */
export type HealthState = 'unknown' | 'healthy' | 'unhealthy';

/** What traffic an endpoint may take now, derived by `availability` and never stored. */
export type Availability = 'open' | 'bound-only' | 'closed';

/** How long the endpoint takes to answer, as the load metric of `least-response-time`. */
export interface LatencyMetric {
  /** One answer after `ms` milliseconds (time to the response head), seen at `nowMs`. */
  observe(ms: number, nowMs: number): void;
  /**
   * One attempt failed after `ms` milliseconds. Kept apart because errors are fast: by their own time alone an endpoint
   * that refuses everything would look like the best one.
   */
  observeFailure(ms: number, nowMs: number): void;
  /** Expected cost of one more request; larger is worse. */
  cost(inFlight: number, nowMs: number): number;
}

/** What is under way on an endpoint, by kind: requests end by themselves, the others when their clients like. */
export interface EndpointWork {
  readonly requests: number;
  /** Upgraded HTTP connections. */
  readonly tunnels: number;
  /** TCP and UDP flows. */
  readonly sessions: number;
}

/** An endpoint that the operator takes out: since when, until when, and what was left at the end. */
export interface Drain {
  /** Monotonic time. */
  readonly sinceMs: number;
  /** Monotonic time at which it takes nothing any more and its tunnels and sessions are closed; Infinity without a deadline. */
  readonly untilMs: number;
  /** It leaves the pool when it is empty, or at the deadline. */
  readonly leaves: boolean;
  /** What was under way when the deadline came; undefined before. */
  readonly left: EndpointWork | undefined;
}

/**
 * One server of a pool: who it is, what the operator wants of it, how healthy it is, what it is doing.
 * Its identity (pool and name) survives reloads, and with it everything here; `config` is replaced whole.
 */
export class Endpoint {
  readonly pool: string;
  readonly name: string;
  config: EndpointConfig;
  admin: AdminState;
  /** Of an operator's doing at run time; undefined when enabled, or when the file says so. */
  drain: Drain | undefined = undefined;
  health: HealthState = 'unknown';
  /** Why `health` is what it is, for people. */
  healthReason = 'not checked';
  /** Monotonic time of the last change of `health`. */
  healthSinceMs = 0;
  /** Monotonic time until which outlier detection keeps it out; 0 when it does not. */
  ejectedUntilMs = 0;
  ejectReason = '';
  /** Ejections in a row, for the exponential duration. */
  ejections = 0;
  /** Monotonic time at which slow start began; -1 when it is warm. */
  warmingSinceMs = -1;
  /** Weight in force: the configured one, scaled by slow start. Pickers read this, above 0 whenever they see it. */
  effectiveWeight: number;
  readonly counts: CountsOf<'endpoint'>;
  readonly #inFlight: Places;
  /** In flight at most, from `maxConnections` scaled by slow start; Infinity without a limit. */
  limit: number;
  latency: LatencyMetric | undefined = undefined;
  readonly stats: EndpointStats;

  constructor(
    pool: string,
    config: EndpointConfig,
    cells: Cells<'endpoint'> = privateCells('endpoint', ENDPOINT_TOTALS),
  ) {
    this.pool = pool;
    this.name = config.name;
    this.config = config;
    this.admin = config.state;
    this.effectiveWeight = config.weight;
    this.limit = config.maxConnections === 0 ? Number.POSITIVE_INFINITY : config.maxConnections;
    this.counts = cells.counts;
    this.#inFlight = cells.counts.inFlight;
    this.stats = new EndpointStats(cells.totals);
    this.peers = new PeerLoad([cells.counts.inFlight]);
  }

  /**
   * What it carries with the endpoints that it is balanced with; set by publish. Belongs to the places, so that what is given back after an
   * endpoint went and came again counts where it was counted.
   */
  get peers(): PeerLoad {
    return this.#inFlight.peers!;
  }

  set peers(peers: PeerLoad) {
    this.#inFlight.peers = peers;
  }

  /** Requests and sessions under way in all workers, from the pick (so waiting connects count) to the end of the response or tunnel. */
  get inFlight(): number {
    return this.#inFlight.sum;
  }

  /** Those of them that are tunnels. */
  get tunnels(): number {
    return this.counts.tunnels.sum;
  }

  /** Those of them that are TCP or UDP sessions. */
  get sessions(): number {
    return this.counts.sessions.sum;
  }

  get full(): boolean {
    return this.limit !== Number.POSITIVE_INFINITY && this.#inFlight.sum >= this.limit;
  }

  /** What is under way on it now. */
  get work(): EndpointWork {
    const { inFlight, tunnels, sessions } = this;
    return { requests: inFlight - tunnels - sessions, tunnels, sessions };
  }
}

/**
 * What an endpoint may take, from the three independent axes (the operator's will, health, ejection):
 *
 * | admin    | health             | ejected | result     |
 * |----------|--------------------|---------|------------|
 * | disabled | any                | any     | closed     |
 * | any      | unhealthy          | any     | closed     |
 * | any      | healthy or unknown | yes     | closed     |
 * | draining | healthy or unknown | no      | bound-only |
 * | enabled  | healthy or unknown | no      | open, or bound-only with weight 0 |
 */
export function availability(endpoint: Endpoint, nowMs: number): Availability {
  if (endpoint.admin === 'disabled' || endpoint.health === 'unhealthy' || endpoint.ejectedUntilMs > nowMs)
    return 'closed';
  return endpoint.admin === 'draining' || endpoint.config.weight === 0 ? 'bound-only' : 'open';
}
