import { formatAddress } from '../config/address.ts';
import { routeCount, routeNames } from '../config/route-names.ts';
import type { Config } from '../config/schema/config.ts';
import { MAX_CLIENTS } from '../l4/client-limits.ts';
import { ListenerStats } from '../model/listener-stats.ts';
import {
  type Cells,
  type CellSource,
  type ClientCells,
  OBJECT_KINDS,
  type ObjectKind,
  type RouteCells,
} from '../model/shared/cells.ts';
import type { Region } from '../model/shared/regions.ts';
import type { SharedState } from '../model/shared/shared-state.ts';
import type { SlotKeys, SlotMap } from '../model/shared/slots.ts';

/** What the objects of a configuration are known by in the shared memory. Names have no spaces in them. */
export function slotKeysOf({ pools, listeners }: Config): Omit<SlotKeys, 'regions'> {
  const endpoint: string[] = [];
  for (const { name: pool, endpoints } of pools) {
    for (const { name, address } of endpoints) endpoint.push(endpointKey(pool, name, formatAddress(address)));
  }
  const route = listeners.flatMap((listener) => {
    const seen = new Map<string, number>();
    return routeNames(listener).map((name) => {
      const place = seen.get(name) ?? 0;
      seen.set(name, place + 1);
      return routeKey(listener.name, name, place);
    });
  });
  return {
    pool: pools.map(({ name }) => name),
    endpoint,
    listener: listeners.map(({ name }) => name),
    route,
  };
}

/** The counters of a listener. */
export function listenerStats(cells: CellSource, listener: string): ListenerStats {
  return new ListenerStats(cells.listener(listener), () => cells.routes(listener));
}

function endpointKey(pool: string, name: string, address: string): string {
  return `${pool} ${name} ${address}`;
}

function routeKey(listener: string, name: string, place: number): string {
  return `${listener} ${name} ${place}`;
}

/** What the memory of a filter is known by. */
export function filterKey(listener: string, route: number, place: number): string {
  return `${listener} ${route} ${place}`;
}

/** What the tokens of the clients of a listener are known by. */
export function clientRatesKey(listener: string): string {
  return `${listener} rates`;
}

/** What the counts of what its clients have open are known by. */
export function openClientsKey(listener: string): string {
  return `${listener} open`;
}

/** Slots of everything in a snapshot, as workers are sent them. Plain data. */
export type SnapshotSlots = Omit<SlotMap, 'route'> & {
  /** Of the routes of each listener, in their order. */
  readonly routes: readonly (readonly [listener: string, slots: Int32Array])[];
};

/** @param listeners Those that the slots were given out for. */
export function snapshotSlots({ route, ...slots }: SlotMap, listeners: Config['listeners']): SnapshotSlots {
  let at = 0;
  const routes = listeners.map((listener) => {
    const own = Int32Array.from({ length: routeCount(listener) }, () => route[at++]![1]);
    return [listener.name, own] as const;
  });
  return { ...slots, routes };
}

/** The memory of every object, by the slots that the supervisor gave out. */
export class SharedCells implements CellSource {
  readonly #state: SharedState;
  readonly #slots: Readonly<Record<ObjectKind, Map<string, number>>> = {
    pool: new Map(),
    endpoint: new Map(),
    listener: new Map(),
  };
  readonly #routes = new Map<string, Int32Array>();
  #regions: ReadonlyMap<string, Region> = new Map();

  constructor(state: SharedState) {
    this.#state = state;
  }

  /** Slots that were given out; those that were known before stay known, for what is still in use. */
  learn(slots: SnapshotSlots): void {
    for (const kind of OBJECT_KINDS) for (const [key, slot] of slots[kind]) this.#slots[kind].set(key, slot);
    for (const [listener, own] of slots.routes) this.#routes.set(listener, own);
    this.#regions = new Map(slots.regions);
  }

  pool(name: string): Cells<'pool'> {
    return this.#cells('pool', name);
  }

  endpoint(pool: string, name: string, address: string): Cells<'endpoint'> {
    return this.#cells('endpoint', endpointKey(pool, name, address));
  }

  listener(name: string): Cells<'listener'> {
    return this.#cells('listener', name);
  }

  routes(listener: string): RouteCells {
    const slots = this.#routes.get(listener);
    if (slots === undefined) throw new RangeError(`there are no slots for the routes of ${listener}`);
    return { totals: this.#state.routeTotals, slots };
  }

  filter(listener: string, route: number, place: number): Uint8Array | undefined {
    const region = this.#regions.get(filterKey(listener, route, place));
    return region === undefined ? undefined : this.#state.region(region);
  }

  clients(listener: string): ClientCells {
    const rates = this.#regions.get(clientRatesKey(listener));
    const open = this.#regions.get(openClientsKey(listener));
    return {
      rates: rates === undefined ? undefined : this.#state.region(rates),
      open: open === undefined ? undefined : this.#state.tally(open, MAX_CLIENTS),
    };
  }

  #cells<K extends ObjectKind>(kind: K, key: string): Cells<K> {
    const slot = this.#slots[kind].get(key);
    if (slot === undefined) throw new RangeError(`there is no slot for ${kind} ${key}`);
    return this.#state.cells(kind, slot);
  }
}
