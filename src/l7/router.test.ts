import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { requestHead } from '../../test/support/request-head.ts';
import { type RouteConfig, route as routeSchema } from '../config/schema/listener.ts';
import type { MatchConfig } from '../config/schema/match.ts';
import type { Filter } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import { compileRoutes, type Router } from './router.ts';

const noFilter: Filter = { name: 'none' };

function router(...matches: (MatchConfig | undefined)[]): Router<string> {
  const routes = matches.map((match): RouteConfig => routeSchema.parse({ match, pool: 'p' }));
  return compileRoutes(routes, { pool: (name) => name, filter: () => noFilter });
}

/** Index of the route that takes the request; -1 for none. */
function chosen(routes: Router<string>, request: RequestHead, clientIp = '192.0.2.1'): number {
  return routes.route(request, clientIp)?.index ?? -1;
}

function takes(match: MatchConfig, request: RequestHead, clientIp?: string): boolean {
  return chosen(router(match), request, clientIp) === 0;
}

function hosted(host: string): RequestHead {
  return requestHead('GET', '/', `Host: ${host}`);
}

describe('host', () => {
  test.each(['example.com', 'EXAMPLE.com', 'example.com:8080', 'example.com.', 'Example.Com.:80'])(
    'example.com takes %s',
    (host) => {
      expect(takes({ host: 'example.com' }, hosted(host))).toBe(true);
      expect(takes({ host: 'Example.COM' }, hosted(host))).toBe(true);
    },
  );

  test.each(['www.example.com', 'example.co', 'xample.com', 'example.com.evil.test'])(
    'example.com does not take %s',
    (host) => {
      expect(takes({ host: 'example.com' }, hosted(host))).toBe(false);
    },
  );

  test('a wildcard takes one or more labels', () => {
    const match = { host: '*.example.com' };
    for (const host of ['a.example.com', 'a.b.EXAMPLE.com:1', 'x-1.example.com.'])
      expect(takes(match, hosted(host))).toBe(true);
    for (const host of ['example.com', 'aexample.com', '.example.com', 'a.example.com.uk'])
      expect(takes(match, hosted(host))).toBe(false);
  });

  test('addresses are hosts too', () => {
    expect(takes({ host: '192.0.2.1' }, hosted('192.0.2.1:80'))).toBe(true);
    expect(takes({ host: '[2001:db8::1]' }, hosted('[2001:DB8::1]:80'))).toBe(true);
    expect(takes({ host: '[2001:db8::1]' }, hosted('[2001:db8::2]'))).toBe(false);
  });

  test('any of several', () => {
    const match = { host: ['a.test', '*.b.test'] };
    expect(takes(match, hosted('a.test'))).toBe(true);
    expect(takes(match, hosted('x.b.test'))).toBe(true);
    expect(takes(match, hosted('c.test'))).toBe(false);
  });
});

describe('path', () => {
  test.each([
    ['/login', '/login', true],
    ['/login', '/login/', false],
    ['/login', '/logi', false],
    ['/login', '/login?next=/', true],
    ['/api/*', '/api', true],
    ['/api/*', '/api/', true],
    ['/api/*', '/api/x/y', true],
    ['/api/*', '/apis', false],
    ['/api/*', '/ap', false],
    ['/api/*', '/x/api/', false],
    ['/*', '/', true],
    ['/*', '/anything', true],
    ['/', '/', true],
    ['/', '/x', false],
    ['/a%2Fb', '/a%2fb', true],
    ['/a%20b/*', '/a%20b/x', true],
    ['/api/*', '/x/../api/y', true],
    ['/api/*', '//api///y', true],
    ['/api/*', '/api/../x', false],
    ['/api/*', '/api%2Fx', false],
  ])('%s on %s: %p', (path, target, expected) => {
    expect(takes({ path }, requestHead('GET', target))).toBe(expected);
  });

  test('OPTIONS * is no path, so only routes for every path take it', () => {
    const request = requestHead('OPTIONS', '*');
    expect(takes({}, request)).toBe(true);
    expect(takes({ path: '/*' }, request)).toBe(true);
    expect(takes({ path: '/' }, request)).toBe(false);
  });
});

