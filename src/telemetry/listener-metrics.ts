import type { ListenerStats, RouteCount } from '../model/listener-stats.ts';
import type { Metric, SampleSink } from './metric.ts';
import { STATUS_CLASSES } from './status-class.ts';

/** Routes of a listener that have a series of their own; the others are summed up as `OTHER_ROUTES`. */
const MAX_ROUTES = 200;
/** Not a name that a route can have. */
const OTHER_ROUTES = '_other';

export function listenerMetric(
  name: string,
  type: Metric['type'],
  extraLabels: readonly string[],
  help: string,
  write: (stats: ListenerStats, name: string, sink: SampleSink) => void,
): Metric {
  return {
    name,
    type,
    labels: ['listener', ...extraLabels],
    help,
    *collect({ view }, sink) {
      for (const listener of view.listeners()) yield write(listener.stats, listener.name, sink);
    },
  };
}

export function perListener(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (stats: ListenerStats) => number,
): Metric {
  return listenerMetric(name, type, [], help, (stats, listener, sink) => sink.value([listener], read(stats)));
}

/** Requests by name of the route, of a bounded number of names. */
function routeCounts(routes: readonly RouteCount[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name, requests } of routes) {
    const key = counts.has(name) || counts.size < MAX_ROUTES ? name : OTHER_ROUTES;
    counts.set(key, (counts.get(key) ?? 0) + requests);
  }
  return counts;
}

/** Metrics of listeners: what clients see. */
export const LISTENER_METRICS: readonly Metric[] = [
  perListener(
    'pointsman_listener_open_connections',
    'gauge',
    'Client connections open now; of a tcp or udp listener, its sessions.',
    (stats) => stats.connectionsOpen,
  ),
  perListener(
    'pointsman_listener_connections_total',
    'counter',
    'Client connections accepted.',
    (stats) => stats.connectionsTotal,
  ),
  perListener(
    'pointsman_listener_connections_rejected_total',
    'counter',
    'Client connections closed at once because of limits.connections or limits.perClient.',
    (stats) => stats.connectionsRejected,
  ),
  perListener(
    'pointsman_listener_received_datagrams_total',
    'counter',
    'Datagrams received from clients by a udp listener, those that were dropped included.',
    (stats) => stats.datagramsIn,
  ),
  {
    name: 'pointsman_listener_lost_datagrams_total',
    type: 'counter',
    labels: ['listener'],
    help: 'Datagrams from clients that the system dropped because the socket of a udp listener was full.',
    *collect({ view }, sink) {
      for (const [listener, count] of view.lostDatagrams()) yield sink.value([listener], count);
    },
  },
  perListener(
    'pointsman_listener_sent_datagrams_total',
    'counter',
    'Datagrams sent to clients by a udp listener.',
    (stats) => stats.datagramsOut,
  ),
  perListener(
    'pointsman_listener_open_tunnels',
    'gauge',
    'Upgraded connections, such as WebSocket, open now.',
    (stats) => stats.tunnelsOpen,
  ),
  perListener(
    'pointsman_listener_requests_total',
    'counter',
    'Requests received, malformed ones included.',
    (stats) => stats.requests,
  ),
  listenerMetric(
    'pointsman_listener_responses_total',
    'counter',
    ['code'],
    'Responses sent to clients, by class of the status; "none" when the connection was closed without one.',
    ({ statuses }, listener, sink) => {
      for (const [digit, code] of STATUS_CLASSES) sink.value([listener, code], statuses[digit] ?? 0);
      sink.value([listener, 'none'], statuses[0] ?? 0);
    },
  ),
  listenerMetric(
    'pointsman_listener_failures_total',
    'counter',
    ['code'],
    'Requests and connections that Pointsman ended, by failure code; see failures.md.',
    (stats, listener, sink) => {
      for (const [code, count] of stats.failures()) sink.value([listener, code], count);
    },
  ),
  perListener(
    'pointsman_listener_received_bytes_total',
    'counter',
    'Bytes received from clients.',
    (stats) => stats.bytesIn,
  ),
  perListener(
    'pointsman_listener_sent_bytes_total',
    'counter',
    'Bytes sent to clients.',
    (stats) => stats.bytesOut,
  ),
  listenerMetric(
    'pointsman_listener_request_duration_seconds',
    'histogram',
    [],
    'Time from the first byte of a request to the end of its response.',
    ({ latency }, listener, sink) => sink.histogram([listener], latency),
  ),
  listenerMetric(
    'pointsman_route_requests_total',
    'counter',
    ['route'],
    `Requests that a route took. The first ${MAX_ROUTES} routes of a listener; the others together as "${OTHER_ROUTES}".`,
    ({ routes }, listener, sink) => {
      for (const [route, requests] of routeCounts(routes)) sink.value([listener, route], requests);
    },
  ),
];
