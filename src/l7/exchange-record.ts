import type { ClientStream } from '../http/streams.ts';
import type { AccessEntry } from '../model/access-entry.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import { fieldName } from '../model/fields.ts';
import { turnNowMs } from '../net/turn.ts';
import type { Exchange } from './exchange.ts';
import type { L7Listener } from './l7-listener.ts';

const USER_AGENT = fieldName('user-agent');
const REFERER = fieldName('referer');

/** An exchange is over: it is counted, and goes to the access log. */
export function recordExchange(listener: L7Listener, exchange: Exchange): void {
  const { stats, shared } = listener;
  const { status, failure } = exchange;
  const durationMs = turnNowMs() - exchange.startMs;
  stats.requests++;
  stats.statuses[status === 499 ? 0 : (status / 100) | 0]!++;
  stats.bytesIn += exchange.requestBytes;
  stats.bytesOut += exchange.responseBytes;
  // A tunnel lives as long as its client likes: that says nothing of how fast anything is.
  if (status !== 101) stats.latency.record(durationMs);
  if (failure !== '') stats.countFailure(failure);
  if (shared.accessLog !== undefined) shared.accessLog.record(exchangeEntry(listener, exchange, durationMs));
}

/** The same for a request that could not be parsed, and that no exchange served. */
export function recordRefusal(listener: L7Listener, stream: ClientStream, code: FailureCode): void {
  const { stats, shared } = listener;
  const { status } = FAILURES[code];
  stats.requests++;
  stats.statuses[(status / 100) | 0]!++;
  stats.bytesOut += stream.bytesSent;
  stats.countFailure(code);
  const { rawPath, rawQuery } = stream.request;
  shared.accessLog?.record(entry(listener, stream, { status, failure: code, target: rawPath + rawQuery }));
}

function exchangeEntry(listener: L7Listener, exchange: Exchange, durationMs: number): AccessEntry {
  const { attempts } = exchange;
  return entry(listener, exchange.client, {
    status: exchange.status,
    failure: exchange.failure,
    startWallMs: listener.shared.clock.wallMs() - durationMs,
    durationMs,
    route: exchange.routeName,
    pool: exchange.l7Pool?.pool.name ?? '',
    endpoint: attempts?.latest.endpoint?.name ?? '',
    clientIp: exchange.clientIp,
    target: exchange.target,
    requestBytes: exchange.requestBytes,
    responseBytes: exchange.responseBytes,
    attempts: attempts?.count ?? 0,
    ttfbMs: exchange.ttfbMs,
    queuedMs: attempts?.queuedMs ?? 0,
    connectMs: attempts?.latest.connectMs ?? 0,
    reused: exchange.reused,
  });
}

function entry(listener: L7Listener, stream: ClientStream, known: Partial<AccessEntry>): AccessEntry {
  const { request, origin } = stream;
  return {
    startWallMs: listener.shared.clock.wallMs(),
    durationMs: 0,
    listener: listener.name,
    route: '',
    pool: '',
    endpoint: '',
    clientIp: origin.remoteAddress,
    clientPort: origin.remotePort,
    peerIp: origin.peerAddress,
    peerPort: origin.peerPort,
    method: request.method,
    target: '',
    host: request.authority,
    protocol: stream.protocol,
    tlsVersion: origin.tls?.version ?? '',
    tlsCipher: origin.tls?.cipher ?? '',
    serverName: origin.tls?.serverName ?? '',
    alpn: origin.tls?.alpn ?? '',
    status: 0,
    requestBytes: 0,
    responseBytes: 0,
    failure: '',
    attempts: 0,
    ttfbMs: -1,
    queuedMs: 0,
    connectMs: 0,
    reused: false,
    userAgent: request.fields.get(USER_AGENT) ?? '',
    referer: request.fields.get(REFERER) ?? '',
    ...known,
  };
}
