import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { setCounts } from '../../test/support/set-counts.ts';
import { sampleAdminState, SampleRuntime } from '../../test/support/sample-runtime.ts';
import { admin } from '../config/schema/admin.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { LogFields } from '../model/ports.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { NetworkGuard } from './guard.ts';
import { createHandler } from './handler.ts';
import type { EndpointReport, PoolReport } from './pool-report.ts';
import { ADMIN_ROUTES } from './routes.ts';
import { startAdmin, type AdminServer } from './server.ts';
import type { AdminState } from './state.ts';

const WINDOW = { spanMs: 60_000, requestsPerSecond: 2.5, errorRate: 0.1, p50Ms: 1, p95Ms: 2, p99Ms: 3 };
const TOKEN = 'correct-horse-battery';

let clock: FakeClock;
let runtime: SampleRuntime;
let web: Pool;
let a: Endpoint;
let logged: [string, LogFields | undefined][];
let server: AdminServer;

function start(
  config: { address?: string; token?: string } = {},
  changes: Partial<AdminState> = {},
): Promise<AdminServer> {
  const note = (event: string, fields?: LogFields) => void logged.push([event, fields]);
  const state = {
    ...sampleAdminState(runtime, clock),
    window: () => WINDOW,
    metrics: (accept: string) =>
      Promise.resolve({ contentType: 'text/x-metrics', body: `metrics for ${accept}\n` }),
    ...changes,
  };
  const parsed = admin.parse({ address: '127.0.0.1:0', ...config });
  return startAdmin(parsed, state, { debug: note, info: note, warn: note, error: note });
}

beforeEach(async () => {
  clock = new FakeClock();
  runtime = new SampleRuntime();
  web = runtime.addPool('web', [
    '10.0.0.1:80',
    { address: '[::1]:81', name: 'b', weight: 3, maxConnections: 2, priority: 1 },
  ]);
  a = web.view.all[0]!;
  logged = [];
  server = await start();
});

afterEach(() => server.stop(true));

/** Starts again with another configuration. */
async function restart(...how: Parameters<typeof start>): Promise<void> {
  await server.stop(true);
  server = await start(...how);
}

const get = (path: string, init: RequestInit = {}) => fetch(`http://${server.address}${path}`, init);

/** What comes back for `request` as it stands. */
async function raw(request: string): Promise<string> {
  const closed = Promise.withResolvers<void>();
  let answer = '';
  const [hostname = '', port] = server.address.split(':');
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: { data: (_, data) => void (answer += data.toString('latin1')), close: () => closed.resolve() },
  });
  socket.write(request);
  await closed.promise;
  return answer;
}

const CLOSE = 'Connection: close\r\n\r\n';

describe('health', () => {
  test('/healthz is alive whatever happens', async () => {
    runtime.state = { ready: false, reasons: ['shutting down'] };
    const response = await get('/healthz');
    expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
  });

  test('/readyz follows the listeners and says why', async () => {
    expect(await (await get('/readyz')).json()).toEqual({ ready: true, reasons: [] });
    runtime.state = { ready: false, reasons: ['shutting down'] };
    const response = await get('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, reasons: ['shutting down'] });
  });

  test('/readyz?pools=1 looks at the pools that are in use', async () => {
    runtime.addPool('unused', ['10.0.0.9:1']).view.all[0]!.health = 'unhealthy';
    runtime.addListener('http', ['web']);
    a.health = 'unhealthy';
    expect((await get('/readyz?pools=1')).status).toBe(200);
    web.view.all[1]!.ejectedUntilMs = 5000;
    const response = await get('/readyz?pools=1');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, reasons: ['pool web has no usable endpoint'] });
    expect((await get('/readyz')).status).toBe(200);
    clock.advance(5000);
    expect((await get('/readyz?pools=1')).status).toBe(200);
    runtime.state = { ready: false, reasons: ['shutting down'] };
    expect(await (await get('/readyz?pools=1')).json()).toEqual({ ready: false, reasons: ['shutting down'] });
  });
});

