import type { ListenerView } from '../model/runtime-view.ts';
import { responsesByClass } from './report-values.ts';

/** What GET /api/v1/listeners says of a listener. */
export interface ListenerReport {
  readonly name: string;
  readonly address: string;
  /** `http`, `tcp`, `udp`. A listener that does not speak HTTP has sessions (`connections`) and no requests. */
  readonly protocol: string;
  /** Pools that it can lead to. */
  readonly pools: readonly string[];
  readonly connections: { readonly open: number; readonly total: number; readonly rejected: number };
  readonly tunnels: number;
  readonly requests: number;
  readonly responses: Readonly<Record<string, number>>;
  /** Requests whose connection was closed without a response. */
  readonly unanswered: number;
  /** By failure code; those that never happened are left out. */
  readonly failures: Readonly<Record<string, number>>;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** In their order. */
  readonly routes: readonly { readonly name: string; readonly requests: number }[];
}

export function reportListener({ name, address, protocol, pools, stats }: ListenerView): ListenerReport {
  return {
    name,
    address,
    protocol,
    pools,
    connections: {
      open: stats.connectionsOpen,
      total: stats.connectionsTotal,
      rejected: stats.connectionsRejected,
    },
    tunnels: stats.tunnelsOpen,
    requests: stats.requests,
    responses: responsesByClass(stats.statuses),
    unanswered: stats.statuses[0] ?? 0,
    failures: Object.fromEntries(stats.failures().filter(([, count]) => count > 0)),
    bytesReceived: stats.bytesIn,
    bytesSent: stats.bytesOut,
    routes: stats.routes.map((route) => ({ name: route.name, requests: route.requests })),
  };
}
