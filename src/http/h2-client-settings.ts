/** How connections of HTTP/2 behave: milliseconds and counts. Read whenever needed. */
export interface H2ClientSettings {
  readonly response: number;
  readonly responseBody: number;
  readonly idle: number;
  /** For the endpoint's SETTINGS to arrive. */
  readonly connect: number;
  /** Streams at a time, at most. */
  readonly streams: number;
  /** Silence after which a PING is sent; 0 for never. */
  readonly pingInterval: number;
  /** How long an answer to PING may take. */
  readonly pingTimeout: number;
}