describe('/api/v1', () => {
  test('status', async () => {
    clock.advance(90_500);
    runtime.addWorker();
    runtime.addWorker({ state: 'waiting', pid: undefined, upSeconds: 0, restarts: 3, connections: 0 });
    expect(await (await get('/api/v1/status')).json()).toEqual({
      version: '1.2.3',
      runtime: `bun ${Bun.version}`,
      pid: process.pid,
      revision: 7,
      startedAt: '2023-11-14T22:13:20.000Z',
      uptimeSeconds: 90.5,
      ready: true,
      reasons: [],
      workers: [
        {
          worker: 1,
          state: 'ready',
          pid: 4711,
          upSeconds: 60,
          restarts: 0,
          stuckSeconds: 0,
          coveredBy: null,
          connections: 3,
          cpuSeconds: 3,
          residentBytes: 50_000_000,
          eventLoopLagMs: 1.5,
        },
        {
          worker: 2,
          state: 'waiting',
          pid: null,
          upSeconds: 0,
          restarts: 3,
          stuckSeconds: 0,
          coveredBy: null,
          connections: 0,
          cpuSeconds: 3,
          residentBytes: 50_000_000,
          eventLoopLagMs: 1.5,
        },
      ],
      listeners: 0,
      pools: 1,
      automaticCertificates: [],
      runtimeChanges: 0,
    });
  });

  test('pools: an endpoint at rest', async () => {
    runtime.idle.set(a, 3);
    const { pools } = (await (await get('/api/v1/pools')).json()) as { pools: PoolReport[] };
    expect(pools).toHaveLength(1);
    expect(pools[0]).toMatchObject({
      name: 'web',
      policy: 'random-two',
      panic: false,
      available: 2,
      total: 2,
      queued: 0,
    });
    expect(pools[0]!.endpoints[0]).toEqual({
      name: '10.0.0.1:80',
      address: '10.0.0.1:80',
      state: {
        availability: 'open',
        admin: 'enabled',
        health: 'unknown',
        reason: 'not checked',
        since: '2023-11-14T22:13:20.000Z',
        ejected: null,
        full: false,
        warming: false,
      },
      drain: null,
      weight: 1,
      effectiveWeight: 1,
      priority: 0,
      maxConnections: 0,
      requests: 0,
      active: 0,
      tunnels: 0,
      sessions: 0,
      errors: 0,
      retries: 0,
      responses: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
      bytesSent: 0,
      bytesReceived: 0,
      connections: { opened: 0, reused: 0, idle: 3, failed: 0 },
      lastMinute: WINDOW,
    });
  });

  test('pools/NAME: counters and a state that has happened', async () => {
    clock.advance(60_000);
    const b = web.view.all[1]!;
    Object.assign(b, {
      health: 'unhealthy',
      healthReason: 'status 500',
      healthSinceMs: 15_000,
      warmingSinceMs: 1,
    });
    Object.assign(b, {
      ejectedUntilMs: 90_000,
      ejectReason: '5 failures in a row',
      ejections: 2,
    });
    b.counts.inFlight.set(2);
    Object.assign(b.stats, { requests: 10, errors: 4, retries: 1, bytesOut: 11, bytesIn: 12 });
    Object.assign(b.stats, { connectionsOpened: 5, connectionsReused: 6, connectFailures: 7 });
    b.stats.statuses[5] = 4;
    setCounts(web.counts, { activeRequests: 3, activeRetries: 1, queued: 2 });
    Object.assign(web.stats, {
      requests: 20,
      retries: 5,
      retriesDenied: 6,
      queueFull: 7,
      queueTimeouts: 8,
      noEndpoint: 9,
    });
    const pool = (await (await get('/api/v1/pools/web')).json()) as PoolReport;
    expect(pool).toMatchObject({ requests: 20, active: 3, queued: 2, noEndpoint: 9 });
    expect(pool.queueRejections).toEqual({ full: 7, timeout: 8 });
    expect(pool.retries).toEqual({ total: 5, active: 1, denied: 6 });
    const expected: Partial<EndpointReport> = {
      name: 'b',
      address: '[::1]:81',
      state: {
        availability: 'closed',
        admin: 'enabled',
        health: 'unhealthy',
        reason: 'status 500',
        since: '2023-11-14T22:13:35.000Z',
        ejected: { until: '2023-11-14T22:14:50.000Z', reason: '5 failures in a row', inARow: 2 },
        full: true,
        warming: true,
      },
      weight: 3,
      priority: 1,
      maxConnections: 2,
      requests: 10,
      active: 2,
      errors: 4,
      retries: 1,
      bytesSent: 11,
      bytesReceived: 12,
      connections: { opened: 5, reused: 6, idle: 0, failed: 7 },
    };
    expect(pool.endpoints[1]).toMatchObject(expected);
    expect(pool.endpoints[1]!.responses['5xx']).toBe(4);
  });

  test('listeners', async () => {
    const stats = runtime.addListener('http', ['web']);
    Object.assign(stats, { connectionsTotal: 2, connectionsRejected: 3 });
    stats.connections.set(1);
    stats.tunnels.set(4);
    Object.assign(stats, { requests: 5, bytesIn: 6, bytesOut: 7 });
    stats.statuses[0] = 8;
    stats.statuses[2] = 9;
    stats.countFailure('queue_full');
    stats.nameRoutes(() => ['all']);
    expect(await (await get('/api/v1/listeners')).json()).toEqual({
      listeners: [
        {
          name: 'http',
          address: '0.0.0.0:8080',
          protocol: 'http',
          pools: ['web'],
          connections: { open: 1, total: 2, rejected: 3 },
          tunnels: 4,
          requests: 5,
          responses: { '1xx': 0, '2xx': 9, '3xx': 0, '4xx': 0, '5xx': 0 },
          unanswered: 8,
          failures: { queue_full: 1 },
          datagrams: { received: 0, sent: 0 },
          bytesReceived: 6,
          bytesSent: 7,
          tls: {
            handshakes: 0,
            resumed: 0,
            failures: {},
            certificates: [
              { names: ['a.example'], kind: 'ec', serial: '0A', notAfter: '2030-03-17T17:46:40.000Z' },
            ],
          },
          routes: [{ name: 'all', requests: 0 }],
        },
      ],
    });
  });

  test.each([
    '/api/v1/pools/none',
    '/api/v1/pools/%ff',
    '/api/v1/pools/',
    '/api/v1/pools/web/',
    '/api/v1',
    '/nothing',
    '//',
  ])('%s is not found', async (path) => {
    const response = await get(path);
    if (path === '//') return expect(response.status).toBe(200);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      error: { code: 'not_found', message: expect.any(String) },
    });
  });

  test('a name may be percent-encoded', async () => {
    expect((await get('/api/v1/pools/%77eb')).status).toBe(200);
  });
});

