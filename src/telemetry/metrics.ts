import { ENDPOINT_METRICS } from './endpoint-metrics.ts';
import { HTTP2_METRICS } from './http2-metrics.ts';
import { LISTENER_METRICS } from './listener-metrics.ts';
import type { Metric } from './metric.ts';
import { POOL_METRICS } from './pool-metrics.ts';
import { PROCESS_METRICS } from './process-metrics.ts';
import { TLS_METRICS } from './tls-metrics.ts';
import { WORKER_METRICS } from './worker-metrics.ts';

/** Every metric there is, in the order in which they are written. Generates docs/reference/metrics.md. */
export const METRICS: readonly Metric[] = [
  ...PROCESS_METRICS,
  ...WORKER_METRICS,
  ...LISTENER_METRICS,
  ...TLS_METRICS,
  ...HTTP2_METRICS,
  ...POOL_METRICS,
  ...ENDPOINT_METRICS,
];
