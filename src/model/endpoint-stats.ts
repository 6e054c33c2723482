import { GRPC_STATUSES } from './grpc-status.ts';
import { LatencySketch, SKETCH_WORDS } from './latency-sketch.ts';

const STATUSES_AT = 8;
const LATENCY_AT = STATUSES_AT + 6;
const CONNECT_AT = LATENCY_AT + SKETCH_WORDS;
const GRPC_AT = CONNECT_AT + SKETCH_WORDS;

/** 64-bit words of memory that the counters of an endpoint need. */
export const ENDPOINT_TOTALS: number = GRPC_AT + GRPC_STATUSES;

/**
 * Counters of one endpoint since the start, written by the data path, read by metrics. They lie in a record of 64-bit words that may
 * be shared memory: a worker counts in its own, the supervisor reads the sum of all.
 */
export class EndpointStats {
  readonly #totals: Float64Array;
  /** Responses by first digit of the status; index 1 to 5. */
  readonly statuses: Float64Array;
  /** Time to the end of the response, milliseconds. */
  readonly latency: LatencySketch;
  /** Calls of gRPC by their status. */
  readonly grpcStatuses: Float64Array;
  /** Time to open a connection, milliseconds; of those that could be opened. */
  readonly connect: LatencySketch;

  /** @param totals `ENDPOINT_TOTALS` words, with what was counted before. */
  constructor(totals: Float64Array) {
    this.#totals = totals;
    this.statuses = totals.subarray(STATUSES_AT, LATENCY_AT);
    this.latency = new LatencySketch(totals.subarray(LATENCY_AT, CONNECT_AT));
    this.connect = new LatencySketch(totals.subarray(CONNECT_AT, GRPC_AT));
    this.grpcStatuses = totals.subarray(GRPC_AT, ENDPOINT_TOTALS);
  }

  /** Attempts that were begun, for requests and for sessions. */
  get requests(): number {
    return this.#totals[0]!;
  }

  set requests(count: number) {
    this.#totals[0] = count;
  }

  /** Attempts that ended in a failure of the endpoint's, or a status from 500 on. */
  get errors(): number {
    return this.#totals[1]!;
  }

  set errors(count: number) {
    this.#totals[1] = count;
  }

  /** Attempts that were a retry of an earlier one. */
  get retries(): number {
    return this.#totals[2]!;
  }

  set retries(count: number) {
    this.#totals[2] = count;
  }

  /** Body and head bytes sent to the endpoint. */
  get bytesOut(): number {
    return this.#totals[3]!;
  }

  set bytesOut(count: number) {
    this.#totals[3] = count;
  }

  /** Body and head bytes received from the endpoint. */
  get bytesIn(): number {
    return this.#totals[4]!;
  }

  set bytesIn(count: number) {
    this.#totals[4] = count;
  }

  get connectionsOpened(): number {
    return this.#totals[5]!;
  }

  set connectionsOpened(count: number) {
    this.#totals[5] = count;
  }

  get connectionsReused(): number {
    return this.#totals[6]!;
  }

  set connectionsReused(count: number) {
    this.#totals[6] = count;
  }

  get connectFailures(): number {
    return this.#totals[7]!;
  }

  set connectFailures(count: number) {
    this.#totals[7] = count;
  }
}
