import { describe, expect, test } from 'bun:test';

import { responseHead } from '../../../test/support/filter-context.ts';
import { requestHead } from '../../../test/support/request-head.ts';
import { pool as poolSchema } from '../../config/schema/pool.ts';
import { Endpoint } from '../../model/endpoint.ts';
import { Pool } from '../../model/pool.ts';
import { CookieAffinity } from './cookie-affinity.ts';

function affinity(cookie: object = {}, name = 'web', endpoints: string[] = ['a', 'b', 'c']) {
  const config = poolSchema.parse({
    name,
    endpoints: endpoints.map((each, index) => ({ name: each, address: `10.0.0.${index + 1}:80` })),
    affinity: { cookie },
  });
  const all = config.endpoints.map((each) => new Endpoint(name, each));
  const pool = new Pool(config, { all, available: all, picker: { pick: () => undefined }, panic: false });
  return { pool, all, sticky: new CookieAffinity(pool, config.affinity!) };
}

/** The lines that binding to the endpoint adds. */
function bind(sticky: CookieAffinity, endpoint: Endpoint, secure = false, ...lines: string[]): string[] {
  const head = responseHead(...lines);
  sticky.bind(head, endpoint, secure);
  return head.fields.written().slice(lines.length);
}

function tokenFor(sticky: CookieAffinity, endpoint: Endpoint): string {
  return /=([^;]*);/.exec(bind(sticky, endpoint)[0]!)![1]!;
}

describe('binding', () => {
  test('brings the client back to its endpoint', () => {
    const { sticky, all } = affinity();
    for (const endpoint of all) {
      const token = tokenFor(sticky, endpoint);
      expect(token).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect(sticky.bound(requestHead('GET', '/', `Cookie: x=1; SERVERID=${token}`))).toBe(endpoint);
    }
  });

  test('survives a restart, not a change of the secret, of the pool or of the name', () => {
    const first = affinity({ secret: 'a secret of length' });
    const token = tokenFor(first.sticky, first.all[0]!);
    expect(token).toBe(tokenFor(affinity({ secret: 'a secret of length' }).sticky, first.all[0]!));
    const request = requestHead('GET', '/', `Cookie: SERVERID=${token}`);
    expect(affinity({ secret: 'a secret of length' }).sticky.bound(request)?.name).toBe('a');
    expect(affinity({ secret: 'another secret of length' }).sticky.bound(request)).toBeUndefined();
    expect(affinity().sticky.bound(request)).toBeUndefined();
    expect(affinity({ secret: 'a secret of length' }, 'api').sticky.bound(request)).toBeUndefined();
    expect(affinity({ secret: 'a secret of length', name: 'SRV' }).sticky.bound(request)).toBeUndefined();
  });

  test('ignores every other value', () => {
    const { sticky, all } = affinity();
    const token = tokenFor(sticky, all[0]!);
    for (const value of ['', 'a', '10.0.0.1:80', `${token}x`, token.toLowerCase(), `"${token}"`, '__proto__'])
      expect(sticky.bound(requestHead('GET', '/', `Cookie: SERVERID=${value}`))).toBeUndefined();
    expect(sticky.bound(requestHead('GET', '/'))).toBeUndefined();
  });

  test('tells of endpoints that cannot be used, and follows those that come and go', () => {
    const { sticky, all, pool } = affinity();
    const [a, b] = [all[0]!, all[1]!];
    const request = requestHead('GET', '/', `Cookie: SERVERID=${tokenFor(sticky, a)}`);
    a.health = 'unhealthy';
    expect(sticky.bound(request)).toBe(a);
    pool.view = { ...pool.view, all: [b] };
    expect(sticky.bound(request)).toBeUndefined();
    pool.view = { ...pool.view, all: [a, b] };
    expect(sticky.bound(request)).toBe(a);
  });
});

describe('the cookie', () => {
  test.each([
    [{}, false, '; Path=/; HttpOnly; SameSite=Lax'],
    [{}, true, '; Path=/; Secure; HttpOnly; SameSite=Lax'],
    [{ secure: 'never' }, true, '; Path=/; HttpOnly; SameSite=Lax'],
    [{ secure: 'always', sameSite: 'none' }, false, '; Path=/; Secure; HttpOnly; SameSite=None'],
    [{ httpOnly: false, sameSite: 'strict', path: '/app' }, false, '; Path=/app; SameSite=Strict'],
    [
      { domain: 'a.test', maxAge: '90m' },
      false,
      '; Path=/; Domain=a.test; Max-Age=5400; HttpOnly; SameSite=Lax',
    ],
  ])('of %o, secure %p', (cookie, secure, attributes) => {
    const { sticky, all } = affinity(cookie);
    const [line] = bind(sticky, all[0]!, secure);
    expect(line).toMatch(/^Set-Cookie: SERVERID=[\w-]{22};/);
    expect(line).toEndWith(attributes);
  });

  test('keeps shared caches from handing it to others', () => {
    const { sticky, all } = affinity();
    const endpoint = all[0]!;
    expect(bind(sticky, endpoint).slice(1)).toEqual(['Cache-Control: private']);
    expect(bind(sticky, endpoint, false, 'Cache-Control: max-age=60').slice(1)).toEqual([
      'Cache-Control: private',
    ]);
    expect(bind(sticky, endpoint, false, 'Cache-Control: max-age=60, Private').slice(1)).toEqual([]);
    expect(bind(sticky, endpoint, false, 'Cache-Control: no-store').slice(1)).toEqual([]);
    expect(bind(affinity({ noCache: false }).sticky, endpoint)).toHaveLength(1);
  });
});
