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

const ABUSES_AT = 8;

/** 64-bit words of memory that the counters need. */
export const H2_TOTALS: number = ABUSES_AT + H2_ABUSES.length;

/** Counters of the HTTP/2 connections of one listener since the start. They lie in memory that others can read. */
export class H2Stats {
  readonly #totals: Float64Array;

  constructor(totals: Float64Array) {
    this.#totals = totals;
  }

  /** A client has begun to speak HTTP/2. */
  connected(): void {
    this.#totals[0]!++;
  }

  disconnected(): void {
    this.#totals[1]!++;
  }

  streamOpened(): void {
    this.#totals[2]!++;
  }

  streamClosed(): void {
    this.#totals[3]!++;
  }

  /** A stream was refused because of `http2.maxConcurrentStreams`. */
  streamRefused(): void {
    this.#totals[4]!++;
  }

  resetReceived(): void {
    this.#totals[5]!++;
  }

  resetSent(): void {
    this.#totals[6]!++;
  }

  /** A connection was ended because the client broke the protocol. */
  protocolError(): void {
    this.#totals[7]!++;
  }

  /** A connection was ended because of what the client did. */
  abused(abuse: H2Abuse): void {
    this.#totals[ABUSES_AT + H2_ABUSES.indexOf(abuse)]!++;
  }

  get connectionsTotal(): number {
    return this.#totals[0]!;
  }

  get connectionsOpen(): number {
    return this.#totals[0]! - this.#totals[1]!;
  }

  get streamsTotal(): number {
    return this.#totals[2]!;
  }

  get streamsOpen(): number {
    return this.#totals[2]! - this.#totals[3]!;
  }

  get streamsRefused(): number {
    return this.#totals[4]!;
  }

  get resetsReceived(): number {
    return this.#totals[5]!;
  }

  get resetsSent(): number {
    return this.#totals[6]!;
  }

  get protocolErrors(): number {
    return this.#totals[7]!;
  }

  abuses(abuse: H2Abuse): number {
    return this.#totals[ABUSES_AT + H2_ABUSES.indexOf(abuse)]!;
  }
}