describe('other conditions', () => {
  test('method', () => {
    expect(takes({ method: ['GET', 'HEAD'] }, requestHead('HEAD', '/'))).toBe(true);
    expect(takes({ method: 'GET' }, requestHead('POST', '/'))).toBe(false);
    expect(takes({ method: 'GET' }, requestHead('get', '/'))).toBe(false);
  });

  test('from', () => {
    const request = requestHead('GET', '/');
    expect(takes({ from: ['10.0.0.0/8', '2001:db8::/32'] }, request, '10.9.8.7')).toBe(true);
    expect(takes({ from: ['10.0.0.0/8', '2001:db8::/32'] }, request, '2001:db8::1')).toBe(true);
    expect(takes({ from: '10.0.0.0/8' }, request, '11.0.0.1')).toBe(false);
  });

  test.each<[MatchConfig['headers'], string[], boolean]>([
    [{ 'X-Beta': 'true' }, ['x-beta: true'], true],
    [{ 'X-Beta': 'true' }, ['x-beta: TRUE'], false],
    [{ 'X-Beta': 'true' }, [], false],
    [{ 'X-Beta': 'true' }, ['X-Beta: false', 'x-BETA: true'], true],
    [{ 'X-Beta': { prefix: 'tr' } }, ['X-Beta: true'], true],
    [{ 'X-Beta': { regex: '^t.*e$' } }, ['X-Beta: true'], true],
    [{ 'X-Beta': { regex: '^t$' } }, ['X-Beta: true'], false],
    [{ 'X-Beta': { present: true } }, ['X-Beta:'], true],
    [{ 'X-Beta': { present: true } }, [], false],
    [{ 'X-Beta': { present: false } }, ['X-Beta: true'], false],
    [{ 'X-Beta': { present: false } }, [], true],
    [{ 'User-Agent': { prefix: 'curl/' } }, ['User-Agent: curl/8'], true],
    [{ a: '1', b: '2' }, ['a: 1', 'b: 2'], true],
    [{ a: '1', b: '2' }, ['a: 1'], false],
  ])('headers %o on %o: %p', (headers, lines, expected) => {
    expect(takes({ headers }, requestHead('GET', '/', ...lines))).toBe(expected);
  });

  test('cookies', () => {
    const request = requestHead('GET', '/', 'Cookie: a=1; beta=yes');
    expect(takes({ cookies: { beta: 'yes' } }, request)).toBe(true);
    expect(takes({ cookies: { beta: 'no' } }, request)).toBe(false);
    expect(takes({ cookies: { Beta: 'yes' } }, request)).toBe(false);
    expect(takes({ cookies: { gamma: { present: false } } }, request)).toBe(true);
  });

  test('query', () => {
    const request = requestHead('GET', '/?v=2&flag&q=a+b');
    expect(takes({ query: { v: '2', flag: { present: true }, q: 'a b' } }, request)).toBe(true);
    expect(takes({ query: { v: '3' } }, request)).toBe(false);
    expect(takes({ query: { flag: '' } }, request)).toBe(true);
  });
});

describe('the first route that fits wins', () => {
  test('whatever index it is found in', () => {
    const routes = router(
      { host: 'a.test', path: '/x/y' },
      { path: '/x/*' },
      { host: '*.test' },
      { host: 'a.test', path: '/x/*' },
      { path: '/x/y' },
      undefined,
    );
    expect(chosen(routes, requestHead('GET', '/x/y'))).toBe(0);
    expect(chosen(routes, requestHead('GET', '/x/z'))).toBe(1);
    expect(chosen(routes, requestHead('GET', '/z'))).toBe(2);
    expect(chosen(routes, requestHead('GET', '/z', 'Host: other'))).toBe(5);
    expect(chosen(routes, requestHead('GET', '/x/y', 'Host: other'))).toBe(1);
  });

  test('a first route without conditions takes everything', () => {
    expect(chosen(router(undefined, { path: '/x' }), requestHead('GET', '/x'))).toBe(0);
  });

  test('there may be none', () => {
    expect(chosen(router({ path: '/x' }), requestHead('GET', '/y'))).toBe(-1);
    expect(chosen(router({ host: 'b.test' }), requestHead('GET', '/y'))).toBe(-1);
  });

  test('a route is named by its name or its place', () => {
    const configs = [{ name: 'first', pool: 'p', match: { path: '/x' } }, { pool: 'p' }].map((config) =>
      routeSchema.parse(config),
    );
    const routes = compileRoutes(configs, { pool: (name) => name, filter: () => noFilter });
    expect(routes.routes.map((route) => route.name)).toEqual(['first', 'routes[1]']);
  });
});

