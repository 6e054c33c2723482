import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { requestHead } from '../../test/support/request-head.ts';
import { route as routeSchema } from '../config/schema/listener.ts';
import { seededRandom } from '../util/random.ts';
import { type CompiledRoute, pickArm, redirectLocation, redirectReply, type RouteAction } from './route.ts';
import { compileRoutes } from './router.ts';

function compile(config: object): CompiledRoute<string> {
  const linker = { pool: (name: string) => `pool ${name}`, filter: () => ({ name: 'none' }) };
  return compileRoutes([routeSchema.parse(config)], linker).routes[0]!;
}

function actionOf<K extends RouteAction<string>['kind']>(
  kind: K,
  config: object,
): Extract<RouteAction<string>, { kind: K }> {
  const { action } = compile(config);
  expect(action.kind).toBe(kind);
  return action as Extract<RouteAction<string>, { kind: K }>;
}

test('a pool is linked by its name', () => {
  expect(actionOf('pool', { pool: 'api' }).pool).toBe('pool api');
});

test('a reply is ready to be sent', () => {
  const { reply } = actionOf('reply', { reply: { status: 403, body: 'no', headers: { 'X-A': '1' } } });
  expect(reply.status).toBe(403);
  expect(reply.body.toString()).toBe('no');
  expect(reply.fields.map((line) => line.bytes.toString())).toEqual([
    'Content-Type: text/plain; charset=utf-8\r\n',
    'X-A: 1\r\n',
  ]);
  expect(actionOf('reply', { reply: { status: 204 } }).reply.fields).toEqual([]);
});

test('a route that does nothing is refused', () => {
  expect(() => compile({})).toThrow(RangeError);
  expect(() => compile({ split: [{ pool: 'a', weight: 0 }] })).toThrow(RangeError);
});

describe('split', () => {
  const request = requestHead('GET', '/');
  const unbound = () => false;

  test('chooses by weight', () => {
    const split = actionOf('split', {
      split: [
        { pool: 'a', weight: 95 },
        { pool: 'never', weight: 0 },
        { pool: 'b', weight: 5 },
      ],
    });
    const random = seededRandom(1);
    const counts = new Map<string, number>();
    const total = 100_000;
    for (let draw = 0; draw < total; draw++) {
      const pool = pickArm(split, random, request, unbound);
      counts.set(pool, (counts.get(pool) ?? 0) + 1);
    }
    expect(counts.get('pool never')).toBeUndefined();
    // Five standard deviations of a binomial draw.
    expect(Math.abs(counts.get('pool b')! - 5000)).toBeLessThan(5 * Math.sqrt(total * 0.05 * 0.95));
    expect(counts.get('pool a')! + counts.get('pool b')!).toBe(total);
  });

  test('stays within the arms at the ends of the draw', () => {
    const split = actionOf('split', {
      split: [
        { pool: 'a', weight: 0 },
        { pool: 'b', weight: 3 },
        { pool: 'c', weight: 0 },
      ],
    });
    for (const draw of [0, 1 - 2 ** -53])
      expect(pickArm(split, { next: () => draw }, request, unbound)).toBe('pool b');
  });

  test('keeps a bound request on its arm, even on one of weight 0', () => {
    const split = actionOf('split', {
      split: [
        { pool: 'a', weight: 1 },
        { pool: 'b', weight: 0 },
      ],
    });
    expect(pickArm(split, seededRandom(1), request, (pool) => pool === 'pool b')).toBe('pool b');
  });
});

describe('redirect', () => {
  test.each([
    ['/old/*', '/new/', '/old/a/b', '/new/a/b'],
    ['/old/*', '/new/', '/old', '/new/'],
    ['/old/*', '/new/', '/old/', '/new/'],
    ['/old/*', '/new/', '/old/a?x=1&y', '/new/a?x=1&y'],
    ['/old/*', '/new', '/old/a?x=1', '/new?x=1'],
    ['/old', '/new/', '/old?x=1', '/new/?x=1'],
    ['/*', 'https://b.test/', '/a?x=1', 'https://b.test/a?x=1'],
    ['/*', 'https://b.test', '/a', 'https://b.test'],
    ['/*', '/x?from=old', '/a?b=1', '/x?from=old&b=1'],
    ['/*', '/x#part', '/a?b=1', '/x?b=1#part'],
    ['/*', '/x?back=/', '/a?b=1', '/x?back=/&b=1'],
    ['/*', '/x', '/a?', '/x'],
    [['/one/*', '/two/*'], '/new/', '/two/a', '/new/a'],
    ['/*', '/', '//evil.test/x', '/evil.test/x'],
    ['/old/*', '/', '/old//evil.test/x', '/evil.test/x'],
    ['/old/*', '/', '/old/..//evil.test', '/'],
    ['/old/*', '/', '/old/%2fevil.test', '/%2Fevil.test'],
  ])('%p to %s: %s goes to %s', (path, to, target, location) => {
    const action = actionOf('redirect', { match: { path }, redirect: { to } });
    expect(redirectLocation(action, requestHead('GET', target))).toBe(location);
  });

  test('never leads to another site', () => {
    const action = actionOf('redirect', { match: { path: ['/old/*', '/*'] }, redirect: { to: '/' } });
    const part = fc.constantFrom(
      '/',
      '//',
      '.',
      '..',
      'old',
      'evil.test',
      '%2f',
      '%2e',
      ';',
      '@',
      ':',
      '?',
      '%5',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        let request;
        try {
          request = requestHead('GET', `/${parts.join('')}`);
        } catch {
          return;
        }
        const url = new URL(redirectLocation(action, request), 'http://good.test/');
        expect(url.host).toBe('good.test');
      }),
      { numRuns: 2000 },
    );
  });

  test('is a response with Location', () => {
    const action = actionOf('redirect', { redirect: { to: 'https://b.test/', status: 301 } });
    const reply = redirectReply(action, requestHead('GET', '/a?b'));
    expect(reply.status).toBe(301);
    expect(reply.fields.map((line) => line.bytes.toString())).toEqual(['Location: https://b.test/?b\r\n']);
    expect(reply.body.length).toBe(0);
  });
});

describe('redirect to https', () => {
  const secure = (config: object, request: Parameters<typeof redirectLocation>[1]): string =>
    redirectLocation(actionOf('redirect', { redirect: { scheme: 'https', ...config } }), request);

  function requestTo(authority: string, path: string, query = ''): ReturnType<typeof requestHead> {
    const head = requestHead(path === '*' ? 'OPTIONS' : 'GET', path);
    head.authority = authority;
    head.query = query;
    return head;
  }

  test('keeps host, path and query', () => {
    expect(secure({}, requestTo('a.example:8080', '/x/y', '?q=1'))).toBe('https://a.example/x/y?q=1');
    expect(secure({ port: 8443 }, requestTo('A.example', '/'))).toBe('https://a.example:8443/');
    expect(secure({}, requestTo('[2001:db8::1]:80', '*'))).toBe('https://[2001:db8::1]/');
  });
});
