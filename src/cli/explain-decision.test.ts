import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { TestCa } from '../../test/support/certificates.ts';
import { testWith } from '../../test/support/programs.ts';
import { type Config, config as schema } from '../config/schema/config.ts';
import { loadYaml } from '../config/load.ts';
import { isHttp } from '../config/schema/listener.ts';
import type { EndpointReport } from '../admin/pool-report.ts';
import { type Decision, decide } from './explain-decision.ts';
import type { LiveState } from './explain-live.ts';
import { askedRequest } from './explain-request.ts';
import { decisionText } from './explain-text.ts';

const testOpenssl = testWith('openssl');

const config: Config = schema.parse({
  listeners: [
    {
      name: 'web',
      address: ':8080',
      trustedProxies: ['10.0.0.0/8'],
      routes: [
        { name: 'private', match: { path: '/private/*' }, reply: { status: 403, body: 'no' } },
        { name: 'old', match: { path: '/old/*' }, redirect: { to: '/new/' } },
        {
          name: 'split',
          match: { path: '/split' },
          split: [
            { pool: 'hashed', weight: 3 },
            { pool: 'sticky', weight: 1 },
          ],
        },
        {
          name: 'limited',
          match: { path: '/limited/*' },
          filters: [
            { rateLimit: { rate: '1/s' } },
            { rewrite: { prefix: '/limited' } },
            { headers: { request: { set: { Host: 'inner.test' }, remove: ['X-Gone'] } } },
          ],
          pool: 'hashed',
        },
        {
          name: 'twice',
          match: { path: '/twice' },
          filters: [{ rateLimit: { rate: '1/h' } }],
          pool: 'hashed',
        },
        { name: 'strict', match: { path: '/strict' }, pool: 'strict' },
        { name: 'off', match: { path: '/off' }, pool: 'off' },
        { name: 'sticky', match: { path: '/sticky' }, pool: 'sticky' },
      ],
    },
  ],
  pools: [
    {
      name: 'hashed',
      policy: 'maglev',
      hash: { key: { header: 'x-key' } },
      endpoints: ['10.0.0.1:80', '10.0.0.2:80'],
    },
    {
      name: 'sticky',
      policy: 'first',
      affinity: { cookie: {} },
      endpoints: [
        { address: '10.0.0.3:80', name: 'a' },
        { address: '10.0.0.4:80', name: 'b', state: 'draining' },
      ],
      healthCheck: { initial: 'unhealthy' },
    },
    {
      name: 'strict',
      policy: 'first',
      affinity: { cookie: {}, strict: true },
      endpoints: [
        { address: '10.0.0.3:80', name: 'a' },
        { address: '10.0.0.4:80', name: 'b', state: 'disabled' },
      ],
    },
    { name: 'off', endpoints: [{ address: '10.0.0.5:80', state: 'disabled' }] },
  ],
});

function ask(target: string, headers: readonly string[] = [], peerIp = '192.0.2.7'): Decision {
  const asked = askedRequest('GET', target, headers);
  if (typeof asked === 'string') throw new Error(asked);
  return decide(config, asked, { listener: config.listeners.find(isHttp)!, peerIp, instance: 'here' });
}

/** The cookie that binds to an endpoint, as the pool would set it. */
async function cookieOf(pool: string, endpoint: string): Promise<string> {
  const { createHmac } = await import('node:crypto');
  const mac = createHmac('sha256', 'pointsman affinity').update(`${pool}\0${endpoint}`).digest();
  return `Cookie: SERVERID=${mac.subarray(0, 16).toString('base64url')}`;
}

describe('answers without a pool', () => {
  test('a request that the codec refuses', () => {
    const { result, routes, request } = ask('/a%00');
    expect(result).toMatchObject({ kind: 'failure', code: 'request_target', status: 400 });
    expect({ routes, request }).toEqual({ routes: [], request: undefined });
    expect(ask('/', ['Content-Length: 1', 'Transfer-Encoding: chunked']).result).toMatchObject({
      code: 'request_framing',
    });
  });

  test('no route', () => {
    const { result, routes, route } = ask('/nowhere');
    expect(result).toMatchObject({ kind: 'failure', code: 'no_route', status: 404 });
    expect(route).toBeUndefined();
    expect(routes.every(({ verdict }) => verdict.kind === 'failed')).toBe(true);
  });

  test('a fixed reply and a redirect', () => {
    expect(ask('/private/x').result).toEqual({ kind: 'reply', status: 403, by: 'route private' });
    expect(ask('/x/../old//a?b').result).toEqual({ kind: 'redirect', status: 308, location: '/new/a?b' });
  });

  test('a loop', () => {
    const first = ask('/limited/x', ['X-Key: k']);
    const via =
      first.result.kind === 'endpoint' ? first.result.sends.find((line) => line.startsWith('Via:')) : '';
    expect(ask('/limited/x', [via!]).result).toMatchObject({ code: 'loop_detected', status: 508 });
  });
});

