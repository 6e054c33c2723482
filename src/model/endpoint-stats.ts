import { LatencySketch } from './latency-sketch.ts';

/** Counters of one endpoint since the start, written by the data path, read by metrics. */
export class EndpointStats {
  /** Attempts that were begun. */
  requests = 0;
  /** Attempts that ended in a failure of the endpoint's, or a status from 500 on. */
  errors = 0;
  /** Attempts that were a retry of an earlier one. */
  retries = 0;
  /** Responses by first digit of the status; index 1 to 5. */
  readonly statuses: number[] = [0, 0, 0, 0, 0, 0];
  /** Body and head bytes sent to the endpoint. */
  bytesOut = 0;
  /** Body and head bytes received from the endpoint. */
  bytesIn = 0;
  connectionsOpened = 0;
  connectionsReused = 0;
  connectFailures = 0;
  /** Time to the end of the response, milliseconds. */
  readonly latency = new LatencySketch();
}
