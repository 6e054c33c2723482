import type { FilterConfig } from '../config/schema/filters.ts';
import type { RouteConfig } from '../config/schema/listener.ts';
import type { Filter } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import { compileAction, type CompiledRoute, routeName } from './route.ts';
import { NO_ROUTE, RouteIndex } from './route-index.ts';
import { compileMatch } from './route-predicates.ts';

/** How the names in a route become live objects. */
export interface RouteLinker<P> {
  pool(name: string): P;
  /**
   * @param route Index of the route that the filter belongs to.
   * @param place Which of its filters it is, from 0.
   */
  filter(config: FilterConfig, route: number, place: number): Filter;
}

/** Why a route was or was not the one. */
export type RouteVerdict =
  | { readonly kind: 'chosen' }
  /** An earlier route was chosen. */
  | { readonly kind: 'not-reached' }
  /** The first condition that did not hold, and what it saw. */
  | { readonly kind: 'failed'; readonly subject: string; readonly wants: string; readonly sees: string };

export interface RouteExplanation<P> {
  readonly route: CompiledRoute<P>;
  readonly verdict: RouteVerdict;
}

/** The routes of a listener. The first in the configuration that fits a request wins. */
export class Router<P> {
  readonly routes: readonly CompiledRoute<P>[];
  /** Set when the first route takes everything, so that nothing has to be looked at. */
  readonly #only: CompiledRoute<P> | undefined;
  readonly #index = new RouteIndex();

  constructor(routes: readonly CompiledRoute<P>[]) {
    this.routes = routes;
    this.#only = routes[0]?.match.all.length === 0 ? routes[0] : undefined;
    for (const { match } of routes) this.#index.add(match.hosts, match.paths, match.others);
  }

  /**
   * The route of a request; undefined when none fits. Costs the same with ten routes and ten thousand.
   * @param clientIp Address of the client as `canonicalIp` writes it.
   */
  route(request: RequestHead, clientIp: string): CompiledRoute<P> | undefined {
    if (this.#only !== undefined) return this.#only;
    const found = this.#index.find(request, clientIp);
    return found === NO_ROUTE ? undefined : this.routes[found];
  }

  /** What becomes of every route for a request: tries one after the other, by the conditions that `route` runs. */
  explain(request: RequestHead, clientIp: string): RouteExplanation<P>[] {
    let chosen = false;
    return this.routes.map((route) => {
      if (chosen) return { route, verdict: { kind: 'not-reached' } };
      const failed = route.match.all.find((predicate) => !predicate.test(request, clientIp));
      if (failed === undefined) {
        chosen = true;
        return { route, verdict: { kind: 'chosen' } };
      }
      const { subject, wants } = failed;
      return { route, verdict: { kind: 'failed', subject, wants, sees: failed.sees(request, clientIp) } };
    });
  }
}

/**
 * Compiles the routes of a listener from a configuration that was checked.
 * @throws RangeError or SyntaxError on what the check refuses.
 */
export function compileRoutes<P>(configs: readonly RouteConfig[], linker: RouteLinker<P>): Router<P> {
  return new Router(
    configs.map((config, index) => {
      const name = routeName(config, index);
      const match = compileMatch(config.match);
      return {
        index,
        name,
        match,
        action: compileAction(config, match, (pool) => linker.pool(pool)),
        filters: config.filters.map((filter, place) => linker.filter(filter, index, place)),
      };
    }),
  );
}
