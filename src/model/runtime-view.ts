import type { ListenerConfig } from '../config/schema/listener.ts';
import type { AutomaticCertificateView, CertificateView } from './certificate-view.ts';
import type { Endpoint } from './endpoint.ts';
import type { ListenerStats } from './listener-stats.ts';
import type { Pool } from './pool.ts';

/** One listener, as observers see it. */
export interface ListenerView {
  readonly name: string;
  /** Where it is bound, `host:port` with the real port. */
  readonly address: string;
  readonly protocol: ListenerConfig['protocol'];
  /** What may be spoken inside of TLS, in order of preference; undefined when TLS is not ended here. */
  readonly alpn: readonly string[] | undefined;
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

/**
 * What has become of a worker: `starting` until it accepts, `ready`, `waiting` to be started again because it died again and again, `stopping`
 * or `gone` at the end.
 */
export type WorkerState = 'starting' | 'ready' | 'waiting' | 'stopping' | 'gone';

/** One of the processes that carry traffic: a place that is given to the next process when one dies. */
export interface WorkerView {
  /** From 1. */
  readonly worker: number;
  readonly state: WorkerState;
  /** Undefined while there is no process. */
  readonly pid: number | undefined;
  readonly upSeconds: number;
  /** Processes that died and were replaced. */
  readonly restarts: number;
  /** It has not answered for so long, seconds; 0 when it does. */
  readonly stuckSeconds: number;
  /** The worker that accepts for it while it is away; undefined when none does. */
  readonly coveredBy: number | undefined;
  /** Client connections open now. */
  readonly connections: number;
  /** Of all processes that had the place. */
  readonly userCpuSeconds: number;
  readonly systemCpuSeconds: number;
  readonly residentBytes: number;
  /** Largest delay of its event loop in the last 10 to 20 seconds. */
  readonly eventLoopLagMs: number;
}

/** Implemented by `supervisor/`: the state of the process that metrics and the admin API read and never change. */
export interface RuntimeView {
  /** Of Pointsman, as in package.json. */
  readonly version: string;
  /** Wall-clock time of the start. */
  readonly startWallMs: number;
  /** Number of the snapshot in force. */
  revision(): number;
  /** Ready: a worker accepts connections, and shutdown has not begun. */
  readiness(): Readiness;
  workers(): readonly WorkerView[];
  pools(): readonly Pool[];
  listeners(): readonly ListenerView[];
  /** Certificates that an ACME server is asked for. */
  automaticCertificates(): readonly AutomaticCertificateView[];
  /** Datagrams of clients that the system dropped because nobody read them in time, by udp listener. */
  lostDatagrams(): ReadonlyMap<string, number>;
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
