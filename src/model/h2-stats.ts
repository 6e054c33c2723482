import type { SharedCount } from './shared/shared-count.ts';

/** Why a connection of HTTP/2 was refused further service with ENHANCE_YOUR_CALM. */
export const H2_ABUSES = [
  'rapid_reset',
  'control_flood',
  'settings_flood',
  'ping_flood',
  'window_flood',
  'priority_flood',
  'empty_data_flood',
  'field_block_flood',
  'field_list_bomb',
  'slow_frame',
  'slow_reader',
] as const;

export type H2Abuse = (typeof H2_ABUSES)[number];

const ABUSES_AT = 6;

/** 64-bit words of memory that the counters need. */
export const H2_TOTALS: number = ABUSES_AT + H2_ABUSES.length;

/** Counters of the HTTP/2 connections of one listener since the start, and what is open now. They lie in memory that others can read. */
export class H2Stats {
  readonly #totals: Float64Array;
  readonly #connections: SharedCount;
  readonly #streams: SharedCount;

  /** The two counts are of what is open: when a worker dies, what it had is taken off. */
  constructor(totals: Float64Array, connections: SharedCount, streams: SharedCount) {
    this.#totals = totals;
    this.#connections = connections;
    this.#streams = streams;
  }

  /** A client has begun to speak HTTP/2. */
  connected(): void {
    this.#totals[0]!++;
    this.#connections.add(1);
  }

  disconnected(): void {
    this.#connections.add(-1);
  }

  streamOpened(): void {
    this.#totals[1]!++;
    this.#streams.add(1);
  }

  streamClosed(): void {
    this.#streams.add(-1);
  }

  /** A stream was refused because of `http2.maxConcurrentStreams`. */
  streamRefused(): void {
    this.#totals[2]!++;
  }

  resetReceived(): void {
    this.#totals[3]!++;
  }

  resetSent(): void {
    this.#totals[4]!++;
  }

  /** A connection was ended because the client broke the protocol. */
  protocolError(): void {
    this.#totals[5]!++;
  }

  /** A connection was ended because of what the client did. */
  abused(abuse: H2Abuse): void {
    this.#totals[ABUSES_AT + H2_ABUSES.indexOf(abuse)]!++;
  }

  get connectionsTotal(): number {
    return this.#totals[0]!;
  }

  get connectionsOpen(): number {
    return this.#connections.sum;
  }

  get streamsTotal(): number {
    return this.#totals[1]!;
  }

  get streamsOpen(): number {
    return this.#streams.sum;
  }

  get streamsRefused(): number {
    return this.#totals[2]!;
  }

  get resetsReceived(): number {
    return this.#totals[3]!;
  }

  get resetsSent(): number {
    return this.#totals[4]!;
  }

  get protocolErrors(): number {
    return this.#totals[5]!;
  }

  abuses(abuse: H2Abuse): number {
    return this.#totals[ABUSES_AT + H2_ABUSES.indexOf(abuse)]!;
  }
}
