import type { FilterConfig } from '../config/schema/filters.ts';
import type { RouteConfig } from '../config/schema/listener.ts';
import type { Filter } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import { actionCompiler, CompiledRoute } from './route.ts';
import { NO_ROUTE, RouteIndex } from './route-index.ts';
import { allPredicates, compileMatch, type Predicate } from './route-predicates.ts';

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

const NO_FILTERS: readonly Filter[] = [];

function predicatesOf({ match }: RouteConfig): Predicate[] {
  return allPredicates(compileMatch(match));
}

/**
 * The routes of a listener. The first in the configuration that fits a request wins. There may be tens of thousands: what a request
 * does not need is not kept, and what many routes have in common they share.
 */
export class Router<P> {
  readonly routes: readonly CompiledRoute<P>[];
  /** What `explain` compiles the conditions from again. */
  readonly #configs: readonly RouteConfig[];
  readonly #index: RouteIndex;
  /** Set when the first route takes everything, so that nothing has to be looked at. */
  readonly #only: CompiledRoute<P> | undefined;

  /** @param routes Those of `configs`, which are in `index`, too. */
  constructor(configs: readonly RouteConfig[], routes: readonly CompiledRoute<P>[], index: RouteIndex) {
    this.#configs = configs;
    this.routes = routes;
    this.#index = index;
    this.#only = configs.length > 0 && predicatesOf(configs[0]!).length === 0 ? routes[0] : undefined;
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
      const failed = predicatesOf(this.#configs[route.index]!).find(
        (predicate) => !predicate.test(request, clientIp),
      );
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
  const index = new RouteIndex();
  const compileAction = actionCompiler((pool) => linker.pool(pool));
  const routes = configs.map((config, place) => {
    const match = compileMatch(config.match);
    index.add(match.hosts, match.paths, match.others);
    const action = compileAction(config, match);
    const filters = config.filters.map((filter, which) => linker.filter(filter, place, which));
    return new CompiledRoute(place, config.name, action, filters.length === 0 ? NO_FILTERS : filters);
  });
  return new Router(configs, routes, index);
}
