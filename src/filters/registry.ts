import type { FilterConfig } from '../config/schema/filters.ts';
import type { Filter } from '../model/filter.ts';
import type { Log } from '../model/ports.ts';
import { headersFilter } from './headers/headers-filter.ts';
import { rateLimitBytes, RateLimitFilter } from './rate-limit/rate-limit-filter.ts';
import { rewriteFilter } from './rewrite/rewrite-filter.ts';

/** What filters may use besides their configuration and the exchange. */
export interface FilterDeps {
  readonly log: Log;
  /** `filterBytes` of memory that all workers have; left out, the filter remembers for itself. */
  readonly memory?: Uint8Array | undefined;
}

type EveryKey<T> = T extends unknown ? keyof T : never;
type FilterName = EveryKey<FilterConfig>;
type OptionsOf<Name extends FilterName> = Extract<FilterConfig, Record<Name, unknown>>[Name];

/** Every filter by its name in the configuration. One that the schema has and this has not does not compile. */
const FILTERS = {
  headers: (options) => headersFilter(options),
  rewrite: (options) => rewriteFilter(options),
  rateLimit: (options, deps) => new RateLimitFilter(options, deps.log, deps.memory),
} satisfies { [Name in FilterName]: (options: OptionsOf<Name>, deps: FilterDeps) => Filter };

/** Bytes of memory in which a filter remembers what all workers must know; 0 for most. */
export function filterBytes(config: FilterConfig): number {
  return 'rateLimit' in config ? rateLimitBytes(config.rateLimit) : 0;
}

/** Builds the filter that a route asks for. Each has its own state: a rate limit counts for its route alone. */
export function createFilter(config: FilterConfig, deps: FilterDeps): Filter {
  const [name, options] = Object.entries(config)[0]!;
  const create = FILTERS[name as FilterName] as (options: unknown, deps: FilterDeps) => Filter;
  return create(options, deps);
}
