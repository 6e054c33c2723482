import type { RequestHead } from '../model/message.ts';
import { type HostPattern, hostMatches, lowerCode, type PathPattern, pathMatches } from './route-patterns.ts';
import type { Predicate } from './route-predicates.ts';
import { hostEnd } from './route-values.ts';

const SLASH = 47;
const DOT = 46;
/** Worse than every index: nothing was found. */
export const NO_ROUTE: number = 0x7fffffff;

/** One more character of a running hash. Patterns are compared in full afterwards, so collisions cost time only. */
function step(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0;
}

function hashOf(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = step(hash, text.charCodeAt(at));
  return hash;
}

/** The same over the characters from the end to the start: hosts are read from the top-level domain. */
function hashBackwards(text: string): number {
  let hash = 0;
  for (let at = text.length - 1; at >= 0; at--) hash = step(hash, text.charCodeAt(at));
  return hash;
}

interface PathEntry {
  readonly pattern: PathPattern;
  /** Indices of routes, ascending. */
  readonly routes: number[];
}

/** Routes by number, and the conditions of each that the index does not answer. */
export type OtherPredicates = readonly (readonly Predicate[])[];

/** The lowest of the candidates that is below `best` and whose other conditions hold; `best` when none is. */
function lowest(
  candidates: readonly number[],
  best: number,
  others: OtherPredicates,
  request: RequestHead,
  clientIp: string,
): number {
  for (let at = 0; at < candidates.length; at++) {
    const candidate = candidates[at]!;
    if (candidate >= best) return best;
    const predicates = others[candidate]!;
    let holds = true;
    for (let index = 0; holds && index < predicates.length; index++)
      holds = predicates[index]!.test(request, clientIp);
    if (holds) return candidate;
  }
  return best;
}

/** Patterns by the hash of their text, told apart by comparing. */
class PathTable {
  readonly #entries = new Map<number, PathEntry[]>();
  /** By length: whether a pattern of that length exists. */
  #lengths = new Uint8Array(1);

  /** Longest pattern, -1 without any. */
  get longest(): number {
    return this.#entries.size === 0 ? -1 : this.#lengths.length - 1;
  }

  hasLength(length: number): boolean {
    return this.#lengths[length] === 1;
  }

  add(pattern: PathPattern, route: number): void {
    const { path } = pattern;
    const hash = hashOf(path);
    const bucket = this.#entries.get(hash) ?? [];
    this.#entries.set(hash, bucket);
    const entry = bucket.find((other) => other.pattern.path === path);
    if (entry === undefined) bucket.push({ pattern, routes: [route] });
    else if (entry.routes.at(-1) !== route) entry.routes.push(route);
    if (path.length >= this.#lengths.length) {
      const longer = new Uint8Array(path.length + 1);
      longer.set(this.#lengths);
      this.#lengths = longer;
    }
    this.#lengths[path.length] = 1;
  }

  find(hash: number, best: number, others: OtherPredicates, request: RequestHead, clientIp: string): number {
    const bucket = this.#entries.get(hash);
    if (bucket === undefined) return best;
    let found = best;
    for (let at = 0; at < bucket.length; at++) {
      const entry = bucket[at]!;
      if (pathMatches(entry.pattern, request.path))
        found = lowest(entry.routes, found, others, request, clientIp);
    }
    return found;
  }
}

/**
 * The routes of one host by path. One pass over the path hashes it, and asks the tables at each slash and at the end,
 * so the cost grows with the path and not with the number of routes. Nothing is allocated.
 */
class PathIndex {
  readonly #exact = new PathTable();
  readonly #prefixes = new PathTable();
  readonly #everyPath: number[] = [];

