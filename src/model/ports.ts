import type { Endpoint } from './endpoint.ts';
import type { FailureCode } from './failures.ts';
import type { PickRequest } from './picker.ts';
import type { Pool } from './pool.ts';

/** Implemented by `balancer/`: recomputes what readers see of a pool and swaps `pool.view`. */
export interface PoolPublisher {
  /** Something about this pool's endpoints changed (health, ejection, admin state, weight, membership). */
  publish(pool: Pool): void;
}

/**
 * Implemented by `balancer/`: which endpoint takes a request. A pick that is followed is acquired in the same synchronous step,
 * so that no other request of this process sees the place as free. `release` is called once for each place.
 */
export interface Balancer {
  /** Who would take it, without taking. */
  pick(pool: Pool, request: PickRequest): Endpoint | undefined;
  /** Picks and acquires. */
  take(pool: Pool, request: PickRequest): Endpoint | undefined;
  /** Acquires a certain one; false when it is full, perhaps because another worker took the last place just now. */
  acquire(pool: Pool, endpoint: Endpoint): boolean;
  release(pool: Pool, endpoint: Endpoint): void;
}

/** Implemented by `health/`: judges endpoints by real traffic. */
export interface OutcomeObserver {
  /**
   * One attempt ended. `failure` is undefined when a whole response arrived, and then `status` is its status.
   * Failures of the client's making are not reported here.
   */
  observe(pool: Pool, endpoint: Endpoint, failure: FailureCode | undefined, status: number): void;
}

/** Implemented by `telemetry/`: a structured application log, one event a line. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A change of an endpoint's state, for log, metrics and whoever must act on it. */
export interface Transition {
  readonly pool: Pool;
  readonly endpoint: Endpoint;
  readonly kind: 'healthy' | 'unhealthy' | 'ejected' | 'readmitted' | 'admin';
  readonly reason: string;
}

/** Told of every transition, after `pool.view` was published. */
export interface TransitionListener {
  onTransition(transition: Transition): void;
}

/** Implemented by `acme/`: what an ACME server asks the traffic side to prove that a name is ours. */
export interface ChallengeSource {
  /** Body of `/.well-known/acme-challenge/TOKEN` (RFC 8555 section 8.3); undefined when it is not one of ours. */
  keyAuthorization(token: string): string | undefined;
  /** Key and certificate, PEM, for a handshake with ALPN `acme-tls/1` (RFC 8737); undefined when none is under way. */
  challengeCertificate(name: string): string | undefined;
}
