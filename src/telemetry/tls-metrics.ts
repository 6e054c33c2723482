import { HANDSHAKE_FAILURES } from '../model/tls-stats.ts';
import { listenerMetric, perListener } from './listener-metrics.ts';
import type { Metric } from './metric.ts';

/** Metrics of TLS towards clients. */
export const TLS_METRICS: readonly Metric[] = [
  perListener(
    'pointsman_tls_handshakes_total',
    'counter',
    'TLS handshakes with clients that were completed.',
    ({ tls }) => tls.handshakes,
  ),
  perListener(
    'pointsman_tls_handshakes_resumed_total',
    'counter',
    'Completed TLS handshakes that resumed a session.',
    ({ tls }) => tls.resumed,
  ),
  listenerMetric(
    'pointsman_tls_handshake_failures_total',
    'counter',
    ['reason'],
    'TLS handshakes with clients that failed, by reason; see the guide on TLS.',
    ({ tls }, listener, sink) => {
      for (const reason of HANDSHAKE_FAILURES) sink.value([listener, reason], tls.failures(reason));
    },
  ),
  perListener(
    'pointsman_tls_violations_total',
    'counter',
    'TLS connections ended because of what a client sent after its handshake: damaged or oversized records, messages out of place, floods of empty records, alerts or key updates.',
    ({ tls }) => tls.violations,
  ),
  {
    name: 'pointsman_certificate_not_after_seconds',
    type: 'gauge',
    labels: ['listener', 'name', 'serial'],
    help: 'When a certificate in force expires, seconds since 1970. `name` is the first that it is used for.',
    *collect({ view }, sink) {
      for (const { name, certificates } of view.listeners()) {
        for (const { names, serial, notAfterMs } of certificates)
          yield sink.value([name, names[0] ?? '', serial], notAfterMs / 1000);
      }
    },
  },
];