  add(patterns: readonly PathPattern[] | undefined, route: number): void {
    if (patterns === undefined || patterns.some((pattern) => pattern.prefix && pattern.path === '')) {
      this.#everyPath.push(route);
      return;
    }
    for (const pattern of patterns) (pattern.prefix ? this.#prefixes : this.#exact).add(pattern, route);
  }

  find(limit: number, others: OtherPredicates, request: RequestHead, clientIp: string): number {
    let best = lowest(this.#everyPath, limit, others, request, clientIp);
    const { path } = request;
    const prefixes = this.#prefixes;
    const longestPrefix = prefixes.longest;
    const exact = this.#exact.hasLength(path.length);
    const end = exact ? path.length : Math.min(path.length, longestPrefix + 1);
    let hash = 0;
    for (let at = 0; at < end; at++) {
      const code = path.charCodeAt(at);
      if (code === SLASH && at <= longestPrefix && prefixes.hasLength(at))
        best = prefixes.find(hash, best, others, request, clientIp);
      hash = step(hash, code);
    }
    if (end < path.length) return best;
    if (prefixes.hasLength(end)) best = prefixes.find(hash, best, others, request, clientIp);
    return exact ? this.#exact.find(hash, best, others, request, clientIp) : best;
  }
}

interface HostEntry {
  readonly pattern: HostPattern;
  readonly paths: PathIndex;
}

class HostTable {
  readonly #entries = new Map<number, HostEntry[]>();

  get empty(): boolean {
    return this.#entries.size === 0;
  }

  pathsOf(pattern: HostPattern): PathIndex {
    const hash = hashBackwards(pattern.name);
    const bucket = this.#entries.get(hash) ?? [];
    this.#entries.set(hash, bucket);
    let entry = bucket.find((other) => other.pattern.name === pattern.name);
    if (entry === undefined) {
      entry = { pattern, paths: new PathIndex() };
      bucket.push(entry);
    }
    return entry.paths;
  }

  find(hash: number, best: number, others: OtherPredicates, request: RequestHead, clientIp: string): number {
    const bucket = this.#entries.get(hash);
    if (bucket === undefined) return best;
    let found = best;
    for (let at = 0; at < bucket.length; at++) {
      const entry = bucket[at]!;
      if (hostMatches(entry.pattern, request.authority))
        found = entry.paths.find(found, others, request, clientIp);
    }
    return found;
  }
}

/**
 * Finds the first route of a listener without trying all: routes are filed under their hosts and, there, under their
 * paths. Every file that can hold the request is asked, and the lowest number wins. The index only narrows: patterns
 * and other conditions are tested by the same code that `explain` runs.
 */
export class RouteIndex {
  readonly #hosts = new HostTable();
  readonly #wildcards = new HostTable();
  readonly #everyHost = new PathIndex();
  readonly #others: (readonly Predicate[])[] = [];

  /** Adds the next route; routes are numbered from 0 in the order in which they are added. */
  add(
    hosts: readonly HostPattern[] | undefined,
    paths: readonly PathPattern[] | undefined,
    others: readonly Predicate[],
  ): void {
    const route = this.#others.push(others) - 1;
    if (hosts === undefined) {
      this.#everyHost.add(paths, route);
      return;
    }
    const files = new Set(hosts.map((host) => (host.wildcard ? this.#wildcards : this.#hosts).pathsOf(host)));
    for (const file of files) file.add(paths, route);
  }

  /** Number of the first route that the request fits; `NO_ROUTE` when there is none. */
  find(request: RequestHead, clientIp: string): number {
    const others = this.#others;
    let best = this.#everyHost.find(NO_ROUTE, others, request, clientIp);
    if (this.#hosts.empty && this.#wildcards.empty) return best;
    const { authority } = request;
    let hash = 0;
    for (let at = hostEnd(authority) - 1; at >= 0; at--) {
      const code = lowerCode(authority.charCodeAt(at));
      hash = step(hash, code);
      if (code === DOT && at > 0) best = this.#wildcards.find(hash, best, others, request, clientIp);
    }
    return this.#hosts.find(hash, best, others, request, clientIp);
  }
}
