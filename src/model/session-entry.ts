/** What the access log is told of one TCP or UDP session when it ends. */
export interface SessionEntry {
  /** Wall-clock time at which the client came. */
  startWallMs: number;
  /** From then to the end of the session. */
  durationMs: number;
  listener: string;
  /** Name of the route; empty when the listener has none, or none was reached. */
  route: string;
  pool: string;
  /** The endpoint of the last attempt; empty when there was none. */
  endpoint: string;
  clientIp: string;
  clientPort: number;
  /** The other end of the connection: the client, or who stands before us. */
  peerIp: string;
  peerPort: number;
  /** `TCP`, `UDP`. */
  protocol: string;
  /** Name that the client asked for by TLS, where it was looked at; else empty. */
  serverName: string;
  /** Protocols that the client offered by TLS, with commas, where it was looked at; else empty. */
  alpn: string;
  /** Bytes received from the client. */
  requestBytes: number;
  /** Bytes sent to the client. */
  responseBytes: number;
  /** Failure code of what ended it (see docs/reference/failures.md); empty when both sides ended it. */
  failure: string;
  /** Attempts that were begun; 0 when no endpoint was asked. */
  attempts: number;
  /** Time waited for an endpoint below its `maxConnections`. */
  queuedMs: number;
  /** Time the last attempt took to connect. */
  connectMs: number;
}
