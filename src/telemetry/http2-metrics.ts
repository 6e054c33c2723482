import { H2_ABUSES, type H2Stats } from '../model/h2-stats.ts';
import type { Metric } from './metric.ts';
import { listenerMetric, perListener } from './listener-metrics.ts';

function perHttp2(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (stats: H2Stats) => number,
): Metric {
  return perListener(name, type, help, ({ http2 }) => read(http2));
}

/** Metrics of HTTP/2 towards clients. */
export const HTTP2_METRICS: readonly Metric[] = [
  perHttp2(
    'pointsman_http2_open_connections',
    'gauge',
    'Client connections that speak HTTP/2, open now.',
    (stats) => stats.connectionsOpen,
  ),
  perHttp2(
    'pointsman_http2_connections_total',
    'counter',
    'Client connections that spoke HTTP/2.',
    (stats) => stats.connectionsTotal,
  ),
  perHttp2('pointsman_http2_open_streams', 'gauge', 'HTTP/2 streams open now.', (stats) => stats.streamsOpen),
  perHttp2(
    'pointsman_http2_streams_total',
    'counter',
    'HTTP/2 streams opened by clients.',
    (stats) => stats.streamsTotal,
  ),
  perHttp2(
    'pointsman_http2_streams_refused_total',
    'counter',
    'HTTP/2 streams refused because of http2.maxConcurrentStreams.',
    (stats) => stats.streamsRefused,
  ),
  perHttp2(
    'pointsman_http2_resets_received_total',
    'counter',
    'HTTP/2 streams reset by clients.',
    (stats) => stats.resetsReceived,
  ),
  perHttp2(
    'pointsman_http2_resets_sent_total',
    'counter',
    'HTTP/2 streams reset by Pointsman.',
    (stats) => stats.resetsSent,
  ),
  perHttp2(
    'pointsman_http2_protocol_errors_total',
    'counter',
    'HTTP/2 connections ended because the client broke the protocol.',
    (stats) => stats.protocolErrors,
  ),
  listenerMetric(
    'pointsman_http2_abuse_total',
    'counter',
    ['reason'],
    'HTTP/2 connections ended because of what known attacks do, by reason; see the guide on HTTP/2.',
    ({ http2 }, listener, sink) => {
      for (const abuse of H2_ABUSES) sink.value([listener, abuse], http2.abuses(abuse));
    },
  ),
];
