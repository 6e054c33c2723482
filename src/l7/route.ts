import type { RouteConfig } from '../config/schema/listener.ts';
import { type FieldLine, fieldLine } from '../model/fields.ts';
import type { Filter, LocalReply } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import { compileArms, drawArm, type WeightedArms } from '../model/weighted-arms.ts';
import type { Random } from '../util/random.ts';
import { type PathPattern, pathMatches } from './route-patterns.ts';
import type { CompiledMatch } from './route-predicates.ts';
import { hostOf } from './route-values.ts';

export interface Split<P> extends WeightedArms<P> {
  readonly kind: 'split';
}

export interface Redirect {
  readonly kind: 'redirect';
  readonly status: number;
  readonly to: string;
  /** Port of the same host to go to by https; undefined when `to` says where. */
  readonly securePort: number | undefined;
  /** Where the rest of the path is appended: the patterns of the route, of which the first that fits counts. */
  readonly appendRestOf: readonly PathPattern[];
}

/** What a route does. `P` is what the caller links a pool's name to. */
export type RouteAction<P> =
  | { readonly kind: 'pool'; readonly pool: P }
  | Split<P>
  | { readonly kind: 'reply'; readonly reply: LocalReply }
  | Redirect;

/** A route as requests need it. */
export class CompiledRoute<P> {
  /** Place in the configuration, from 0. */
  readonly index: number;
  readonly action: RouteAction<P>;
  readonly filters: readonly Filter[];
  readonly #name: string | undefined;

  /** @param name Its own; undefined when it has none. */
  constructor(index: number, name: string | undefined, action: RouteAction<P>, filters: readonly Filter[]) {
    this.index = index;
    this.#name = name;
    this.action = action;
    this.filters = filters;
  }

  /** Its own, or its place. */
  get name(): string {
    return this.#name ?? `routes[${this.index}]`;
  }
}

const NO_BODY = Buffer.alloc(0);

function compileReply(config: NonNullable<RouteConfig['reply']>): LocalReply {
  const fields: FieldLine[] = [];
  const body = Buffer.from(config.body);
  if (body.length > 0) fields.push(fieldLine('Content-Type', config.contentType));
  for (const [name, value] of Object.entries(config.headers)) fields.push(fieldLine(name, value));
  return { status: config.status, fields, body };
}

/**
 * Compiles what routes of one listener do. Those that lead to one pool share what comes of it. `pool` turns a name into what the
 * caller links pools to.
 */
export function actionCompiler<P>(
  pool: (name: string) => P,
): (config: RouteConfig, match: CompiledMatch) => RouteAction<P> {
  const toPools = new Map<string, RouteAction<P>>();
  return (config, match) => {
    if (config.pool === undefined) return compileAction(config, match, pool);
    const known = toPools.get(config.pool);
    if (known !== undefined) return known;
    const action: RouteAction<P> = { kind: 'pool', pool: pool(config.pool) };
    toPools.set(config.pool, action);
    return action;
  };
}

/**
 * Compiles what a route does that does not simply lead to a pool.
 * @throws RangeError when the route does nothing or no arm of its split has a weight, which the configuration check
 * refuses.
 */
function compileAction<P>(
  config: RouteConfig,
  match: CompiledMatch,
  pool: (name: string) => P,
): RouteAction<P> {
  if (config.split !== undefined) return { kind: 'split', ...compileArms(config.split, pool) };
  if (config.reply !== undefined) return { kind: 'reply', reply: compileReply(config.reply) };
  if (config.redirect !== undefined) {
    const { to = '', status, scheme, port } = config.redirect;
    const appends = to.endsWith('/') && !/[?#]/.test(to);
    const appendRestOf = appends ? (match.paths ?? []) : [];
    const securePort = scheme === undefined ? undefined : port;
    return { kind: 'redirect', status, to, securePort, appendRestOf };
  }
  throw new RangeError('a route needs one of pool, split, reply, redirect');
}

/**
 * Chooses an arm of a split: the one that the request is bound to by affinity, else one at random by weight.
 * @param isBound Whether the request carries a binding to an endpoint of that pool.
 */
export function pickArm<P>(
  split: Split<P>,
  random: Random,
  request: RequestHead,
  isBound: (pool: P, request: RequestHead) => boolean,
): P {
  const { arms } = split;
  for (let index = 0; index < arms.length; index++) {
    if (isBound(arms[index]!.pool, request)) return arms[index]!.pool;
  }
  return drawArm(split, random);
}

/** The rest of a path below the prefix of the first pattern that fits: without leading slash. */
function restBelow(patterns: readonly PathPattern[], path: string): string {
  for (const pattern of patterns) {
    if (pathMatches(pattern, path)) return pattern.prefix ? path.slice(pattern.path.length + 1) : '';
  }
  return '';
}

/**
 * The value of Location: the configured place, the rest of the path, the query of the request. The path is normalised,
 * so the rest cannot begin with a slash and turn `/` into the `//host` of another site.
 */
export function redirectLocation(redirect: Redirect, request: RequestHead): string {
  const { to, securePort } = redirect;
  const query = request.query.length > 1 ? request.query : '';
  if (securePort !== undefined) return secureLocation(request, securePort) + query;
  if (redirect.appendRestOf.length > 0) return to + restBelow(redirect.appendRestOf, request.path) + query;
  if (query === '') return to;
  const fragment = to.indexOf('#');
  const place = fragment < 0 ? to : to.slice(0, fragment);
  const joined = place.includes('?') ? `&${query.slice(1)}` : query;
  return place + joined + (fragment < 0 ? '' : to.slice(fragment));
}

function secureLocation({ authority, path }: RequestHead, port: number): string {
  const host = hostOf(authority);
  return `https://${host}${port === 443 ? '' : `:${port}`}${path === '*' ? '/' : path}`;
}

/** Whether a redirect to the same host cannot be said, because the request names none (HTTP/1.0). */
export function lacksHost(redirect: Redirect, request: RequestHead): boolean {
  return redirect.securePort !== undefined && request.authority === '';
}

/** The response of a redirect. */
export function redirectReply(redirect: Redirect, request: RequestHead): LocalReply {
  const location = fieldLine('Location', redirectLocation(redirect, request));
  return { status: redirect.status, fields: [location], body: NO_BODY };
}
