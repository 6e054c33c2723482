import type { Draft } from '../draft.ts';
import type { MatchConfig } from '../schema/match.ts';

type Conditions = Draft<MatchConfig>;
/** Stands for "no condition on this". */
const ANY = '';
/** Routes compared in one bucket of the index at most: warnings must not make loading slow. */
const MOST_COMPARED = 64;

interface Entry {
  readonly index: number;
  readonly match: Conditions;
}

/**
 * Finds routes that an earlier one hides. Routes are kept by their path and host patterns; a later route looks under
 * every pattern that covers its own, so 10 000 routes cost about as many look-ups as they have path segments and labels.
 */
export class ReachIndex {
  readonly #buckets = new Map<string, Entry[]>();
  #count = 0;

  /** Adds the next route. Returns the index of an earlier one that takes all that this one matches. */
  add(match: Conditions): number | undefined {
    const index = this.#count++;
    const paths = listOf(match.path) ?? [ANY];
    const hosts = listOf(match.host)?.map((host) => host.toLowerCase()) ?? [ANY];
    const hiding = this.#covering(match, paths[0] ?? ANY, hosts[0] ?? ANY);
    for (const path of paths) {
      for (const host of hosts) {
        const key = `${path} ${host}`;
        const bucket = this.#buckets.get(key);
        if (bucket === undefined) this.#buckets.set(key, [{ index, match }]);
        else bucket.push({ index, match });
      }
    }
    return hiding;
  }

  #covering(match: Conditions, path: string, host: string): number | undefined {
    const hosts = hostsOver(host);
    let compared = 0;
    for (const widerPath of pathsOver(path)) {
      for (const widerHost of hosts) {
        for (const entry of this.#buckets.get(`${widerPath} ${widerHost}`) ?? []) {
          if (compared++ === MOST_COMPARED) return undefined;
          if (covers(entry.match, match)) return entry.index;
        }
      }
    }
    return undefined;
  }
}

/** Whether every request that `later` matches is matched by `earlier`. */
function covers(earlier: Conditions, later: Conditions): boolean {
  return (
    coversList(earlier.path, later.path, pathsOver) &&
    coversList(lowerCase(earlier.host), lowerCase(later.host), hostsOver) &&
    coversList(earlier.method, later.method, (method) => [method]) &&
    coversList(earlier.from, later.from, (network) => [network]) &&
    coversValues(earlier.headers, later.headers, true) &&
    coversValues(earlier.cookies, later.cookies, false) &&
    coversValues(earlier.query, later.query, false)
  );
}

function coversList(
  earlier: OneOrMore | undefined,
  later: OneOrMore | undefined,
  over: (item: string) => readonly string[],
): boolean {
  const wide = listOf(earlier);
  if (wide === undefined) return true;
  const narrow = listOf(later);
  return narrow !== undefined && narrow.every((item) => over(item).some((wider) => wide.includes(wider)));
}

function coversValues(
  earlier: Conditions['headers'],
  later: Conditions['headers'],
  caseless: boolean,
): boolean {
  const norm = (name: string) => (caseless ? name.toLowerCase() : name);
  const narrow = new Map(
    Object.entries(later ?? {}).map(([name, value]) => [norm(name), JSON.stringify(value)]),
  );
  return Object.entries(earlier ?? {}).every(
    ([name, value]) => narrow.get(norm(name)) === JSON.stringify(value),
  );
}

type OneOrMore = string | readonly (string | undefined)[];

function listOf(value: OneOrMore | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? [value] : value.filter((item) => item !== undefined);
}

function lowerCase(value: OneOrMore | undefined): readonly string[] | undefined {
  return listOf(value)?.map((item) => item.toLowerCase());
}

/** A path pattern and every pattern that covers it: `/a/b`, `/a/b/*`, `/a/*`, `/*`, any. */
function pathsOver(path: string): readonly string[] {
  if (path === ANY || path === '/*') return path === ANY ? [ANY, '/*'] : ['/*', ANY];
  const over = [path];
  let at = path.endsWith('/*') ? path.slice(0, -2) : path;
  if (at.endsWith('/')) at = at.slice(0, -1);
  for (; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) over.push(`${at}/*`);
  return [...over, '/*', ANY];
}

/** A host pattern and every pattern that covers it: `a.b.c`, `*.b.c`, `*.c`, any. */
function hostsOver(host: string): readonly string[] {
  if (host === ANY) return [ANY];
  const over = [host];
  let dot = host.indexOf('.');
  if (host.startsWith('[')) dot = -1;
  if (host.startsWith('*.')) dot = host.indexOf('.', 2);
  for (; dot !== -1; dot = host.indexOf('.', dot + 1)) over.push(`*${host.slice(dot)}`);
  return [...over, ANY];
}
