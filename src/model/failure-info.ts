/** Whose fault it was. */
export type FailureOrigin = 'client' | 'endpoint' | 'pointsman';

/** How far the exchange had come. */
export type FailurePhase =
  | 'accept'
  | 'request'
  | 'route'
  | 'pick'
  | 'connect'
  | 'handshake'
  | 'send'
  | 'response-head'
  | 'response-body'
  | 'tunnel';

/**
 * Whether another attempt is safe (RFC 9110 section 9.2.2):
 * `never`; `safe`: nothing of the request was processed, any method; `idempotent`: the endpoint may have acted on it; `chosen`: the
 * configuration says that it is safe, any method.
 */
export type RetryClass = 'never' | 'safe' | 'idempotent' | 'chosen';

export interface FailureInfo {
  /** Status sent when no response head has gone out yet; 0 when the connection is closed without a response. */
  readonly status: number;
  readonly origin: FailureOrigin;
  readonly phase: FailurePhase;
  readonly retry: RetryClass;
  /** Proxy-Status error type (RFC 9209 section 2.3), where one fits. */
  readonly proxyStatus: string;
  readonly meaning: string;
}

/** A row of the table of failures. */
export function row(
  status: number,
  origin: FailureOrigin,
  phase: FailurePhase,
  retry: RetryClass,
  proxyStatus: string,
  meaning: string,
): FailureInfo {
  return { status, origin, phase, retry, proxyStatus, meaning };
}
