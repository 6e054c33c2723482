import type { RequestHead } from '../model/message.ts';
import { type HostPattern, lowerCode, type PathPattern } from './route-patterns.ts';
import type { Predicate } from './route-predicates.ts';
import { RouteTable, step } from './route-table.ts';
import { hostEnd } from './route-values.ts';

const SLASH = 47;
const DOT = 46;
/** Worse than every index: nothing was found. */
export const NO_ROUTE: number = 0x7fffffff;

/** The file of routes for every host; hosts have files of their own. */
const EVERY_HOST = 0;
/** Owners in the table of hosts. */
const EXACT_HOST = 0;
const WILDCARD_HOST = 1;

const NO_PREDICATES: readonly Predicate[] = [];

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

/** Which of the lengths up to the longest there are. */
class Lengths {
  #known = new Uint8Array(1);

  has(length: number): boolean {
    return this.#known[length] === 1;
  }

  add(length: number): void {
    if (length >= this.#known.length) {
      const longer = new Uint8Array(length + 1);
      longer.set(this.#known);
      this.#known = longer;
    }
    this.#known[length] = 1;
  }
}

/**
 * Finds the first route of a listener without trying all: routes are filed under their hosts and, there, under their
 * paths. Every file that can hold the request is asked, and the lowest number wins. The index only narrows: conditions on
 * anything but host and path are tested by the same code that `explain` runs.
 *
 * One pass over the path hashes it, and asks the table at each slash and at the end, so the cost grows with the path and not with the
 * number of routes. Nothing is allocated. A list of routes is one number: the route, where there is one, as nearly always; the
 * bitwise complement of a place in `#lists` where there are more; `NO_ROUTE` where there is none.
 */
export class RouteIndex {
  /** Files by host, of wildcards by what follows the star. */
  readonly #hosts = new RouteTable();
  /** Lists of routes by path. Each file owns two sorts of paths: `2 * file` exact ones, `2 * file + 1` prefixes. */
  readonly #paths = new RouteTable();
  readonly #exactLengths = new Lengths();
  readonly #prefixLengths = new Lengths();
  /** By file: the list of routes for every path, and the longest exact path and prefix, -1 for none. */
  readonly #everyPath: number[] = [NO_ROUTE];
  readonly #longestExact: number[] = [-1];
  readonly #longestPrefix: number[] = [-1];
  readonly #lists: number[][] = [];
  /** Of each route: the conditions that the index does not answer. */
  readonly #others: (readonly Predicate[])[] = [];

  /** Adds the next route; routes are numbered from 0 in the order in which they are added. */
  add(
    hosts: readonly HostPattern[] | undefined,
    paths: readonly PathPattern[] | undefined,
    others: readonly Predicate[],
  ): void {
    const route = this.#others.push(others.length === 0 ? NO_PREDICATES : others) - 1;
    if (hosts === undefined) this.#file(EVERY_HOST, paths, route);
    else for (const host of hosts) this.#file(this.#fileOf(host), paths, route);
  }

  #fileOf({ name, wildcard }: HostPattern): number {
    const hash = hashBackwards(name);
    const owner = wildcard ? WILDCARD_HOST : EXACT_HOST;
    const known = this.#hosts.find(hash, owner, name, 0, name.length, false);
    if (known >= 0) return this.#hosts.value(known);
    const file = this.#everyPath.push(NO_ROUTE) - 1;
    this.#longestExact.push(-1);
    this.#longestPrefix.push(-1);
    this.#hosts.add(hash, owner, name, file);
    return file;
  }

  #file(file: number, paths: readonly PathPattern[] | undefined, route: number): void {
    if (paths === undefined || paths.some(({ prefix, path }) => prefix && path === '')) {
      this.#everyPath[file] = this.#appended(this.#everyPath[file]!, route);
      return;
    }
    for (const { path, prefix } of paths) {
      const longest = prefix ? this.#longestPrefix : this.#longestExact;
      longest[file] = Math.max(longest[file]!, path.length);
      (prefix ? this.#prefixLengths : this.#exactLengths).add(path.length);
      const owner = 2 * file + (prefix ? 1 : 0);
      const hash = hashOf(path);
      const known = this.#paths.find(hash, owner, path, 0, path.length, false);
      if (known < 0) this.#paths.add(hash, owner, path, route);
      else this.#paths.setValue(known, this.#appended(this.#paths.value(known), route));
    }
  }

