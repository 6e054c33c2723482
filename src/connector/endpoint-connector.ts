import type { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';

/** Who waits for a way to an endpoint: a connection, or a stream on one. */
export interface SessionWaiter<S> {
  /** What it would send cannot be sent twice: a connection that may be dead already is not for it. */
  readonly careful: boolean;
  /** One that was dialled, or has just become free. */
  onSession(session: S): void;
  /** The endpoint could not be reached. */
  onDialFailed(code: FailureCode, detail: string): void;
}

/** The ways to one endpoint: connections for one exchange at a time, or for many. */
export interface EndpointConnector<S> {
  readonly endpoint: Endpoint;
  /** Connections that nobody uses. */
  readonly idleCount: number;
  /** It has no connection, and nobody waits for one. */
  readonly unused: boolean;
  /** One that is there and may be used, or undefined. `careful`: as of a waiter. */
  take(careful: boolean): S | undefined;
  /** Dials, if need be. The waiter is told later, never before this returns. */
  dial(waiter: SessionWaiter<S>): void;
  /** The waiter does not want one any more. */
  cancel(waiter: SessionWaiter<S>): void;
  /** The endpoint is found unhealthy: fails what it has not begun to answer, and closes what is idle. */
  abandon(code: FailureCode, detail: string): void;
  /** Keeps no connection any more: those in use close when their exchanges are over. */
  close(): void;
}
