import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import { get, type ListenerInput, type PoolInput, post } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { untilTrue } from '../support/services.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ask, dial } from '../support/wire.ts';

let a: HeldEndpoint;
let b: HeldEndpoint;
let c: HeldEndpoint;
beforeAll(async () => {
  a = await HeldEndpoint.start('a');
  b = await HeldEndpoint.start('b');
  c = await HeldEndpoint.start('c');
});
afterAll(async () => {
  for (const endpoint of [a, b, c]) await endpoint[Symbol.asyncDispose]();
});

interface Edits {
  readonly web?: Partial<ListenerInput>;
  readonly pool?: Partial<PoolInput>;
}

function configOf({ web, pool }: Edits = {}): TestConfig {
  const endpoints = [
    { name: 'a', address: a.name },
    { name: 'b', address: b.name },
    { name: 'c', address: c.name },
  ];
  return {
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api' }], ...web }],
    pools: [{ name: 'api', policy: 'round-robin', endpoints, ...pool }],
  };
}

async function whoAnswers(pointsman: Pointsman, ...lines: string[]): Promise<string> {
  return (await ask(pointsman.address(), get('/', ...lines))).body.toString();
}

async function poolReport(pointsman: Pointsman): Promise<PoolReport> {
  const response = await fetch(`${pointsman.admin}/api/v1/pools/api`);
  return (await response.json()) as PoolReport;
}

const closed = { match: { path: '/closed' }, reply: { status: 410 } };

describe('what a reload does not name', () => {
  test('goes on where it was: turns, counters, health, idle connections', async () => {
    const pool: Partial<PoolInput> = { healthCheck: { tcp: {}, interval: '1h' }, timeouts: { idle: '60s' } };
    await using pointsman = await startPointsman(configOf({ pool }));
    await untilTrue('the verdicts', async () =>
      (await poolReport(pointsman)).endpoints.every(({ state }) => state.health === 'healthy'),
    );
    const first = [await whoAnswers(pointsman), await whoAnswers(pointsman)];
    const before = await poolReport(pointsman);
    const open = [a, b, c].map((endpoint) => endpoint.open);
    expect(await pointsman.reload(configOf({ pool, web: { routes: [closed, { pool: 'api' }] } }))).toContain(
      'reloaded revision=2 changes=1 what="route web/routes[0] added"',
    );
    const later = await poolReport(pointsman);
    expect([a, b, c].map((endpoint) => endpoint.open)).toEqual(open);
    expect(open.reduce((sum, count) => sum + count)).toBe(2);
    for (const [index, { requests, state }] of later.endpoints.entries()) {
      const earlier = before.endpoints[index]!;
      expect([requests, state.health, state.reason]).toEqual([
        earlier.requests,
        'healthy',
        earlier.state.reason,
      ]);
      // The wall clock that it is told by may have been set by a little.
      expect(Math.abs(Date.parse(state.since) - Date.parse(earlier.state.since))).toBeLessThan(10);
    }
    expect([...first, await whoAnswers(pointsman)].sort()).toEqual(['a', 'b', 'c']);
    expect((await ask(pointsman.address(), get('/closed'))).status).toBe(410);
  });

  test('a pool that changes keeps its turns, and its endpoints what they carry', async () => {
    await using pointsman = await startPointsman(configOf());
    const turns = [await whoAnswers(pointsman), await whoAnswers(pointsman)];
    await pointsman.reload(configOf({ pool: { timeouts: { response: '7s' }, retry: { attempts: 3 } } }));
    turns.push(await whoAnswers(pointsman), await whoAnswers(pointsman));
    expect(turns.slice(0, 3).sort()).toEqual(['a', 'b', 'c']);
    expect(turns[3]).toBe(turns[0]);
    const { endpoints } = await poolReport(pointsman);
    expect(endpoints.reduce((sum, { requests }) => sum + requests, 0)).toBe(4);
  });

  test('a rate limit does not forget whom it counted', async () => {
    const limited = { pool: 'api', filters: [{ rateLimit: { rate: '1/m', burst: 2 } }] };
    await using pointsman = await startPointsman(configOf({ web: { routes: [limited] } }));
    const status = async () => (await ask(pointsman.address(), get('/'))).status;
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
    const headers = { headers: { response: { set: { 'X-New': '1' } } } };
    await pointsman.reload(
      configOf({
        web: { routes: [closed, { ...limited, filters: [headers, ...limited.filters] }] },
        pool: { retry: { attempts: 3 } },
      }),
    );
    // In another place and with another filter it is another route: it has a bucket of its own.
    expect(await status()).toBe(200);
    await pointsman.reload(configOf({ web: { routes: [limited] } }));
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
    await pointsman.reload(configOf({ web: { routes: [closed, limited] } }));
    expect(await status()).toBe(429);
    const named = { name: 'main', ...limited };
    await pointsman.reload(configOf({ web: { routes: [named] } }));
    expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
    await pointsman.reload(
      configOf({ web: { routes: [closed, { ...named, filters: [headers, ...named.filters] }] } }),
    );
    expect(await status()).toBe(429);
  });

  test('clients stay bound to their endpoint', async () => {
    const affinity = { cookie: { name: 'S' } };
    await using pointsman = await startPointsman(configOf({ pool: { affinity } }));
    const answer = await ask(pointsman.address(), get('/'));
    const cookie = `Cookie: ${valueOf(answer, 'set-cookie')?.split(';')[0]}`;
    await pointsman.reload(configOf({ pool: { affinity, policy: 'random' } }));
    for (let turn = 0; turn < 6; turn++)
      expect(await whoAnswers(pointsman, cookie)).toBe(answer.body.toString());
  });
});

