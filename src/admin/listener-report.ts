import type { ListenerView } from '../model/runtime-view.ts';
import { HANDSHAKE_FAILURES } from '../model/tls-stats.ts';
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
  /** Of a udp listener. */
  readonly datagrams: { readonly received: number; readonly sent: number };
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** TLS handshakes, and the certificates in force; null when TLS is not spoken. */
  readonly tls: TlsReport | null;
  /** In their order. */
  readonly routes: readonly { readonly name: string; readonly requests: number }[];
}

/** The TLS of a listener. */
export interface TlsReport {
  readonly handshakes: number;
  readonly resumed: number;
  /** By reason; those that never happened are left out. */
  readonly failures: Readonly<Record<string, number>>;
  readonly certificates: readonly {
    readonly names: readonly string[];
    readonly kind: string;
    readonly serial: string;
    readonly notAfter: string;
  }[];
}

function reportTls({ stats: { tls }, certificates }: ListenerView): TlsReport | null {
  if (certificates.length === 0) return null;
  const failures = HANDSHAKE_FAILURES.map((reason) => [reason, tls.failures(reason)] as const);
  return {
    handshakes: tls.handshakes,
    resumed: tls.resumed,
    failures: Object.fromEntries(failures.filter(([, count]) => count > 0)),
    certificates: certificates.map(({ names, kind, serial, notAfterMs }) => ({
      names,
      kind,
      serial,
      notAfter: new Date(notAfterMs).toISOString(),
    })),
  };
}

export function reportListener(listener: ListenerView): ListenerReport {
  const { name, address, protocol, pools, stats } = listener;
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
    datagrams: { received: stats.datagramsIn, sent: stats.datagramsOut },
    bytesReceived: stats.bytesIn,
    bytesSent: stats.bytesOut,
    tls: reportTls(listener),
    routes: stats.routes,
  };
}