describe('explain', () => {
  test('tells the first condition that failed of each route, what it wants and what it sees', () => {
    const routes = router(
      { host: ['b.test', '*.c.test'], path: '/x' },
      { path: '/y/*' },
      { path: '/x', method: 'POST' },
      { path: '/x', headers: { 'X-A': '1' } },
      { path: '/x', cookies: { c: { present: true } } },
      { path: '/x', query: { q: { regex: '^a' } } },
      { path: '/x', from: '10.0.0.0/8' },
      { path: '/x' },
      undefined,
    );
    const request = requestHead('GET', '/x?q=b', 'X-A: 2', 'X-A: 3');
    expect(routes.explain(request, '192.0.2.1').map(({ verdict }) => verdict)).toEqual([
      { kind: 'failed', subject: 'host', wants: 'one of b.test, *.c.test', sees: 'a.test' },
      { kind: 'failed', subject: 'path', wants: '/y/*', sees: '/x' },
      { kind: 'failed', subject: 'method', wants: 'POST', sees: 'GET' },
      { kind: 'failed', subject: 'header x-a', wants: '"1"', sees: '"2", "3"' },
      { kind: 'failed', subject: 'cookie c', wants: 'any value', sees: 'none' },
      { kind: 'failed', subject: 'query q', wants: 'a match of /^a/', sees: '"b"' },
      { kind: 'failed', subject: 'from', wants: '10.0.0.0/8', sees: '192.0.2.1' },
      { kind: 'chosen' },
      { kind: 'not-reached' },
    ]);
  });

  const host = fc.constantFrom('a.test', 'b.test', 'x.a.test', 'y.x.a.test', 'test', 'A.Test:80');
  const hostPattern = fc.constantFrom('a.test', 'b.test', '*.a.test', '*.test', '*.x.a.test', 'x.a.test');
  const segments = fc.array(fc.constantFrom('a', 'b', 'ab', 'c'), { maxLength: 3 });
  const path = fc
    .tuple(segments, fc.boolean())
    .map(([names, slash]) => `/${names.join('/')}${slash ? '/' : ''}`.replaceAll('//', '/'));
  const pathPattern = fc.oneof(
    path,
    segments.map((names) => ['', ...names, '*'].join('/')),
  );
  const oneOrTwo = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 2 });
  const match = fc.record(
    {
      host: oneOrTwo(hostPattern),
      path: oneOrTwo(pathPattern),
      method: fc.constantFrom('GET', 'POST'),
      headers: fc.constantFrom({ 'x-a': '1' }, { 'x-a': { present: false } }),
      cookies: fc.constant({ c: '1' }),
      query: fc.constant({ q: '1' }),
      from: fc.constantFrom('192.0.2.0/24', '10.0.0.0/8'),
    },
    { requiredKeys: [] },
  );
  const someRequest = fc
    .tuple(
      fc.constantFrom('GET', 'POST'),
      path,
      fc.constantFrom('', '?q=1', '?q=2'),
      host,
      fc.subarray(['X-A: 1', 'Cookie: c=1']),
    )
    .map(([method, target, query, authority, lines]) =>
      requestHead(method, target + query, `Host: ${authority}`, ...lines),
    );

  test('chooses what route chooses, and gives every other route a reason', () => {
    let found = 0;
    fc.assert(
      fc.property(
        fc.array(match, { maxLength: 30 }),
        fc.array(someRequest, { minLength: 5 }),
        (matches, requests) => {
          const routes = router(...matches);
          for (const request of requests) {
            const explained = routes.explain(request, '192.0.2.1');
            const index = chosen(routes, request);
            if (index > 0) found++;
            expect(explained.findIndex(({ verdict }) => verdict.kind === 'chosen')).toBe(index);
            for (const [place, { verdict }] of explained.entries()) {
              if (index >= 0 && place > index) expect(verdict.kind).toBe('not-reached');
              else if (place !== index) expect(verdict.kind).toBe('failed');
            }
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(found).toBeGreaterThan(100);
  });
});
