import type { Draft } from '../draft.ts';
import type { Path } from '../issue.ts';
import { httpRoutes } from '../pool-references.ts';
import type { Config } from '../schema/config.ts';
import type { HttpListenerConfig, RouteConfig } from '../schema/listener.ts';
import type { TcpListenerConfig } from '../schema/tcp-listener.ts';
import type { Report } from './report.ts';
import { ReachIndex } from './reach.ts';

/** What a route does with a request: exactly one of them. */
const ACTIONS = ['pool', 'split', 'reply', 'redirect'] as const;

/** Each route says one thing to do, and can be reached. */
export function checkRoutes(draft: Draft<Config>, report: Report): void {
  for (const [index, listener] of (draft.listeners ?? []).entries()) {
    const routes = httpRoutes(listener);
    for (const [place, route] of routes.entries()) {
      if (route === undefined) continue;
      const at: Path = ['listeners', index, 'routes', place];
      checkAction(at, report);
      checkSplit(route.split ?? [], at, report);
      checkFilters(route, at, report);
      if (route.redirect !== undefined) checkRedirect(at, report);
    }
    checkReach(routes, ['listeners', index, 'routes'], report);
    if (listener?.protocol === 'http')
      checkPassThrough(listener, ['listeners', index, 'passThrough'], report);
    if (listener?.protocol !== 'tcp' && listener?.protocol !== 'udp') continue;
    checkTarget(listener.protocol, ['listeners', index], report);
    checkSplit(listener.split ?? [], ['listeners', index], report);
    if (listener.protocol === 'tcp') checkTlsRoutes(listener.routes, ['listeners', index, 'routes'], report);
  }
}

function checkReach(routes: readonly (Draft<RouteConfig> | undefined)[], at: Path, report: Report): void {
  const reach = new ReachIndex();
  let open: number | undefined;
  for (const [place, route] of routes.entries()) {
    if (open !== undefined) {
      const message = `routes from here on are never reached: routes[${open}] takes every request`;
      report.warning({ code: 'unreachable', at: [...at, place], message, hint: 'put that one last' });
      return;
    }
    const earlier = reach.add(route?.match ?? {});
    if (takesAll(route?.match)) open = place;
    if (earlier === undefined) continue;
    const message = `this route is never reached: routes[${earlier}] takes all that it matches`;
    report.warning({ code: 'unreachable', at: [...at, place], message, hint: 'put it before that one' });
  }
}

function takesAll(match: Draft<RouteConfig>['match']): boolean {
  if (match === undefined) return true;
  const { path, ...others } = match;
  const paths = typeof path === 'string' ? [path] : path;
  return (
    Object.values(others).every(
      (condition) => condition === undefined || Object.keys(condition).length === 0,
    ) &&
    (paths === undefined || paths.includes('/*'))
  );
}

function checkAction(at: Path, report: Report): void {
  const written = ACTIONS.filter((action) => report.written([...at, action]));
  if (written.length === 1) return;
  const one = 'a route has exactly one of pool, split, reply, redirect';
  if (written.length === 0) {
    report.error({ code: 'missing', at, message: 'the route does not say what to do', hint: one });
    return;
  }
  const named = written.map((action) => `"${action}"`).join(', ');
  const message = `the route has ${named} at once`;
  report.error({ code: 'conflict', at: [...at, written[1]!], on: 'key', message, hint: one });
}

/** What a listener of this protocol may have of them. */
const TARGETS = { tcp: ['pool', 'split', 'routes'], udp: ['pool', 'split'] } as const;

/** A listener that does not speak HTTP says one thing of where sessions go. */
function checkTarget(protocol: 'tcp' | 'udp', at: Path, report: Report): void {
  const written = TARGETS[protocol].filter((key) => report.written([...at, key]));
  if (written.length === 1) return;
  const hint = `a ${protocol} listener has exactly one of ${TARGETS[protocol].join(', ')}`;
  if (written.length === 0) {
    report.error({ code: 'missing', at, message: 'the listener does not say where sessions go', hint });
  } else {
    const message = `the listener has ${written.map((key) => `"${key}"`).join(' and ')} at once`;
    report.error({ code: 'conflict', at: [...at, written[1]!], on: 'key', message, hint });
  }
}

/** Something is left for the listener itself. */
function checkPassThrough({ passThrough, tls }: Draft<HttpListenerConfig>, at: Path, report: Report): void {
  if (passThrough === undefined) return;
  if (tls === undefined) {
    const message = 'without tls there are no names by which clients could be passed on';
    report.error({
      code: 'conflict',
      at,
      on: 'key',
      message,
      hint: 'add tls, or make it a tcp listener with routes',
    });
  }
  checkTlsRoutes(passThrough, at, report);
  for (const [place, route] of passThrough.entries()) {
    if (route === undefined || route.match?.sni !== undefined || route.match?.alpn !== undefined) continue;
    const message = 'this would pass on every client, so the listener would serve nobody itself';
    report.error({ code: 'conflict', at: [...at, place], message, hint: 'add match: { sni: ... }' });
  }
}