  /** The list with one more route, which is not lower than those in it. */
  #appended(list: number, route: number): number {
    if (list === NO_ROUTE || list === route) return route;
    if (list >= 0) return ~(this.#lists.push([list, route]) - 1);
    const routes = this.#lists[~list]!;
    if (routes.at(-1) !== route) routes.push(route);
    return list;
  }

  /** Number of the first route that the request fits; `NO_ROUTE` when there is none. */
  find(request: RequestHead, clientIp: string): number {
    let best = this.#findIn(EVERY_HOST, NO_ROUTE, request, clientIp);
    const hosts = this.#hosts;
    if (hosts.size === 0) return best;
    const { authority } = request;
    const end = hostEnd(authority);
    let hash = 0;
    for (let at = end - 1; at >= 0; at--) {
      const code = lowerCode(authority.charCodeAt(at));
      hash = step(hash, code);
      if (code !== DOT || at === 0) continue;
      const wildcard = hosts.find(hash, WILDCARD_HOST, authority, at, end, true);
      if (wildcard >= 0) best = this.#findIn(hosts.value(wildcard), best, request, clientIp);
    }
    const exact = hosts.find(hash, EXACT_HOST, authority, 0, end, true);
    return exact < 0 ? best : this.#findIn(hosts.value(exact), best, request, clientIp);
  }

  /** The lowest route of a file that fits, if it is below `limit`; else that. */
  #findIn(file: number, limit: number, request: RequestHead, clientIp: string): number {
    let best = this.#lowest(this.#everyPath[file]!, limit, request, clientIp);
    const { path } = request;
    const { length } = path;
    const prefixes = this.#prefixLengths;
    const longestPrefix = this.#longestPrefix[file]!;
    const exact = length <= this.#longestExact[file]! && this.#exactLengths.has(length);
    const end = exact ? length : Math.min(length, longestPrefix + 1);
    let hash = 0;
    for (let at = 0; at < end; at++) {
      const code = path.charCodeAt(at);
      if (code === SLASH && at <= longestPrefix && prefixes.has(at))
        best = this.#under(hash, 2 * file + 1, path, at, best, request, clientIp);
      hash = step(hash, code);
    }
    if (end < length) return best;
    if (end <= longestPrefix && prefixes.has(end))
      best = this.#under(hash, 2 * file + 1, path, end, best, request, clientIp);
    return exact ? this.#under(hash, 2 * file, path, end, best, request, clientIp) : best;
  }

  /** The same among the routes of one pattern: that of `owner` which is the path up to `end`. */
  #under(
    hash: number,
    owner: number,
    path: string,
    end: number,
    limit: number,
    request: RequestHead,
    clientIp: string,
  ): number {
    const entry = this.#paths.find(hash, owner, path, 0, end, false);
    return entry < 0 ? limit : this.#lowest(this.#paths.value(entry), limit, request, clientIp);
  }

  #lowest(list: number, limit: number, request: RequestHead, clientIp: string): number {
    if (list >= 0) return list < limit && this.#holds(list, request, clientIp) ? list : limit;
    const routes = this.#lists[~list]!;
    for (let at = 0; at < routes.length; at++) {
      const route = routes[at]!;
      if (route >= limit) return limit;
      if (this.#holds(route, request, clientIp)) return route;
    }
    return limit;
  }

  #holds(route: number, request: RequestHead, clientIp: string): boolean {
    const predicates = this.#others[route]!;
    for (let at = 0; at < predicates.length; at++) if (!predicates[at]!.test(request, clientIp)) return false;
    return true;
  }
}
