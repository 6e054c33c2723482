import { formatAddress } from '../config/schema/address.ts';
import { availability, type Endpoint } from '../model/endpoint.ts';
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
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly priority: number;
  /** 0 is no limit. */
  readonly maxConnections: number;
  /** Attempts since the start. */
  readonly requests: number;
  /** Requests under way. */
  readonly active: number;
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
    endpoints: view.all.map((endpoint) => reportEndpoint(endpoint, state)),
  };
}

function reportEndpoint(endpoint: Endpoint, state: AdminState): EndpointReport {
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
    weight: config.weight,
    effectiveWeight: endpoint.effectiveWeight,
    priority: config.priority,
    maxConnections: config.maxConnections,
    requests: stats.requests,
    active: endpoint.inFlight,
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