describe('HTTP', () => {
  test('/ lists everything that there is', async () => {
    const text = await (await get('/')).text();
    for (const { method, path } of ADMIN_ROUTES) expect(text).toContain(`${method.padEnd(6)} ${path} `);
  });

  test('/metrics passes Accept on', async () => {
    const response = await get('/metrics', { headers: { accept: 'application/openmetrics-text' } });
    expect(response.headers.get('content-type')).toBe('text/x-metrics');
    expect(await response.text()).toBe('metrics for application/openmetrics-text\n');
  });

  test('who changes something is answered when it holds for all traffic; who asks does not wait for that', async () => {
    const held = Promise.withResolvers<void>();
    await restart({}, { settle: () => held.promise });
    let answered = false;
    const url = `http://${server.address}/api/v1`;
    const changed = fetch(`${url}/changes`, { method: 'DELETE' }).then((response) => {
      answered = true;
      return response.status;
    });
    expect((await fetch(`${url}/changes`)).status).toBe(200);
    expect(answered).toBe(false);
    held.resolve();
    expect(await changed).toBe(200);
  });

  test('HEAD is GET without the body', async () => {
    const answer = await raw(`HEAD /api/v1/pools HTTP/1.1\r\nHost: localhost\r\n${CLOSE}`);
    const whole = await (await get('/api/v1/pools')).text();
    expect(answer).toStartWith('HTTP/1.1 200 OK\r\n');
    expect(answer.toLowerCase()).toContain(`content-length: ${whole.length}\r\n`);
    expect(answer).toEndWith('\r\n\r\n');
    const missing = await raw(`HEAD /none HTTP/1.1\r\nHost: localhost\r\n${CLOSE}`);
    expect(missing).toStartWith('HTTP/1.1 404 ');
    expect(missing).toEndWith('\r\n\r\n');
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    '%s is not allowed, and says what is',
    async (method) => {
      for (const path of ['/healthz', '/api/v1/pools/web', '/']) {
        const response = await get(path, { method });
        expect(response.status).toBe(405);
        expect(response.headers.get('allow')).toBe('GET, HEAD');
        expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
      }
    },
  );

  test('nothing is cached, sniffed, or open to other origins', async () => {
    for (const path of ['/', '/metrics', '/api/v1/pools', '/none']) {
      const { headers } = await get(path, { headers: { origin: 'http://evil.example' } });
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  test('a defect is a 500 without details, and the details are logged', async () => {
    await restart({}, { metrics: () => Promise.reject(new Error('secret detail')) });
    const response = await get('/metrics');
    expect(response.status).toBe(500);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'internal_error' } });
    expect(body).not.toContain('secret');
    expect(logged).toEqual([['admin.internal-error', { error: expect.stringContaining('secret detail') }]]);
    expect((await get('/healthz')).status).toBe(200);
  });

  test('an address in use is a clear error', async () => {
    const error = await start({ address: server.address }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(String(error)).toContain(`admin: cannot listen on ${server.address}: EADDRINUSE`);
  });
});

describe('Host on loopback (DNS rebinding)', () => {
  test.each([
    'localhost',
    'localhost:9900',
    'LOCALHOST',
    '127.0.0.1',
    '127.0.0.1:80',
    '127.3.2.1',
    '[::1]',
    '[::1]:9900',
  ])('%s is allowed', async (host) => {
    expect(await raw(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n${CLOSE}`)).toStartWith('HTTP/1.1 200 ');
  });

  test.each([
    'evil.example',
    'evil.example:9900',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    '10.0.0.1',
    '[2001:db8::1]',
    'localhost, evil.example',
    'evil.example/localhost',
  ])('%s is refused', async (host) => {
    for (const path of ['/metrics', '/healthz', '/none']) {
      const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${CLOSE}`);
      // The server itself refuses some.
      expect(answer).toMatch(/^HTTP\/1\.1 40[03] /);
      expect(answer).not.toContain('metrics for');
    }
  });

  test('HTTP/1.0 without Host is allowed: probes send it, browsers cannot', async () => {
    expect(await raw('GET /healthz HTTP/1.0\r\n\r\n')).toStartWith('HTTP/1.1 200 ');
    expect(await raw('GET //healthz?x HTTP/1.0\r\n\r\n')).toStartWith('HTTP/1.1 200 ');
  });

  test('beyond loopback any Host will do, because the token protects', async () => {
    const config = admin.parse({ address: '0.0.0.0:9900', token: TOKEN });
    const handler = createHandler(new NetworkGuard(config), sampleAdminState(runtime, clock));
    const ask = (headers: Record<string, string>) =>
      handler(new Request('http://lb.example.com/api/v1/status', { headers }), '192.0.2.1');
    const host = 'lb.example.com';
    expect((await ask({ host, authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    expect((await ask({ host })).status).toBe(401);
  });
});

describe('token', () => {
  beforeEach(() => restart({ token: TOKEN }));

  test('is asked for by everything but the probes', async () => {
    for (const { method, path, open } of ADMIN_ROUTES) {
      const response = await get(path.replace(':pool', 'web').replace(':endpoint', 'b'), { method });
      expect([path, response.status]).toEqual([path, open ? 200 : 401]);
    }
    for (const path of ['/none', '/healthz']) {
      const response = await get(path, { method: 'POST' });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="pointsman"');
      expect(await response.json()).toMatchObject({ error: { code: 'unauthorized' } });
    }
  });

  test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `BEARER  ${TOKEN}`])(
    '%s is let in',
    async (authorization) => {
      expect((await get('/api/v1/pools', { headers: { authorization } })).status).toBe(200);
    },
  );

  test.each([
    TOKEN,
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(1)}`,
    'Bearer',
    'Bearer ',
    `Bearer x ${TOKEN}`,
  ])('%s is not', async (authorization) => {
    expect((await get('/api/v1/pools', { headers: { authorization } })).status).toBe(401);
  });

  test('/readyz gives its reasons to the trusted alone', async () => {
    runtime.state = { ready: false, reasons: ['secret pool name'] };
    expect(await (await get('/readyz')).json()).toEqual({ ready: false });
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect(await (await get('/readyz', { headers })).json()).toMatchObject({ reasons: ['secret pool name'] });
  });
});
