import type { ListenerConfig } from '../config/schema/listener.ts';
import type { CertificateView } from './certificate-view.ts';
import type { Endpoint } from './endpoint.ts';
import type { ListenerStats } from './listener-stats.ts';
import type { Pool } from './pool.ts';

/** One listener, as observers see it. */
export interface ListenerView {
  readonly name: string;
  /** Where it is bound, `host:port` with the real port. */
  readonly address: string;
  readonly protocol: ListenerConfig['protocol'];
  /** Names of the pools that it can lead to. */
  readonly pools: readonly string[];
  readonly stats: ListenerStats;
  /** Shown to clients; none when TLS is not spoken. */
  readonly certificates: readonly CertificateView[];
}

export interface Readiness {
  readonly ready: boolean;
  /** Why it is not, for people; empty when it is. */
  readonly reasons: readonly string[];
}

/** Implemented by `supervisor/`: the state of the process that metrics and the admin API read and never change. */
export interface RuntimeView {
  /** Of Pointsman, as in package.json. */
  readonly version: string;
  /** Wall-clock time of the start. */
  readonly startWallMs: number;
  /** Number of the snapshot in force. */
  revision(): number;
  /** Ready: every listener is bound and shutdown has not begun. */
  readiness(): Readiness;
  pools(): readonly Pool[];
  listeners(): readonly ListenerView[];
  /** Reusable connections to the endpoint that carry nothing now. */
  idleConnections(endpoint: Endpoint): number;
}

/** What an endpoint did in the last minute or so. */
export interface TrafficWindow {
  /** Time that the figures cover. */
  readonly spanMs: number;
  readonly requestsPerSecond: number;
  /** Share of attempts that failed, 0 to 1. */
  readonly errorRate: number;
  /** Time to the end of the response; 0 when there was none. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}
