import type { Config } from '../config/schema/config.ts';
import type { EndpointConfig, PoolConfig } from '../config/schema/pool.ts';
import type { RuntimeChange } from '../model/endpoint-control.ts';
import type { AdminState } from '../model/endpoint.ts';
import {
  changesOf,
  type EndpointOverride,
  overridden,
  sameJson,
  type Stamp,
  standing,
} from './endpoint-override.ts';

/** Changes by pool and endpoint, as they are handed from one process to the next. Plain JSON. */
export type SavedOverlay = readonly (readonly [string, readonly (readonly [string, EndpointOverride])[]])[];

/**
 * What was changed at run time, kept apart from what the file says and laid over it. One rule holds for all: a change stands until
 * the file says something else of the same thing (or its pool goes); then the file counts.
 */
export class RuntimeOverlay {
  readonly #pools = new Map<string, Map<string, EndpointOverride>>();
  #file: ReadonlyMap<string, PoolConfig>;

  /** @param file What the file says, nothing changed yet. */
  constructor(file: Config) {
    this.#file = byName(file.pools);
  }

  /** All changes, to be handed to another process. */
  save(): SavedOverlay {
    return [...this.#pools].map(([pool, overrides]) => [pool, [...overrides]]);
  }

  /** Goes on with changes of another process. Those that do not stand over the file are forgotten, and returned. */
  restore(config: Config, saved: SavedOverlay): readonly RuntimeChange[] {
    for (const [pool, overrides] of saved) this.#pools.set(pool, new Map(overrides));
    return this.adopt(config);
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
    const back = sameJson(was, endpoint);
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
      for (const [endpoint, override] of overrides) changes.push(...changesOf(pool, endpoint, override));
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

  #set(pool: string, name: string, override: EndpointOverride | undefined): void {
    const overrides = this.#pools.get(pool) ?? new Map<string, EndpointOverride>();
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
      const config = overridden(entry, overrides.get(entry.name));
      if (config !== undefined) endpoints.push(config);
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
