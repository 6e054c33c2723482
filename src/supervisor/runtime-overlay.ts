import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { EndpointConfig, PoolConfig } from '../config/schema/pool.ts';
import type { RuntimeChange } from '../model/endpoint-control.ts';
import type { AdminState } from '../model/endpoint.ts';

/** Who made a change, and when. */
export interface Stamp {
  readonly by: string;
  readonly sinceWallMs: number;
}

/** A value that stands as long as the file says of the same thing what it said then. */
interface Standing<T, Was> extends Stamp {
  readonly value: T;
  readonly was: Was;
}

/** What was changed of one endpoint. */
interface Override {
  /** Added (its configuration) or removed (undefined); was: the entry of the file, undefined when there was none. */
  membership?: Standing<EndpointConfig | undefined, EndpointConfig | undefined> | undefined;
  state?: Standing<AdminState, EndpointConfig> | undefined;
  weight?: Standing<number, EndpointConfig> | undefined;
}

/** Changes by pool and endpoint, as they are handed from one process to the next. Plain JSON. */
export type SavedOverlay = readonly (readonly [string, readonly (readonly [string, Override])[]])[];

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The override as far as it stands against this entry of a file; undefined when nothing of it does. */
function standing(override: Override, entry: EndpointConfig | undefined): Override | undefined {
  const { membership, state, weight } = override;
  if (membership !== undefined && same(membership.was, entry)) return { membership };
  if (entry === undefined) return undefined;
  // The same name at another address is another server: what was wanted of the old one does not hold for it.
  const left: Override = {};
  if (state?.was.state === entry.state && same(state.was.address, entry.address)) left.state = state;
  if (weight?.was.weight === entry.weight && same(weight.was.address, entry.address)) left.weight = weight;
  return left.state === undefined && left.weight === undefined ? undefined : left;
}

/**
 * What was changed at run time, kept apart from what the file says and laid over it. One rule holds for all: a change stands until
 * the file says something else of the same thing (or its pool goes); then the file counts.
 */
export class RuntimeOverlay {
  readonly #pools = new Map<string, Map<string, Override>>();
  #file: ReadonlyMap<string, PoolConfig>;

  /** All changes, to be handed to another process. */
  save(): SavedOverlay {
    return [...this.#pools].map(([pool, overrides]) => [pool, [...overrides]]);
  }

  /** Goes on with changes of another process. Those that do not stand over the file are forgotten, and returned. */
  restore(config: Config, saved: SavedOverlay): readonly RuntimeChange[] {
    for (const [pool, overrides] of saved) this.#pools.set(pool, new Map(overrides));
    return this.adopt(config);
  }

  /** @param file What the file says, nothing changed yet. */
  constructor(file: Config) {
    this.#file = byName(file.pools);
  }

  /** `config` with all that would stand over it. A pool without changes is the same object. */
  over(config: Config): Config {
    return { ...config, pools: config.pools.map((pool) => this.#overPool(pool)) };
  }

  /** What is in force in a pool of the file. */
  inForce(pool: string): PoolConfig | undefined {
    const file = this.#file.get(pool);
    return file === undefined ? undefined : this.#overPool(file);
  }

  /** Another file holds now: what does not stand over it is forgotten, and returned. */
  adopt(config: Config): readonly RuntimeChange[] {
    const before = this.list();
    this.#file = byName(config.pools);
    for (const [pool, overrides] of this.#pools) {
      for (const [name, override] of overrides) {
        this.#set(pool, name, standing(override, this.#entry(pool, name)));
      }
    }
    const left = new Set(this.list().map((change) => JSON.stringify(change)));
    return before.filter((change) => !left.has(JSON.stringify(change)));
  }

  setState(pool: string, name: string, value: AdminState, stamp: Stamp): void {
    this.#tune(pool, name, 'state', value, stamp);
  }

  setWeight(pool: string, name: string, value: number, stamp: Stamp): void {
    this.#tune(pool, name, 'weight', value, stamp);
  }

  /** Whatever had this name in the pool is replaced. */
  add(pool: string, endpoint: EndpointConfig, stamp: Stamp): void {
    const was = this.#entry(pool, endpoint.name);
    const back = same(was, endpoint);
    this.#set(pool, endpoint.name, back ? undefined : { membership: { value: endpoint, was, ...stamp } });
  }

  remove(pool: string, name: string, stamp: Stamp): void {
    const was = this.#entry(pool, name);
    // What the file never named leaves no trace.
    this.#set(
      pool,
      name,
      was === undefined ? undefined : { membership: { value: undefined, was, ...stamp } },
    );
  }

  /** Pools with changes, which are forgotten. */
  clear(): string[] {
    const pools = [...this.#pools.keys()];
    this.#pools.clear();
    return pools;
  }

  /** By pool, in the order in which they were made. */
  list(): RuntimeChange[] {
    const changes: RuntimeChange[] = [];
    for (const [pool, overrides] of this.#pools) {
      for (const [endpoint, override] of overrides) changes.push(...listOverride(pool, endpoint, override));
    }
    return changes;
  }

  #tune(pool: string, name: string, key: 'state' | 'weight', value: AdminState | number, stamp: Stamp): void {
    const override = this.#pools.get(pool)?.get(name) ?? {};
    const { membership } = override;
    if (membership?.value !== undefined) {
      const changed = { ...membership.value, [key]: value };
      this.#set(pool, name, { membership: { ...membership, value: changed } });
      return;
    }
    const was = this.#entry(pool, name);
    if (was === undefined) return;
    const tuned = was[key] === value ? undefined : { value, was, ...stamp };
    const after = { ...override, [key]: tuned };
    this.#set(pool, name, after.state === undefined && after.weight === undefined ? undefined : after);
  }

  #entry(pool: string, name: string): EndpointConfig | undefined {
    return this.#file.get(pool)?.endpoints.find((endpoint) => endpoint.name === name);
  }

  #set(pool: string, name: string, override: Override | undefined): void {
    const overrides = this.#pools.get(pool) ?? new Map<string, Override>();
    if (override === undefined) overrides.delete(name);
    else overrides.set(name, override);
    if (overrides.size === 0) this.#pools.delete(pool);
    else this.#pools.set(pool, overrides);
  }