describe('what was changed at run time', () => {
  test('stands while the file says what it said, and gives way when it says something new', async () => {
    await using pointsman = await startPointsman(configOf());
    const states = async () => (await poolReport(pointsman)).endpoints.map(({ state }) => state.admin);
    const drained = await fetch(`${pointsman.admin}/api/v1/pools/api/endpoints/a`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: '{"state":"draining"}',
    });
    expect([drained.status, await states()]).toEqual([200, ['draining', 'enabled', 'enabled']]);
    expect(await pointsman.reload(configOf())).toContain('changes=0');
    await pointsman.reload(configOf({ pool: { timeouts: { response: '7s' } } }));
    expect(await states()).toEqual(['draining', 'enabled', 'enabled']);
    const endpoints = [
      { name: 'a', address: a.name, state: 'disabled' as const },
      { name: 'b', address: b.name },
    ];
    await pointsman.reload(configOf({ pool: { endpoints } }));
    expect(await states()).toEqual(['disabled', 'enabled']);
  });
});

describe('open connections', () => {
  test('follow new routes and limits with their next request; what is under way ends as it began', async () => {
    await using pointsman = await startPointsman(configOf());
    const wire = await dial(pointsman.address());
    const body = 'x'.repeat(3000);
    wire.send(post('/', body).slice(0, -1000));
    await untilTrue('its beginning', async () => (await poolReport(pointsman)).active === 1);
    await pointsman.reload(
      configOf({ web: { routes: [closed, { pool: 'api' }], limits: { bodyBytes: '1KiB' } } }),
    );
    wire.send(body.slice(0, 1000));
    expect((await wire.answer('POST')).status).toBe(200);
    wire.send(get('/closed'));
    expect((await wire.answer()).status).toBe(410);
    wire.send(post('/', body));
    expect((await wire.answer('POST')).status).toBe(413);
    wire.close();
  });

  test('are believed about their client as the new configuration says', async () => {
    const routes = [
      { match: { from: ['192.0.2.0/24'] }, reply: { status: 204 } },
      { reply: { status: 403 } },
    ];
    await using pointsman = await startPointsman(
      configOf({ web: { routes, trustedProxies: ['127.0.0.1'] } }),
    );
    const wire = await dial(pointsman.address());
    const request = get('/', 'X-Forwarded-For: 192.0.2.7');
    wire.send(request);
    expect((await wire.answer()).status).toBe(204);
    await pointsman.reload(configOf({ web: { routes } }));
    wire.send(request);
    expect((await wire.answer()).status).toBe(403);
    wire.close();
  });
});

describe('endpoints and pools that go', () => {
  test('an endpoint finishes what it has and gets nothing more', async () => {
    await using pointsman = await startPointsman(configOf({ pool: { endpoints: [a.name] } }));
    const before = a.taken.length;
    a.hold();
    const answer = ask(pointsman.address(), get('/last'));
    await a.took(before + 1);
    await pointsman.reload(configOf({ pool: { endpoints: [b.name] } }));
    expect(await whoAnswers(pointsman)).toBe('b');
    a.release();
    expect((await answer).body.toString()).toBe('a');
    expect(await whoAnswers(pointsman)).toBe('b');
    expect(a.taken.slice(before)).toEqual(['/last']);
    // Its connection is not kept for anybody.
    await untilTrue('its end', () => a.open === 0);
  });

  test('a request that waits for a bound endpoint goes to another when that is gone', async () => {
    const pool = (addresses: readonly string[]): Partial<PoolInput> => ({
      affinity: { cookie: { name: 'S' } },
      endpoints: addresses.map((address) => ({ address, maxConnections: 1 })),
    });
    await using pointsman = await startPointsman(configOf({ pool: pool([a.name]) }));
    const bound = await ask(pointsman.address(), get('/'));
    const cookie = `Cookie: ${valueOf(bound, 'set-cookie')?.split(';')[0]}`;
    const before = a.taken.length;
    a.hold();
    const held = ask(pointsman.address(), get('/held'));
    await a.took(before + 1);
    const waiting = whoAnswers(pointsman, cookie);
    await untilTrue('its wait', async () => (await poolReport(pointsman)).queued === 1);
    await pointsman.reload(configOf({ pool: pool([b.name]) }));
    expect(await waiting).toBe('b');
    a.release();
    expect((await held).body.toString()).toBe('a');
  });

  test('a pool is gone at once for new requests, and serves those it has, also the ones in its queue', async () => {
    const config = configOf({ pool: { endpoints: [{ address: a.name, maxConnections: 1 }] } });
    await using pointsman = await startPointsman(config);
    const before = a.taken.length;
    a.hold();
    const held = ask(pointsman.address(), get('/held'));
    await a.took(before + 1);
    const queued = ask(pointsman.address(), get('/queued'));
    await untilTrue('its wait', async () => (await poolReport(pointsman)).queued === 1);
    const { name, address } = config.listeners[0]!;
    const routes = [{ reply: { status: 204 } }];
    expect(await pointsman.reload({ listeners: [{ name, address, routes }] })).toContain('pool api removed');
    expect((await ask(pointsman.address(), get('/'))).status).toBe(204);
    a.release();
    expect([(await held).status, (await queued).status]).toEqual([200, 200]);
    expect(a.taken.slice(before)).toEqual(['/held', '/queued']);
    expect(await pointsman.reload(config)).toContain('pool api added');
    expect(await whoAnswers(pointsman)).toBe('a');
  });
});
