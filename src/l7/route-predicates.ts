import type { MatchConfig, ValueMatch } from '../config/schema/match.ts';
import { cookieName, cookieValue } from '../model/cookies.ts';
import type { RequestHead } from '../model/message.ts';
import { NetworkSet } from '../util/network-set.ts';
import {
  type HostPattern,
  hostMatches,
  parseHostPattern,
  parsePathPattern,
  pathMatches,
} from './route-patterns.ts';
import type { PathPattern } from './route-patterns.ts';
import { headerName, hostOf, queryValue, someHeaderValue } from './route-values.ts';

/** One condition of a route. The router tests it, `explain` also tells what it wants and what it sees. */
export interface Predicate {
  /** What it looks at: `host`, `path`, `method`, `from`, `header x-beta`, `cookie a`, `query q`. */
  readonly subject: string;
  /** What it wants, for people. */
  readonly wants: string;
  test(request: RequestHead, clientIp: string): boolean;
  /** What the request has, for people. */
  sees(request: RequestHead, clientIp: string): string;
}

/** The conditions of a route. Those on host and path are what the index is built from. */
export interface CompiledMatch {
  /** undefined: every host. */
  readonly hosts: readonly HostPattern[] | undefined;
  /** undefined: every path. */
  readonly paths: readonly PathPattern[] | undefined;
  /** Those that the index does not answer. */
  readonly others: readonly Predicate[];
}

function list<T>(oneOrMore: T | readonly T[]): readonly T[] {
  return Array.isArray(oneOrMore) ? (oneOrMore as readonly T[]) : [oneOrMore as T];
}

function any(texts: readonly string[]): string {
  return texts.length === 1 ? texts[0]! : `one of ${texts.join(', ')}`;
}

function shown(value: string | undefined): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}

interface ValueTest {
  readonly wants: string;
  readonly passes: (value: string) => boolean;
  /** Whether it holds when there is no value at all. */
  readonly withoutValue: boolean;
}

function compileValue(match: ValueMatch): ValueTest {
  if (typeof match === 'string') return compileValue({ exact: match });
  if ('exact' in match) {
    const { exact } = match;
    return { wants: JSON.stringify(exact), passes: (value) => value === exact, withoutValue: false };
  }
  if ('prefix' in match) {
    const { prefix } = match;
    return {
      wants: `${JSON.stringify(prefix)} at its start`,
      passes: (value) => value.startsWith(prefix),
      withoutValue: false,
    };
  }
  if ('regex' in match) {
    const regex = new RegExp(match.regex);
    return { wants: `a match of ${regex}`, passes: (value) => regex.test(value), withoutValue: false };
  }
  return match.present
    ? { wants: 'any value', passes: () => true, withoutValue: false }
    : { wants: 'none', passes: () => false, withoutValue: true };
}

function headerPredicate(name: string, match: ValueMatch): Predicate {
  const header = headerName(name);
  const { wants, passes, withoutValue } = compileValue(match);
  const isThere = () => true;
  return {
    subject: `header ${header.text}`,
    wants,
    test: (request) =>
      withoutValue
        ? !someHeaderValue(request.fields, header, isThere)
        : someHeaderValue(request.fields, header, passes),
    sees(request) {
      const values: string[] = [];
      someHeaderValue(request.fields, header, (value) => {
        values.push(shown(value));
        return false;
      });
      return values.length === 0 ? 'none' : values.join(', ');
    },
  };
}

function valuePredicate(
  subject: string,
  match: ValueMatch,
  read: (request: RequestHead) => string | undefined,
): Predicate {
  const { wants, passes, withoutValue } = compileValue(match);
  return {
    subject,
    wants,
    test(request) {
      const value = read(request);
      return value === undefined ? withoutValue : passes(value);
    },
    sees: (request) => shown(read(request)),
  };
}

function hostPredicate(patterns: readonly HostPattern[]): Predicate {
  return {
    subject: 'host',
    wants: any(patterns.map((pattern) => pattern.text)),
    test: ({ authority }) => patterns.some((pattern) => hostMatches(pattern, authority)),
    sees: (request) => hostOf(request.authority) || 'none',
  };
}

function pathPredicate(patterns: readonly PathPattern[]): Predicate {
  return {
    subject: 'path',
    wants: any(patterns.map((pattern) => pattern.text)),
    test: ({ path }) => patterns.some((pattern) => pathMatches(pattern, path)),
    sees: (request) => request.path,
  };
}

function methodPredicate(methods: readonly string[]): Predicate {
  return {
    subject: 'method',
    wants: any(methods),
    test: (request) => methods.includes(request.method),
    sees: (request) => request.method,
  };
}

function clientPredicate(networks: readonly string[]): Predicate {
  const set = new NetworkSet(networks);
  return {
    subject: 'from',
    wants: any(networks),
    test: (_, clientIp) => set.contains(clientIp),
    sees: (_, clientIp) => clientIp,
  };
}

/**
 * Compiles the conditions of a route, which a configuration check has passed.
 * @throws RangeError or SyntaxError on a network or regular expression that is none.
 */
export function compileMatch(match: MatchConfig | undefined): CompiledMatch {
  const hosts = match?.host === undefined ? undefined : list(match.host).map(parseHostPattern);
  const paths = match?.path === undefined ? undefined : list(match.path).map(parsePathPattern);
  const others: Predicate[] = [];
  if (match?.method !== undefined) others.push(methodPredicate(list(match.method)));
  if (match?.from !== undefined) others.push(clientPredicate(list(match.from)));
  for (const [name, value] of Object.entries(match?.headers ?? {})) others.push(headerPredicate(name, value));
  for (const [name, value] of Object.entries(match?.cookies ?? {})) {
    const cookie = cookieName(name);
    others.push(valuePredicate(`cookie ${name}`, value, (request) => cookieValue(request.fields, cookie)));
  }
  for (const [name, value] of Object.entries(match?.query ?? {}))
    others.push(valuePredicate(`query ${name}`, value, (request) => queryValue(request.query, name)));
  return { hosts, paths, others };
}

/** Every condition, in the order in which `explain` reports them. */
export function allPredicates({ hosts, paths, others }: CompiledMatch): Predicate[] {
  return [
    ...(hosts === undefined ? [] : [hostPredicate(hosts)]),
    ...(paths === undefined ? [] : [pathPredicate(paths)]),
    ...others,
  ];
}