test('routes tell why they were not the one', () => {
  const { routes, route } = ask('/old/x');
  expect(route).toBe('old');
  expect(routes.slice(0, 3)).toEqual([
    {
      route: 'private',
      verdict: { kind: 'failed', subject: 'path', wants: '/private/*', sees: '/old/x' },
    },
    { route: 'old', verdict: { kind: 'chosen' } },
    { route: 'split', verdict: { kind: 'not-reached' } },
  ]);
});

test('the client is the one that trusted proxies name', () => {
  expect(ask('/', ['X-Forwarded-For: 192.0.2.1'], '10.0.0.9').request?.clientIp).toBe('192.0.2.1');
  expect(ask('/', ['X-Forwarded-For: 192.0.2.1']).request?.clientIp).toBe('192.0.2.7');
});

test('filters tell what they changed, and the head that is sent has it', () => {
  const { filters, result } = ask('http://a.test/limited/x?q', ['X-Key: k', 'X-Gone: 1']);
  expect(filters).toEqual([
    { filter: 'rateLimit', effect: 'goes on' },
    { filter: 'rewrite', effect: '- GET /limited/x?q HTTP/1.1, + GET /x?q HTTP/1.1' },
    { filter: 'headers', effect: '- Host: a.test, - X-Gone: 1, + Host: inner.test' },
  ]);
  expect(result).toMatchObject({
    kind: 'endpoint',
    sends: [
      'GET /x?q HTTP/1.1',
      'Host: inner.test',
      'X-Key: k',
      'X-Forwarded-For: 192.0.2.7',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: a.test',
      'Forwarded: for=192.0.2.7;host=a.test;proto=http',
      expect.stringMatching(/^Via: 1\.1 pointsman \([0-9a-f]{8}\)$/),
    ],
  });
});

describe('a pool', () => {
  test('tells what it hashes', () => {
    const hashed = ask('/limited/x', ['X-Key: k']);
    expect(hashed.pool).toMatchObject({ name: 'hashed', policy: 'maglev', panic: false });
    expect(hashed.pool?.hash).toEqual({ key: 'header x-key', value: expect.any(Number) as number });
    expect(ask('/limited/x').pool?.hash?.value).toBeNull();
    expect(hashed).toEqual(ask('/limited/x', ['X-Key: k']));
  });

  test('gives every endpoint with the reason, and marks the one that takes the request', () => {
    const { pool, result } = ask('/sticky');
    expect(pool?.affinity).toEqual({ cookie: 'SERVERID', bound: null });
    expect(pool?.candidates.map(({ endpoint, chosen, reason }) => ({ endpoint, chosen, reason }))).toEqual([
      { endpoint: 'a', chosen: true, reason: expect.any(String) as string },
      { endpoint: 'b', chosen: false, reason: 'draining: no new work' },
    ]);
    expect(result).toMatchObject({ endpoint: 'a', address: '10.0.0.3:80', because: 'first picks it' });
  });

  test('keeps a bound client, on a draining endpoint too', async () => {
    const { pool, result } = ask('/sticky', [await cookieOf('sticky', 'b')]);
    expect(pool?.affinity?.bound).toBe('b');
    expect(pool?.candidates.map(({ chosen }) => chosen)).toEqual([false, true]);
    expect(result).toMatchObject({ endpoint: 'b', because: 'the cookie SERVERID binds the client to it' });
  });

  test('sends a bound client elsewhere, or refuses it when affinity is strict', async () => {
    expect(ask('/strict', [await cookieOf('strict', 'b')]).result).toMatchObject({
      kind: 'failure',
      code: 'affinity_unavailable',
      status: 503,
    });
    expect(ask('/strict', [await cookieOf('strict', 'c')]).result).toMatchObject({ endpoint: 'a' });
  });

  test('without a usable endpoint is 503', () => {
    const { pool, result } = ask('/off');
    expect(result).toMatchObject({ kind: 'failure', code: 'no_endpoint', status: 503 });
    expect(pool?.candidates[0]).toMatchObject({ chosen: false, reason: 'disabled by the operator' });
  });
});

