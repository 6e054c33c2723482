import { availability, type Endpoint } from '../model/endpoint.ts';
import { GRPC_STATUS_NAMES } from '../model/grpc-status.ts';
import type { Metric, MetricsSource, SampleSink } from './metric.ts';
import { STATUS_CLASSES } from './status-class.ts';

/** What an endpoint is to an operator: one of these at any time. */
const STATES = ['open', 'draining', 'unhealthy', 'ejected', 'disabled'] as const;

function stateOf(endpoint: Endpoint, nowMs: number): (typeof STATES)[number] {
  const now = availability(endpoint, nowMs);
  if (now !== 'closed') return now === 'open' ? 'open' : 'draining';
  if (endpoint.admin === 'disabled') return 'disabled';
  return endpoint.health === 'unhealthy' ? 'unhealthy' : 'ejected';
}

function endpointMetric(
  name: string,
  type: Metric['type'],
  extraLabels: readonly string[],
  help: string,
  write: (endpoint: Endpoint, labels: readonly string[], sink: SampleSink, source: MetricsSource) => void,
): Metric {
  return {
    name,
    type,
    labels: ['pool', 'endpoint', ...extraLabels],
    help,
    *collect(source, sink) {
      for (const pool of source.view.pools())
        for (const endpoint of pool.view.all) yield write(endpoint, [pool.name, endpoint.name], sink, source);
    },
  };
}

function perEndpoint(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (endpoint: Endpoint, source: MetricsSource) => number,
): Metric {
  return endpointMetric(name, type, [], help, (endpoint, labels, sink, source) =>
    sink.value(labels, read(endpoint, source)),
  );
}

/** Metrics of endpoints: how each server does. */
export const ENDPOINT_METRICS: readonly Metric[] = [
  endpointMetric(
    'pointsman_endpoint_state',
    'gauge',
    ['state'],
    '1 for the state that the endpoint is in, 0 for the others: open, draining (bound sessions only), unhealthy, ejected, disabled.',
    (endpoint, labels, sink, { clock }) => {
      const now = stateOf(endpoint, clock.nowMs());
      for (const state of STATES) sink.value([...labels, state], state === now ? 1 : 0);
    },
  ),
  perEndpoint(
    'pointsman_endpoint_up',
    'gauge',
    '1 when the endpoint may take requests, if only of bound sessions.',
    (endpoint, { clock }) => (availability(endpoint, clock.nowMs()) === 'closed' ? 0 : 1),
  ),
  endpointMetric(
    'pointsman_endpoint_transitions_total',
    'counter',
    ['kind'],
    'Changes of state, by kind: healthy, unhealthy, ejected, readmitted, admin.',
    (endpoint, labels, sink, { transitions }) => {
      for (const [kind, count] of transitions.of(endpoint)) sink.value([...labels, kind], count);
    },
  ),
  perEndpoint(
    'pointsman_endpoint_effective_weight',
    'gauge',
    'Weight in force: the configured one, scaled by slow start.',
    (endpoint) => endpoint.effectiveWeight,
  ),
  perEndpoint(
    'pointsman_endpoint_in_flight',
    'gauge',
    'Requests and sessions under way, those that wait for a connection included.',
    (endpoint) => endpoint.inFlight,
  ),
  perEndpoint(
    'pointsman_endpoint_sessions',
    'gauge',
    'TCP and UDP sessions open.',
    (endpoint) => endpoint.sessions,
  ),
  perEndpoint(
    'pointsman_endpoint_requests_total',
    'counter',
    'Attempts begun, for requests and for sessions.',
    (endpoint) => endpoint.stats.requests,
  ),
  perEndpoint(
    'pointsman_endpoint_errors_total',
    'counter',
    'Attempts that failed through the endpoint, or whose status counts as a failure.',
    (endpoint) => endpoint.stats.errors,
  ),
  perEndpoint(
    'pointsman_endpoint_retries_total',
    'counter',
    'Attempts that were a retry of an earlier one.',
    (endpoint) => endpoint.stats.retries,
  ),
  endpointMetric(
    'pointsman_endpoint_responses_total',
    'counter',
    ['code'],
    'Responses of the endpoint, by class of the status.',
    ({ stats }, labels, sink) => {
      for (const [digit, code] of STATUS_CLASSES) sink.value([...labels, code], stats.statuses[digit] ?? 0);
    },
  ),
  endpointMetric(
    'pointsman_endpoint_grpc_responses_total',
    'counter',
    ['code'],
    'Calls of gRPC that the endpoint answered, by status; those other than ok only once they were seen.',
    ({ stats }, labels, sink) => {
      for (const [status, code] of GRPC_STATUS_NAMES.entries()) {
        const calls = stats.grpcStatuses[status]!;
        if (calls > 0 || status === 0) sink.value([...labels, code], calls);
      }
    },
  ),
  perEndpoint(
    'pointsman_endpoint_sent_bytes_total',
    'counter',
    'Bytes sent to the endpoint.',
    (endpoint) => endpoint.stats.bytesOut,
  ),
  perEndpoint(
    'pointsman_endpoint_received_bytes_total',
    'counter',
    'Bytes received from the endpoint.',
    (endpoint) => endpoint.stats.bytesIn,
  ),
  perEndpoint(
    'pointsman_endpoint_connections_opened_total',
    'counter',
    'Connections opened to the endpoint.',
    (endpoint) => endpoint.stats.connectionsOpened,
  ),
  perEndpoint(
    'pointsman_endpoint_connections_reused_total',
    'counter',
    'Attempts that went over a connection that was there.',
    (endpoint) => endpoint.stats.connectionsReused,
  ),
  perEndpoint(
    'pointsman_endpoint_connections_idle',
    'gauge',
    'Connections kept for reuse that carry nothing now.',
    (endpoint, { view }) => view.idleConnections(endpoint),
  ),
  perEndpoint(
    'pointsman_endpoint_connect_failures_total',
    'counter',
    'Connections that could not be opened.',
    (endpoint) => endpoint.stats.connectFailures,
  ),
  endpointMetric(
    'pointsman_endpoint_connect_duration_seconds',
    'histogram',
    [],
    'Time to open a connection, of those that could be opened.',
    ({ stats }, labels, sink) => sink.histogram(labels, stats.connect),
  ),
  endpointMetric(
    'pointsman_endpoint_request_duration_seconds',
    'histogram',
    [],
    'Time from the beginning of an attempt to the end of the response.',
    ({ stats }, labels, sink) => sink.histogram(labels, stats.latency),
  ),
];
