import type { SessionEntry } from './session-entry.ts';

/**
 * What the access log is told of one request when it ends. Strings that came from the client are as received
 * (one character a byte); whoever writes them escapes them. A recorder keeps no reference to the entry,
 * so one object may be filled again and again.
 */
export interface AccessEntry {
  /** Wall-clock time at which the first byte of the request came. */
  startWallMs: number;
  /** From that byte to the end of the response. */
  durationMs: number;
  listener: string;
  /** Name of the route; empty when none was reached. */
  route: string;
  /** Empty when the route has no pool. */
  pool: string;
  /** The endpoint of the last attempt; empty when there was none. */
  endpoint: string;
  /** The client as trusted proxies name it, else the peer. */
  clientIp: string;
  clientPort: number;
  /** The other end of the connection: the client, or who stands before us. */
  peerIp: string;
  peerPort: number;
  method: string;
  /** The request target as received. */
  target: string;
  host: string;
  /** `HTTP/1.1`, `HTTP/1.0`, `HTTP/2`. */
  protocol: string;
  /** `TLSv1.3`; empty without TLS. */
  tlsVersion: string;
  /** Cipher suite by its standard name; empty without TLS. */
  tlsCipher: string;
  /** Name that the client asked for in its TLS handshake; empty without. */
  serverName: string;
  /** Protocol that was agreed on in the TLS handshake; empty without. */
  alpn: string;
  /** Status sent to the client; 0 when the connection was closed without one. */
  status: number;
  /** Body bytes received from the client, without framing. */
  requestBytes: number;
  /** Body bytes sent to the client, without framing. */
  responseBytes: number;
  /** Failure code (see docs/reference/failures.md); empty when nothing failed. */
  failure: string;
  /** Attempts that were begun; 0 when no endpoint was asked. */
  attempts: number;
  /** From the start to the first byte of the response head sent to the client; -1 when there was none. */
  ttfbMs: number;
  /** Time waited for an endpoint below its `maxConnections`. */
  queuedMs: number;
  /** Time the last attempt took to connect; 0 on a reused connection. */
  connectMs: number;
  /** Whether the last attempt went over a connection that had carried a request before. */
  reused: boolean;
  userAgent: string;
  referer: string;
}

/** Implemented by `telemetry/`; the data path holds one only when an access log is configured. */
export interface AccessLog {
  /** Takes down one finished request. Never throws and never waits. */
  record(entry: AccessEntry): void;
  /** Takes down one finished session. Never throws and never waits. */
  recordSession(entry: SessionEntry): void;
}
