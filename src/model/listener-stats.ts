import { FAILURES, type FailureCode } from './failures.ts';
import { LatencySketch } from './latency-sketch.ts';

/** Requests that a route took, for metrics. */
export class RouteStats {
  readonly name: string;
  requests = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** Counters of one listener since the start, written by the data path, read by metrics and the admin API. */
export class ListenerStats {
  /** Client connections open now. */
  connectionsOpen = 0;
  connectionsTotal = 0;
  /** Connections closed at once because of `limits.connections`. */
  connectionsRejected = 0;
  /** Requests whose head was read, or that failed before it was. */
  requests = 0;
  /** Responses by first digit of the status, index 1 to 5; index 0 counts requests that got none. */
  readonly statuses: number[] = [0, 0, 0, 0, 0, 0];
  /** Requests and connections ended by Pointsman, by reason. Every code is there from the start. */
  readonly failures: Map<FailureCode, number> = new Map(
    (Object.keys(FAILURES) as FailureCode[]).map((code) => [code, 0]),
  );
  /** Bytes read from clients. */
  bytesIn = 0;
  /** Bytes written to clients. */
  bytesOut = 0;
  /** Upgraded connections open now. */
  tunnelsOpen = 0;
  /** From the first byte of a request to the end of its response, milliseconds. */
  readonly latency = new LatencySketch();
  /** The routes of the snapshot in force, in their order. */
  routes: readonly RouteStats[] = [];

  countFailure(code: FailureCode): void {
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
  }
}
