import type { Pool } from '../model/pool.ts';
import type { Metric, SampleSink } from './metric.ts';

function poolMetric(
  name: string,
  type: 'counter' | 'gauge',
  extraLabels: readonly string[],
  help: string,
  write: (pool: Pool, sink: SampleSink) => void,
): Metric {
  return {
    name,
    type,
    labels: ['pool', ...extraLabels],
    help,
    *collect({ view }, sink) {
      for (const pool of view.pools()) yield write(pool, sink);
    },
  };
}

function perPool(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (pool: Pool) => number,
): Metric {
  return poolMetric(name, type, [], help, (pool, sink) => sink.value([pool.name], read(pool)));
}

/** Metrics of pools: how requests find an endpoint. */
export const POOL_METRICS: readonly Metric[] = [
  perPool(
    'pointsman_pool_requests_total',
    'counter',
    'Requests routed to the pool.',
    (pool) => pool.stats.requests,
  ),
  perPool(
    'pointsman_pool_active_requests',
    'gauge',
    'Requests routed to the pool that have not ended.',
    (pool) => pool.activeRequests,
  ),
  perPool('pointsman_pool_endpoints', 'gauge', 'Endpoints of the pool.', (pool) => pool.view.all.length),
  perPool(
    'pointsman_pool_available_endpoints',
    'gauge',
    'Endpoints that take new work. In panic, those that health would keep out too.',
    (pool) => pool.view.available.length,
  ),
  perPool(
    'pointsman_pool_panic',
    'gauge',
    '1 when so few endpoints are healthy that health is ignored.',
    (pool) => (pool.view.panic ? 1 : 0),
  ),
  perPool(
    'pointsman_pool_queued_requests',
    'gauge',
    'Requests that wait because every endpoint is at maxConnections.',
    (pool) => pool.queued,
  ),
  poolMetric(
    'pointsman_pool_queue_rejections_total',
    'counter',
    ['reason'],
    'Requests refused by the queue, by reason: full, or timeout when they waited too long.',
    ({ name, stats }, sink) => {
      sink.value([name, 'full'], stats.queueFull);
      sink.value([name, 'timeout'], stats.queueTimeouts);
    },
  ),
  perPool(
    'pointsman_pool_no_endpoint_total',
    'counter',
    'Requests refused because no endpoint could be used.',
    (pool) => pool.stats.noEndpoint,
  ),
  perPool(
    'pointsman_pool_active_retries',
    'gauge',
    'Retries under way, which the budget limits.',
    (pool) => pool.activeRetries,
  ),
  perPool('pointsman_pool_retries_total', 'counter', 'Retries begun.', (pool) => pool.stats.retries),
  perPool(
    'pointsman_pool_retries_denied_total',
    'counter',
    'Retries that would have been safe but that the budget did not allow.',
    (pool) => pool.stats.retriesDenied,
  ),
];
