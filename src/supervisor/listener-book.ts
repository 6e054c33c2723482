import { formatAddress } from '../config/address.ts';
import { poolsOf } from '../config/pool-references.ts';
import { routeNames } from '../config/route-names.ts';
import { isHttp, type ListenerConfig } from '../config/schema/listener.ts';
import type { ListenerStats } from '../model/listener-stats.ts';
import type { ListenerView } from '../model/runtime-view.ts';
import { certificateViews } from './certificate-views.ts';
import type { Ports } from './messages.ts';
import { listenerStats, type SharedCells } from './shared-cells.ts';

/** The listeners in force and what workers count of them, as people are shown them. */
export class ListenerBook {
  readonly #cells: SharedCells;
  #listeners: readonly ListenerConfig[] = [];
  /** Names of the pools that each leads to. */
  #pools: ReadonlyMap<ListenerConfig, readonly string[]> = new Map();
  #stats: ReadonlyMap<string, ListenerStats> = new Map();
  #ports: Ports = {};

  /** @param cells Where workers count. */
  constructor(cells: SharedCells) {
    this.#cells = cells;
  }

  /** These are in force from now on. Counters of those that stay go on. */
  adopt(listeners: readonly ListenerConfig[]): void {
    const stats = new Map<string, ListenerStats>();
    for (const listener of listeners) {
      const { name } = listener;
      const own = this.#stats.get(name) ?? listenerStats(this.#cells, name);
      own.nameRoutes(() => routeNames(listener));
      stats.set(name, own);
    }
    this.#stats = stats;
    this.#listeners = listeners;
    this.#pools = new Map(listeners.map((listener) => [listener, poolsOf(listener)]));
  }

  /** Workers have opened these, where sockets are not held here. */
  learnPorts(ports: Ports): void {
    this.#ports = ports;
  }

  /** @param portOf The real port of a listener whose sockets are held here. */
  views(portOf: (listener: string) => number | undefined): readonly ListenerView[] {
    return this.#listeners.map((config) => {
      const { name, address } = config;
      return {
        name,
        address: formatAddress({
          host: address.host,
          port: portOf(name) ?? this.#ports[name] ?? address.port,
        }),
        protocol: config.protocol,
        alpn: isHttp(config) ? config.tls?.alpn : undefined,
        pools: this.#pools.get(config)!,
        stats: this.#stats.get(name)!,
        certificates: certificateViews(config),
      };
    });
  }
}
