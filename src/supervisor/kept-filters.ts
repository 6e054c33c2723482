import type { FilterConfig } from '../config/schema/filters.ts';
import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { pairRoutes } from '../config/route-pairs.ts';

interface Kept<T> {
  readonly config: FilterConfig;
  readonly value: T;
}

/**
 * The filters of a listener before a reload, or what belongs to them, to be taken over by the routes that they belong to: what a
 * filter remembers (the buckets of a rate limit) outlives every change but one of its own configuration.
 */
export class KeptFilters<T> {
  /** Of each new route: the filters of the route that it was. */
  readonly #byRoute: Kept<T>[][];

  /** @param values What is in force, by route and place. */
  constructor(before: HttpListenerConfig, values: readonly (readonly T[])[], after: HttpListenerConfig) {
    const kept = (routes: HttpListenerConfig['routes']): boolean =>
      routes.some(({ filters }) => filters.length > 0);
    // To find out which of ten thousand routes is which takes a while.
    if (!kept(before.routes) || !kept(after.routes)) {
      this.#byRoute = [];
      return;
    }
    this.#byRoute = pairRoutes(before.routes, after.routes).map((index) => {
      if (index === undefined) return [];
      const configs = before.routes[index]!.filters;
      return values[index]!.map((value, place) => ({ config: configs[place]!, value }));
    });
  }

  /** That of the filter of that route with this configuration, which is then given away. */
  take(route: number, config: FilterConfig): T | undefined {
    const kept = this.#byRoute[route] ?? [];
    const place = kept.findIndex((candidate) => Bun.deepEquals(candidate.config, config));
    return place < 0 ? undefined : kept.splice(place, 1)[0]!.value;
  }
}
