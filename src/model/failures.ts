/**
 * Every reason for which Pointsman itself ends a request or an attempt, in one table. It generates
 * docs/reference/failures.md, the metric labels, the access-log field, the status and the Proxy-Status header.
 * Codes are permanent: never renamed, never reused.
 */

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

function row(
  status: number,
  origin: FailureOrigin,
  phase: FailurePhase,
  retry: RetryClass,
  proxyStatus: string,
  meaning: string,
): FailureInfo {
  return { status, origin, phase, retry, proxyStatus, meaning };
}

export const FAILURES = {
  // The client's request.
  request_malformed: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'The request breaks the HTTP grammar (RFC 9112); the connection is closed.',
  ),
  request_framing: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'The request says in more than one way, or wrongly, where its body ends.',
  ),
  request_host: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'Host is missing, repeated, or not a host.',
  ),
  request_target: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'The request target is not one that is served here, or its path cannot be normalised safely.',
  ),
  request_connection: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'Connection names a field that must reach the endpoint.',
  ),
  request_upgrade_body: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'An upgrade request carries a body.',
  ),
  request_uri_too_long: row(
    414,
    'client',
    'request',
    'never',
    'http_request_error',
    'The request line is longer than limits.requestLine.',
  ),
  request_head_too_large: row(
    431,
    'client',
    'request',
    'never',
    'http_request_error',
    'The request head is larger than limits.headerBytes, has more lines than limits.headerCount, or is larger than the endpoint says (HTTP/2) that it takes.',
  ),
  request_body_too_large: row(
    413,
    'client',
    'request',
    'never',
    'http_request_error',
    'The request body is larger than limits.bodyBytes.',
  ),
  request_head_timeout: row(
    408,
    'client',
    'request',
    'never',
    'http_request_error',
    'The request head did not arrive within timeouts.requestHead.',
  ),
  request_body_timeout: row(
    408,
    'client',
    'request',
    'never',
    'http_request_error',
    'No byte of the request body arrived for timeouts.requestBody, or it came more slowly than limits.bodyRate.',
  ),
  request_body_malformed: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'The chunked request body breaks the grammar (RFC 9112 section 7.1).',
  ),
  method_unsupported: row(
    405,
    'client',
    'request',
    'never',
    'http_request_denied',
    'CONNECT and TRACE are not served.',
  ),
  protocol_unsupported: row(
    501,
    'client',
    'request',
    'never',
    'http_request_denied',
    'Extended CONNECT (RFC 8441) asks for another protocol than websocket.',
  ),
  http2_error: row(
    400,
    'client',
    'request',
    'never',
    'http_request_error',
    'The client broke HTTP/2 (RFC 9113) on this connection, or did what known attacks do; the connection is closed with GOAWAY.',
  ),
  transfer_coding_unsupported: row(
    501,
    'client',
    'request',
    'never',
    'http_request_error',
    'Only the transfer coding "chunked" is known.',
  ),
  grpc_needs_http2: row(
    501,
    'client',
    'request',
    'never',
    'http_protocol_error',
    'A call of gRPC came by another version of HTTP, where its trailers would be lost; use HTTP/2.',
  ),
  version_unsupported: row(
    505,
    'client',
    'request',
    'never',
    'http_request_error',
    'Only HTTP/1.0 and HTTP/1.1 are spoken on this connection.',
  ),
  expectation_unknown: row(
    417,
    'client',
    'request',
    'never',
    'http_request_error',
    'Expect names something other than 100-continue.',
  ),
  client_closed: row(
    499,
    'client',
    'request',
    'never',
    'connection_terminated',
    'The client went away before the response was complete, or reset its TCP session. Only in logs and metrics.',
  ),
  client_too_slow: row(
    499,
    'client',
    'response-body',
    'never',
    'connection_write_timeout',
    'The client read nothing of the response, or of what came through a tunnel, for timeouts.send. Only in logs and metrics.',
  ),
  loop_detected: row(
    508,
    'client',
    'route',
    'never',
    'proxy_loop_detected',
    'The request has passed this balancer before.',
  ),
  rate_limited: row(
    429,
    'client',
    'route',
    'never',
    'http_request_denied',
    'The rate limit of the route is used up for this key.',
  ),
  misdirected: row(
    421,
    'client',
    'route',
    'never',
    'http_request_denied',
    'The host of the request has another certificate than the one that was shown on this connection.',
  ),
  filter_timeout: row(
    503,
    'pointsman',
    'route',
    'never',
    'proxy_internal_error',
    'A filter that was to answer later did not, for ten seconds.',
  ),
  no_route: row(
    404,
    'client',
    'route',
    'never',
    'destination_not_found',
    'No route of the listener matches.',
  ),

  // Choosing an endpoint.
  no_endpoint: row(
    503,
    'pointsman',
    'pick',
    'never',
    'destination_unavailable',
    'No endpoint of the pool may be used.',
  ),
  affinity_unavailable: row(
    503,
    'pointsman',
    'pick',
    'never',
    'destination_unavailable',
    'The endpoint that the client is bound to may not be used, and affinity is strict.',
  ),
  queue_full: row(
    503,
    'pointsman',
    'pick',
    'never',
    'connection_limit_reached',
    'Every endpoint is at maxConnections and the queue is full.',
  ),
  queue_timeout: row(
    503,
    'pointsman',
    'pick',
    'never',
    'connection_limit_reached',
    'The request waited in the queue for queue.timeout.',
  ),

  // Reaching the endpoint: nothing was sent.
  connect_refused: row(
    502,
    'endpoint',
    'connect',
    'safe',
    'connection_refused',
    'The endpoint refused the connection.',
  ),
  connect_timeout: row(
    504,
    'endpoint',
    'connect',
    'safe',
    'connection_timeout',
    'The endpoint did not accept the connection within timeouts.connect.',
  ),
  connect_failed: row(
    502,
    'endpoint',
    'connect',
    'safe',
    'destination_ip_unroutable',
    'The endpoint could not be reached.',
  ),
  tls_certificate: row(
    502,
    'endpoint',
    'handshake',
    'safe',
    'tls_certificate_error',
    'The certificate of the endpoint could not be verified.',
  ),
  tls_alert: row(
    502,
    'endpoint',
    'handshake',
    'safe',
    'tls_alert_received',
    'The endpoint refused the TLS handshake.',
  ),
  tls_failed: row(
    502,
    'endpoint',
    'handshake',
    'safe',
    'tls_protocol_error',
    'The TLS handshake with the endpoint failed.',
  ),
  dns_failed: row(
    502,
    'endpoint',
    'connect',
    'safe',
    'dns_error',
    'The name of the endpoint could not be resolved.',
  ),

  // The endpoint's response.
  endpoint_stale: row(
    502,
    'endpoint',
    'send',
    'idempotent',
    'connection_terminated',
    'A reused connection was closed by the endpoint before it answered.',
  ),
  endpoint_closed: row(
    502,
    'endpoint',
    'response-head',
    'idempotent',
    'connection_terminated',
    'The endpoint closed the connection before its response head was complete.',
  ),
  endpoint_reset: row(
    502,
    'endpoint',
    'response-head',
    'idempotent',
    'connection_terminated',
    'The endpoint reset the connection before its response head was complete, or in a TCP session.',
  ),
  endpoint_unhealthy: row(
    502,
    'endpoint',
    'response-head',
    'idempotent',
    'connection_terminated',
    'The endpoint became unhealthy while the request waited for its response, or under a TCP session (onEndpointDown).',
  ),
  stream_refused: row(
    503,
    'endpoint',
    'send',
    'safe',
    'connection_limit_reached',
    'The endpoint refused the request without looking at it (HTTP/2: REFUSED_STREAM).',
  ),
  endpoint_goaway: row(
    503,
    'endpoint',
    'send',
    'safe',
    'connection_terminated',
    'The endpoint said GOAWAY on a shared connection before it looked at the request (HTTP/2).',
  ),
  endpoint_protocol: row(
    502,
    'endpoint',
    'response-head',
    'idempotent',
    'http_protocol_error',
    'The endpoint broke the rules of HTTP/2; the connection was closed, with all requests on it.',
  ),
  endpoint_upgrade: row(
    502,
    'endpoint',
    'send',
    'never',
    'http_upgrade_failed',
    'The request switches protocols, and the endpoint does not take extended CONNECT (RFC 8441).',
  ),
  response_malformed: row(
    502,
    'endpoint',
    'response-head',
    'never',
    'http_protocol_error',
    'The response breaks the HTTP grammar.',
  ),
  response_framing: row(
    502,
    'endpoint',
    'response-head',
    'never',
    'http_protocol_error',
    'The response says in more than one way, or wrongly, where its body ends.',
  ),
  response_head_too_large: row(
    502,
    'endpoint',
    'response-head',
    'never',
    'http_response_header_section_size',
    'The response head is larger than 64 KiB or has more than 200 lines.',
  ),
  response_transfer_coding: row(
    502,
    'endpoint',
    'response-head',
    'never',
    'http_response_transfer_coding',
    'The response has a transfer coding other than chunked.',
  ),
  response_upgrade: row(
    502,
    'endpoint',
    'response-head',
    'never',
    'http_upgrade_failed',
    'The endpoint switched protocols without being asked, or to another one.',
  ),
  response_status: row(
    502,
    'endpoint',
    'response-head',
    'idempotent',
    'http_response_incomplete',
    'The response had a status that retry.statuses names.',
  ),
  response_grpc_status: row(
    503,
    'endpoint',
    'response-head',
    'chosen',
    'http_response_incomplete',
    'The endpoint answered a call with nothing but a gRPC status that retry.grpcStatuses names.',
  ),
  response_timeout: row(
    504,
    'endpoint',
    'response-head',
    'idempotent',
    'http_response_timeout',
    'The endpoint sent no response head within timeouts.response.',
  ),
  deadline: row(
    504,
    'endpoint',
    'response-head',
    'never',
    'http_response_timeout',
    'All attempts together took longer than retry.deadline.',
  ),

  // After the head has gone out: the status stands, the connection is cut so that the client can tell.
  response_truncated: row(
    502,
    'endpoint',
    'response-body',
    'never',
    'http_response_incomplete',
    'The endpoint closed the connection in the middle of the response body.',
  ),
  response_body_malformed: row(
    502,
    'endpoint',
    'response-body',
    'never',
    'http_protocol_error',
    'The response body breaks the grammar of chunks, or has not the length that was said.',
  ),
  response_body_timeout: row(
    504,
    'endpoint',
    'response-body',
    'never',
    'connection_read_timeout',
    'No byte of the response body arrived for timeouts.responseBody.',
  ),
  tunnel_idle: row(
    0,
    'pointsman',
    'tunnel',
    'never',
    'connection_read_timeout',
    'No byte passed through the tunnel for timeouts.tunnel.',
  ),
  client_connection_limit: row(
    0,
    'client',
    'accept',
    'never',
    'connection_limit_reached',
    'The client has as many connections (tcp) or sessions (udp) open as limits.perClient allows; the connection was closed, the datagram dropped.',
  ),
  client_connection_rate: row(
    0,
    'client',
    'accept',
    'never',
    'connection_limit_reached',
    'The client begins connections (tcp) or sessions (udp) faster than limits.perClient.rate; the connection was closed, the datagram dropped.',
  ),
  session_idle: row(
    0,
    'pointsman',
    'tunnel',
    'never',
    'connection_read_timeout',
    'No byte passed through the TCP session for timeouts.idle of the listener, or one side took nothing of what waited for it for so long.',
  ),
  session_expired: row(
    0,
    'pointsman',
    'tunnel',
    'never',
    'connection_terminated',
    'The TCP session was as old as timeouts.session of the listener allows.',
  ),
  endpoint_drained: row(
    0,
    'pointsman',
    'tunnel',
    'never',
    'connection_terminated',
    'The endpoint was draining or disabled and its deadline came before the TCP session ended.',
  ),

  // Datagrams.
  response_missing: row(
    0,
    'endpoint',
    'response-head',
    'never',
    'connection_read_timeout',
    'The endpoint of a UDP session gave no answer within timeouts.idle, and session.responses said that there is one.',
  ),
  session_limit: row(
    0,
    'pointsman',
    'accept',
    'never',
    'connection_limit_reached',
    'The udp listener has limits.sessions open, all of them answered; the datagram was dropped.',
  ),
  session_evicted: row(
    0,
    'pointsman',
    'tunnel',
    'never',
    'connection_limit_reached',
    'The udp listener had limits.sessions open; this one, the oldest without an answer, made room for another.',
  ),
  no_descriptor: row(
    503,
    'pointsman',
    'connect',
    'safe',
    'proxy_internal_error',
    'No descriptor, memory or local port was left for a connection to the endpoint, which is not blamed. Of UDP: the datagram was dropped.',
  ),
  amplification: row(
    0,
    'pointsman',
    'response-body',
    'never',
    'destination_unavailable',
    'Answers were larger than limits.amplification of a udp listener allows; the datagram was dropped.',
  ),
  datagram_lost: row(
    0,
    'pointsman',
    'send',
    'never',
    'proxy_internal_error',
    'The kernel had no room for a datagram, or refused to send it; it was dropped.',
  ),
  datagram_truncated: row(
    0,
    'client',
    'request',
    'never',
    'http_request_error',
    'A datagram was larger than any that can be passed on; it was dropped.',
  ),

  // Ourselves.
  accept_exhausted: row(
    0,
    'pointsman',
    'accept',
    'never',
    'proxy_internal_error',
    'No descriptor or memory was left to accept a connection: those that come wait until there is, and it is looked ten times a second.',
  ),
  connection_limit: row(
    0,
    'pointsman',
    'accept',
    'never',
    'connection_limit_reached',
    'The listener has limits.connections open; the connection was closed.',
  ),
  hello_not_tls: row(
    0,
    'client',
    'accept',
    'never',
    'tls_protocol_error',
    'A client of a listener that routes TLS by name did not begin with a ClientHello; the connection was closed.',
  ),
  hello_malformed: row(
    0,
    'client',
    'accept',
    'never',
    'tls_protocol_error',
    'The ClientHello is malformed; the client was told by an alert (decode_error).',
  ),
  hello_too_large: row(
    0,
    'client',
    'accept',
    'never',
    'tls_protocol_error',
    'The ClientHello is larger than limits.clientHelloBytes; the client was told by an alert (decode_error).',
  ),
  hello_timeout: row(
    0,
    'client',
    'accept',
    'never',
    'connection_timeout',
    'The ClientHello was not there within timeouts.clientHello; the connection was closed.',
  ),
  hello_no_route: row(
    0,
    'client',
    'accept',
    'never',
    'destination_not_found',
    'No route takes the name and the protocols that the client asked for; it was told by an alert (unrecognized_name).',
  ),
  proxy_untrusted: row(
    0,
    'client',
    'accept',
    'never',
    'connection_refused',
    'The listener serves only what comes by way of proxyProtocol.from, and this came from elsewhere; the connection was closed.',
  ),
  proxy_missing: row(
    0,
    'client',
    'accept',
    'never',
    'connection_refused',
    'A peer in proxyProtocol.from did not begin with a PROXY header; the connection was closed.',
  ),
  proxy_malformed: row(
    0,
    'client',
    'accept',
    'never',
    'connection_refused',
    'The PROXY header of a peer in proxyProtocol.from is malformed; the connection was closed.',
  ),
  proxy_timeout: row(
    0,
    'client',
    'accept',
    'never',
    'connection_refused',
    'The PROXY header was not there within proxyProtocol.timeout; the connection was closed.',
  ),
  shutting_down: row(
    503,
    'pointsman',
    'accept',
    'never',
    'destination_unavailable',
    'Cut at the end of shutdown.deadline; or a udp listener is closing: it begins no new sessions, and ends those that are never silent.',
  ),
  internal_error: row(
    500,
    'pointsman',
    'route',
    'never',
    'proxy_internal_error',
    'A defect of Pointsman. Please report it.',
  ),
} as const satisfies Record<string, FailureInfo>;

export type FailureCode = keyof typeof FAILURES;

/** A failed attempt or exchange. `detail` is for logs and Proxy-Status, never parsed. */
export interface Failure {
  readonly code: FailureCode;
  readonly detail?: string;
}

const withoutDetail = new Map<FailureCode, Failure>();
for (const code of Object.keys(FAILURES) as FailureCode[]) withoutDetail.set(code, Object.freeze({ code }));

/** A failure value; those without detail are shared, so that the data path allocates none. */
export function failure(code: FailureCode, detail?: string): Failure {
  if (detail !== undefined) return { code, detail };
  return withoutDetail.get(code) ?? { code };
}
