import { formatAddress } from '../config/schema/address.ts';
import { availability, type Endpoint, type EndpointWork } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { TrafficWindow } from '../model/runtime-view.ts';
import { responsesByClass, wallTime } from './report-values.ts';
import type { AdminState } from './state.ts';

/** What GET /api/v1/pools says of a pool. */
export interface PoolReport {
  readonly name: string;
  readonly policy: string;
  readonly panic: boolean;
  /** Endpoints that take new work now, of all. */
  readonly available: number;
  readonly total: number;
  readonly requests: number;
  /** Requests that have not ended, those that wait included. */
  readonly active: number;
  /** Requests that wait because every endpoint is full. */
  readonly queued: number;
  readonly queueRejections: { readonly full: number; readonly timeout: number };
  readonly noEndpoint: number;
  readonly retries: { readonly total: number; readonly active: number; readonly denied: number };
  readonly endpoints: readonly EndpointReport[];
}

export interface EndpointReport {
  readonly name: string;
  readonly address: string;
  readonly state: {
    /** `open`, `bound-only` (sticky sessions only) or `closed`: follows from what comes next. */
    readonly availability: string;
    readonly admin: string;
    readonly health: string;
    readonly reason: string;
    /** When `health` last changed. */
    readonly since: string;
    readonly ejected: { readonly until: string; readonly reason: string; readonly inARow: number } | null;
    /** At `maxConnections`. */
    readonly full: boolean;
    /** In slow start. */
    readonly warming: boolean;
  };
  readonly drain: DrainReport | null;
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly priority: number;
  /** 0 is no limit. */
  readonly maxConnections: number;
  /** Attempts since the start. */
  readonly requests: number;
  /** Requests, tunnels and sessions under way. */
  readonly active: number;
  readonly tunnels: number;
  /** TCP and UDP flows. */
  readonly sessions: number;
  readonly errors: number;
  readonly retries: number;
  readonly responses: Readonly<Record<string, number>>;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly connections: {
    readonly opened: number;
    readonly reused: number;
    readonly idle: number;
    readonly failed: number;
  };
  readonly lastMinute: TrafficWindow;
}

/** What is left of an endpoint that is draining or disabled. */
export interface DrainReport {
  /** Since when; null when the configuration says so. */
  readonly since: string | null;
  /** When it takes nothing any more and its tunnels and sessions are closed; null without a deadline. */
  readonly deadline: string | null;
  /** Under way, tunnels and sessions not counted. */
  readonly requests: number;
  readonly tunnels: number;
  readonly sessions: number;
  /** Clients that are bound to it (sticky sessions) may still come back. */
  readonly takesBound: boolean;
  /** Nothing is under way. */
  readonly empty: boolean;
  /** It leaves the pool when it is empty, or at the deadline. */
  readonly leaves: boolean;
  /** What was under way when the deadline came; null before. */
  readonly left: EndpointWork | null;
}

export function reportPool(pool: Pool, state: AdminState): PoolReport {
  const { stats, view } = pool;
  return {
    name: pool.name,
    policy: pool.config.policy,
    panic: view.panic,
    available: view.available.length,
    total: view.all.length,
    requests: stats.requests,
    active: pool.activeRequests,
    queued: pool.queued,
    queueRejections: { full: stats.queueFull, timeout: stats.queueTimeouts },
    noEndpoint: stats.noEndpoint,
    retries: { total: stats.retries, active: pool.activeRetries, denied: stats.retriesDenied },
    endpoints: view.all.map((endpoint) => reportEndpoint(pool, endpoint, state)),
  };
}

export function reportEndpoint(pool: Pool, endpoint: Endpoint, state: AdminState): EndpointReport {
  const { config, stats } = endpoint;
  const { view, clock } = state;
  const nowMs = clock.nowMs();
  return {
    name: endpoint.name,
    address: formatAddress(config.address),
    state: {
      availability: availability(endpoint, nowMs),
      admin: endpoint.admin,
      health: endpoint.health,
      reason: endpoint.healthReason,
      since: wallTime(clock, endpoint.healthSinceMs),
      ejected:
        endpoint.ejectedUntilMs > nowMs
          ? {
              until: wallTime(clock, endpoint.ejectedUntilMs),
              reason: endpoint.ejectReason,
              inARow: endpoint.ejections,
            }
          : null,
      full: endpoint.full,
      warming: endpoint.warmingSinceMs >= 0,
    },
    drain: reportDrain(pool, endpoint, state),
    weight: config.weight,
    effectiveWeight: endpoint.effectiveWeight,
    priority: config.priority,
    maxConnections: config.maxConnections,
    requests: stats.requests,
    active: endpoint.inFlight,
    tunnels: endpoint.tunnels,
    sessions: endpoint.sessions,
    errors: stats.errors,
    retries: stats.retries,
    responses: responsesByClass(stats.statuses),
    bytesSent: stats.bytesOut,
    bytesReceived: stats.bytesIn,
    connections: {
      opened: stats.connectionsOpened,
      reused: stats.connectionsReused,
      idle: view.idleConnections(endpoint),
      failed: stats.connectFailures,
    },
    lastMinute: state.window(endpoint),
  };
}

function reportDrain(pool: Pool, endpoint: Endpoint, { clock }: AdminState): DrainReport | null {
  const { admin, drain, inFlight } = endpoint;
  if (admin === 'enabled') return null;
  const untilMs = drain?.untilMs ?? Number.POSITIVE_INFINITY;
  return {
    since: drain === undefined ? null : wallTime(clock, drain.sinceMs),
    deadline: untilMs === Number.POSITIVE_INFINITY ? null : wallTime(clock, untilMs),
    ...endpoint.work,
    takesBound: pool.config.affinity !== undefined && availability(endpoint, clock.nowMs()) === 'bound-only',
    empty: inFlight === 0,
    leaves: drain?.leaves ?? false,
    left: drain?.left ?? null,
  };
}
