import type { FilterConfig } from '../config/schema/filters.ts';
import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { pairRoutes } from '../config/route-pairs.ts';
import type { Filter } from '../model/filter.ts';

interface Kept {
  readonly config: FilterConfig;
  readonly filter: Filter;
}

/**
 * The filters of a listener before a reload, to be taken over by the routes that they belong to: what a filter remembers (the
 * buckets of a rate limit) outlives every change but one of its own configuration.
 */
export class KeptFilters {
  /** Of each new route: the filters of the route that it was. */
  readonly #byRoute: Kept[][];

  /** @param filters Those in force, by route and place. */
  constructor(
    before: HttpListenerConfig,
    filters: readonly (readonly Filter[])[],
    after: HttpListenerConfig,
  ) {
    this.#byRoute = pairRoutes(before.routes, after.routes).map((index) => {
      if (index === undefined) return [];
      const configs = before.routes[index]!.filters;
      return filters[index]!.map((filter, place) => ({ config: configs[place]!, filter }));
    });
  }

  /** The filter of that route with this configuration, which is then given away. */
  take(route: number, config: FilterConfig): Filter | undefined {
    const kept = this.#byRoute[route]!;
    const place = kept.findIndex((candidate) => Bun.deepEquals(candidate.config, config));
    return place < 0 ? undefined : kept.splice(place, 1)[0]!.filter;
  }
}