describe('the state of a running instance', () => {
  /** What the admin API says, as far as it is read. */
  function reported(changes: Partial<EndpointReport['state']>, active = 0): EndpointReport {
    const state = { admin: 'enabled', health: 'healthy', reason: 'checked', ejected: null, ...changes };
    return { state, active } as EndpointReport;
  }

  function askLive(
    pool: string,
    endpoints: Record<string, EndpointReport>,
    headers: string[] = [],
  ): Decision {
    const asked = askedRequest('GET', `/${pool}`, headers);
    if (typeof asked === 'string') throw new Error(asked);
    const live: LiveState = new Map([[pool, new Map(Object.entries(endpoints))]]);
    return decide(liveConfig, asked, {
      listener: liveConfig.listeners.find(isHttp)!,
      peerIp: '192.0.2.7',
      instance: 'here',
      live,
    });
  }

  const liveConfig = schema.parse({
    listeners: [{ name: 'web', address: ':8080', routes: [{ pool: 'p' }] }],
    pools: [
      {
        name: 'p',
        policy: 'first',
        panicPercent: 0,
        affinity: { cookie: {} },
        endpoints: ['a', 'b'].map((name) => ({ name, address: '10.0.0.1:80', maxConnections: 2 })),
      },
    ],
  });

  test('decides', () => {
    const until = new Date(Date.now() + 60_000).toISOString();
    const unhealthy = askLive('p', {
      a: reported({ health: 'unhealthy', reason: 'refused' }),
      b: reported({}),
    });
    expect(unhealthy.result).toMatchObject({ endpoint: 'b' });
    expect(unhealthy.pool?.candidates[0]?.reason).toBe('unhealthy: refused');
    const ejected = askLive('p', { a: reported({ ejected: { until, reason: '5 failures', inARow: 1 } }) });
    expect(ejected.result).toMatchObject({ endpoint: 'b' });
    expect(ejected.pool?.candidates[0]?.reason).toMatch(/^ejected for (59|60)\.\d s more: 5 failures$/);
    expect(askLive('p', { a: reported({ admin: 'disabled' }) }).result).toMatchObject({ endpoint: 'b' });
    const full = askLive('p', { a: reported({}, 2), b: reported({}, 1) });
    expect(full.result).toMatchObject({ endpoint: 'b' });
    expect(full.pool?.candidates[0]?.reason).toBe('full: 2 in flight of 2');
  });

  test('makes a request wait when all are full, and a bound one when its endpoint is', async () => {
    const queue = { kind: 'queue', size: 1000, timeoutMs: 5000 } as const;
    expect(askLive('p', { a: reported({}, 2), b: reported({}, 2) }).result).toEqual(queue);
    expect(askLive('p', { a: reported({}, 2) }, [await cookieOf('p', 'a')]).result).toEqual(queue);
    const none = { a: reported({ health: 'unhealthy' }), b: reported({ admin: 'disabled' }) };
    expect(askLive('p', none).result).toMatchObject({ code: 'no_endpoint' });
  });
});

test('a split gives the shares, and keeps a bound client on its arm', async () => {
  expect(ask('/split').split).toEqual([
    { pool: 'hashed', percent: 75 },
    { pool: 'sticky', percent: 25 },
  ]);
  const bound = ask('/split', [await cookieOf('sticky', 'a')]);
  expect(bound.pool?.name).toBe('sticky');
  expect(bound.result).toMatchObject({ endpoint: 'a' });
});

describe('over TLS', () => {
  let ca: TestCa;
  beforeAll(() => {
    ca = new TestCa();
  });
  afterAll(() => ca[Symbol.dispose]());

  function over(url: string, strictSni: boolean, ...headers: string[]): Decision {
    const certificates = [ca.issue('a.test', { names: ['a.test', '*.a.test'] }), ca.issue('b.test')];
    const text = JSON.stringify({
      listeners: [
        {
          name: 'tls',
          address: ':443',
          tls: { certificates, strictSni },
          routes: [{ reply: { status: 200 } }],
        },
      ],
    });
    const loaded = loadYaml(text, ca.file('pointsman.yaml'));
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
    const asked = askedRequest('GET', url, headers);
    if (typeof asked === 'string') throw new Error(asked);
    const listener = loaded.config.listeners.find(isHttp)!;
    return decide(loaded.config, asked, { listener, peerIp: '192.0.2.7', instance: 'here' });
  }

  testOpenssl('the certificate is told', () => {
    expect(over('https://x.A.test./', false)).toMatchObject({
      tls: { serverName: 'x.a.test', certificate: ['a.test', '*.a.test'] },
      result: { kind: 'reply', status: 200 },
    });
    expect(over('https://10.0.0.1/', false).tls).toEqual({
      serverName: '',
      certificate: ['a.test', '*.a.test'],
    });
    expect(over('http://a.test/', false).tls).toBeUndefined();
  });

  testOpenssl('a Host of another certificate is misdirected, one of the same is not', () => {
    expect(over('https://a.test/', false, 'Host: b.test').result).toMatchObject({
      code: 'misdirected',
      status: 421,
    });
    expect(over('https://a.test/', false, 'Host: x.a.test').result).toMatchObject({ kind: 'reply' });
  });

  testOpenssl('a name without certificate gets the first, or with strictSni none', () => {
    expect(over('https://c.test/', false).tls!.certificate).toEqual(['a.test', '*.a.test']);
    const refused = over('https://c.test/', true);
    expect(refused.result).toEqual({ kind: 'refused', reason: 'unknown-name', serverName: 'c.test' });
    expect(decisionText(refused, false)).toContain('there is no certificate for c.test');
  });
});
