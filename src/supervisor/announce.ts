import { formatAddress } from '../config/address.ts';
import type { Config } from '../config/schema/config.ts';
import { CHECK_KINDS } from '../config/schema/health-check.ts';
import type { Log } from '../model/ports.ts';
import type { ListenerView, RuntimeView } from '../model/runtime-view.ts';
import manifest from '../../package.json' with { type: 'json' };

/** Where a listener listens, a line each. */
export function announceListeners(log: Log, listeners: readonly ListenerView[]): void {
  for (const { name, address, protocol, alpn, pools } of listeners) {
    const spoken = alpn === undefined ? { protocol } : { protocol: 'https', alpn: alpn.join(',') };
    log.info('listening', { listener: name, address, ...spoken, pools: pools.join(',') });
  }
}

/** What was started, a line each. */
export function announce(
  log: Log,
  config: Config,
  running: Pick<RuntimeView, 'listeners' | 'workers'>,
  adminAddress: string | undefined,
  source: string,
): void {
  const workers = running.workers().length;
  log.info('started', { version: manifest.version, pid: process.pid, config: source, workers });
  for (const { name, policy, endpoints, healthCheck } of config.pools) {
    const check =
      healthCheck === undefined
        ? 'none'
        : healthCheck.http === undefined
          ? (CHECK_KINDS.find((kind) => healthCheck[kind] !== undefined) ?? 'tcp')
          : `http ${healthCheck.http.path}`;
    const list = endpoints.map((endpoint) =>
      endpoint.name === formatAddress(endpoint.address)
        ? endpoint.name
        : `${endpoint.name}=${formatAddress(endpoint.address)}`,
    );
    const shown = list.length > 8 ? `${list.slice(0, 8).join(',')},... (${list.length})` : list.join(',');
    log.info('pool', { pool: name, policy, endpoints: shown, healthCheck: check });
  }
  announceListeners(log, running.listeners());
  if (adminAddress !== undefined) log.info('listening', { listener: 'admin', address: adminAddress });
}