/** Each says where sessions go, and can be reached. */
function checkTlsRoutes(routes: Draft<TcpListenerConfig>['routes'] = [], list: Path, report: Report): void {
  const reach = new ReachIndex();
  for (const [place, route] of routes.entries()) {
    if (route === undefined) continue;
    const at = [...list, place];
    const written = (['pool', 'split'] as const).filter((key) => report.written([...at, key]));
    const hint = 'a route has either pool or split';
    if (written.length === 0)
      report.error({ code: 'missing', at, message: 'the route does not say where sessions go', hint });
    if (written.length === 2)
      report.error({
        code: 'conflict',
        at: [...at, 'split'],
        on: 'key',
        message: 'the route has "pool" and "split" at once',
        hint,
      });
    checkSplit(route.split ?? [], at, report);
    // Names are hosts, and protocols are values of which one is offered: as hosts and methods of requests.
    const earlier = reach.add({ host: route.match?.sni, method: route.match?.alpn });
    if (earlier === undefined) continue;
    const message = `this route is never reached: ${list.at(-1)}[${earlier}] takes all that it matches`;
    report.warning({ code: 'unreachable', at, message, hint: 'put it before that one' });
  }
}

function checkRedirect(at: Path, report: Report): void {
  const place = [...at, 'redirect'];
  const written = (['to', 'scheme'] as const).filter((key) => report.written([...place, key]));
  const hint = 'a redirect has either to or scheme';
  if (written.length === 0)
    report.error({ code: 'missing', at: place, message: 'the redirect does not say where to', hint });
  if (written.length === 2) {
    const message = 'the redirect has "to" and "scheme" at once';
    report.error({ code: 'conflict', at: [...place, 'scheme'], on: 'key', message, hint });
  }
}

function checkSplit(arms: NonNullable<Draft<RouteConfig>['split']>, at: Path, report: Report): void {
  if (arms.length > 0 && arms.every((arm) => arm?.weight === 0)) {
    const message = 'every weight of the split is 0, so no request could go anywhere';
    report.error({ code: 'conflict', at: [...at, 'split'], on: 'key', message });
  }
  const seen = new Set<string>();
  for (const [index, arm] of arms.entries()) {
    if (arm?.pool === undefined) continue;
    if (seen.has(arm.pool)) {
      const message = `the pool "${arm.pool}" is in this split twice`;
      report.error({
        code: 'duplicate',
        at: [...at, 'split', index, 'pool'],
        message,
        hint: 'add its weights up',
      });
    }
    seen.add(arm.pool);
  }
}

function checkFilters(route: Draft<RouteConfig>, at: Path, report: Report): void {
  const local = route.reply !== undefined ? 'reply' : route.redirect !== undefined ? 'redirect' : undefined;
  for (const [index, filter] of (route.filters ?? []).entries()) {
    if (filter === undefined) continue;
    const place = [...at, 'filters', index];
    if ('rewrite' in filter && local !== undefined) {
      const message = `a rewrite changes nothing on a route that answers by "${local}"`;
      report.warning({ code: 'ineffective', at: place, message });
    }
    const prefix = 'rewrite' in filter ? filter.rewrite?.prefix : undefined;
    if (prefix !== undefined && !canStartWith(route.match?.path, prefix)) {
      const message = `no path that this route matches starts with ${prefix}, so nothing is rewritten`;
      report.warning({ code: 'ineffective', at: [...place, 'rewrite', 'prefix'], message });
    }
    if (!('headers' in filter) || filter.headers === undefined) continue;
    if (
      !report.written([...place, 'headers', 'request']) &&
      !report.written([...place, 'headers', 'response'])
    ) {
      const message = 'this filter changes nothing';
      report.warning({
        code: 'ineffective',
        at: place,
        message,
        hint: 'write "request" or "response" in it',
      });
    }
  }
}

/** Whether a path that one of the patterns matches can start with `prefix`, by whole segments. */
function canStartWith(
  patterns: string | readonly (string | undefined)[] | undefined,
  prefix: string,
): boolean {
  if (patterns === undefined) return true;
  const start = segmentsOf(prefix);
  return (typeof patterns === 'string' ? [patterns] : patterns).some((pattern) => {
    if (pattern === undefined) return true;
    const fixed = segmentsOf(pattern.endsWith('/*') ? pattern.slice(0, -2) : pattern);
    const shared = pattern.endsWith('/*') ? Math.min(fixed.length, start.length) : start.length;
    return start.slice(0, shared).every((segment, index) => segment === fixed[index]);
  });
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}