  #overPool(pool: PoolConfig): PoolConfig {
    const overrides = this.#pools.get(pool.name);
    if (overrides === undefined) return pool;
    const endpoints: EndpointConfig[] = [];
    for (const entry of pool.endpoints) {
      const override = overrides.get(entry.name);
      const stands = override === undefined ? undefined : standing(override, entry);
      if (stands?.membership === undefined) {
        const { state, weight } = entry;
        endpoints.push({
          ...entry,
          state: stands?.state?.value ?? state,
          weight: stands?.weight?.value ?? weight,
        });
      } else if (stands.membership.value !== undefined) endpoints.push(stands.membership.value);
    }
    const named = new Set(pool.endpoints.map(({ name }) => name));
    for (const [name, { membership }] of overrides) {
      if (!named.has(name) && membership?.value !== undefined && membership.was === undefined)
        endpoints.push(membership.value);
    }
    return { ...pool, endpoints };
  }
}

function byName(pools: readonly PoolConfig[]): ReadonlyMap<string, PoolConfig> {
  return new Map(pools.map((pool) => [pool.name, pool]));
}

function listOverride(
  pool: string,
  endpoint: string,
  { membership, state, weight }: Override,
): RuntimeChange[] {
  const at = { pool, endpoint };
  const changes: RuntimeChange[] = [];
  if (membership !== undefined) {
    const { value, was, by, sinceWallMs } = membership;
    const file = was === undefined ? null : formatAddress(was.address);
    changes.push(
      value === undefined
        ? { ...at, kind: 'removed', value: null, file, by, sinceWallMs }
        : { ...at, kind: 'added', value: formatAddress(value.address), file, by, sinceWallMs },
    );
    if (value !== undefined && value.state !== 'enabled')
      changes.push({ ...at, kind: 'state', value: value.state, file: null, by, sinceWallMs });
  }
  if (state !== undefined) {
    const { value, was, by, sinceWallMs } = state;
    changes.push({ ...at, kind: 'state', value, file: was.state, by, sinceWallMs });
  }
  if (weight !== undefined) {
    const { value, was, by, sinceWallMs } = weight;
    changes.push({ ...at, kind: 'weight', value, file: was.weight, by, sinceWallMs });
  }
  return changes;
}
