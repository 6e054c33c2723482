import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { readFileSync, writeFileSync } from 'node:fs';

import type { EndpointReport } from '../../src/admin/pool-report.ts';
import { get, startFront } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask, dial } from '../support/wire.ts';

/** Endpoints as the admin API of a real process changes them: what is refused, how, and what stays as it was. */

const JSON_TYPE = { 'content-type': 'application/json' };

let a: ScriptedEndpoint;
let b: ScriptedEndpoint;
let pointsman: Pointsman;

beforeEach(async () => {
  [a, b] = await Promise.all([ScriptedEndpoint.start(), ScriptedEndpoint.start()]);
  pointsman = await startFront([a, b], {
    pool: {
      endpoints: [
        { name: 'a', address: a.name },
        { name: 'b', address: b.name, weight: 2 },
      ],
    },
  });
});

afterEach(async () => {
  await pointsman.stop('SIGKILL');
  await a[Symbol.asyncDispose]();
  await b[Symbol.asyncDispose]();
});

function api(method: string, path: string, json?: unknown, headers: Record<string, string> = {}) {
  return fetch(`${pointsman.admin}/api/v1/${path}`, {
    method,
    headers: json === undefined ? headers : { ...JSON_TYPE, ...headers },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
}

async function refusal(response: Response): Promise<[status: number, code: string, message: string]> {
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return [response.status, error.code, error.message];
}

async function endpointNames(): Promise<string[]> {
  const { endpoints } = (await (await api('GET', 'pools/web')).json()) as { endpoints: EndpointReport[] };
  return endpoints.map(({ name }) => name);
}

describe('PATCH', () => {
  test('state, weight and deadline are in force at once', async () => {
    const response = await api('PATCH', 'pools/web/endpoints/a', {
      state: 'draining',
      weight: 7,
      deadline: '60s',
    });
    expect(response.status).toBe(200);
    const report = (await response.json()) as EndpointReport;
    expect(report).toMatchObject({
      name: 'a',
      weight: 7,
      state: { admin: 'draining', availability: 'bound-only' },
      drain: {
        requests: 0,
        tunnels: 0,
        sessions: 0,
        empty: true,
        takesBound: false,
        leaves: false,
        left: null,
      },
    });
    const { since, deadline } = report.drain!;
    expect(Date.parse(deadline!) - Date.parse(since!)).toBe(60_000);
    for (let asked = 0; asked < 4; asked++) await ask(pointsman.address(), get('/'));
    expect([a.requests().length, b.requests().length]).toEqual([0, 4]);
    const enabled = await api('PATCH', 'pools/web/endpoints/a', { state: 'enabled' });
    expect(await enabled.json()).toMatchObject({ state: { availability: 'open' }, drain: null });
  });

  test.each<[unknown, string]>([
    [{ state: 'off' }, 'state: "off" is not valid here; expected one of enabled, draining, disabled'],
    [
      { weight: -1, deadline: 'soon' },
      'weight: must be at least 0, not -1\ndeadline: "soon" is not a duration',
    ],
    [{ stat: 'enabled' }, 'stat: unknown key "stat"; did you mean "state"?'],
    [{ state: null }, 'state: has no value'],
    [[], 'expected '],
    [{}, 'Nothing is to be changed'],
  ])('%j is refused with all that is wrong', async (json, message) => {
    const [status, code, said] = await refusal(await api('PATCH', 'pools/web/endpoints/a', json));
    expect([status, code]).toEqual([400, 'invalid_request']);
    expect(said).toStartWith(message);
    expect(await (await api('GET', 'changes')).json()).toEqual({ changes: [] });
  });

  test('names that there are not', async () => {
    expect(await refusal(await api('PATCH', 'pools/wep/endpoints/a', { weight: 1 }))).toEqual([
      404,
      'not_found',
      'there is no pool "wep"; did you mean "web"? (pools: web)',
    ]);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const json = method === 'PATCH' ? { weight: 1 } : undefined;
      const [status, , message] = await refusal(await api(method, 'pools/web/endpoints/zzz', json));
      expect([status, message]).toEqual([
        404,
        expect.stringMatching(/^there is no endpoint "zzz".*a, b\)?$/),
      ]);
    }
  });

  test('a deadline for an enabled endpoint is a conflict', async () => {
    const [status, code] = await refusal(await api('PATCH', 'pools/web/endpoints/a', { deadline: '1s' }));
    expect([status, code]).toEqual([409, 'conflict']);
  });
});

describe('bodies', () => {
  const path = () => `${pointsman.admin}/api/v1/pools/web/endpoints/a`;

  test('that are no JSON', async () => {
    const send = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = JSON_TYPE) =>
      fetch(path(), { method: 'PATCH', headers, body });
    expect((await refusal(await send('{"state":')))[1]).toBe('invalid_request');
    expect((await refusal(await send(new Uint8Array([0x22, 0xff, 0x22]))))[0]).toBe(400);
    expect((await refusal(await send('')))[0]).toBe(400);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
      const answer = await send('{"weight":9}', { 'content-type': type });
      expect((await refusal(answer)).slice(0, 2)).toEqual([415, 'unsupported_media_type']);
    }
    expect((await send('{"weight":9}', { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(
      200,
    );
  });

  test('that break off are no defect', async () => {
    const { host, port } = pointsman.address('admin');
    const wire = await dial({ host, port });
    wire.send(
      `PATCH /api/v1/pools/web/endpoints/a HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"weight":`,
    );
    await Bun.sleep(50);
    wire.close();
    await Bun.sleep(50);
    expect((await api('GET', 'pools')).status).toBe(200);
    expect(pointsman.logs()).not.toContain('internal-error');
  });

  test('that are too large, with a length and without', async () => {
    const body = JSON.stringify({ state: 'x'.repeat(70_000) });
    const known = await fetch(path(), { method: 'PATCH', headers: JSON_TYPE, body });
    expect((await refusal(known)).slice(0, 2)).toEqual([413, 'body_too_large']);
    const chunk = Buffer.from('x'.repeat(10_000));
    const [host, port] = [pointsman.address('admin').host, pointsman.address('admin').port];
    const wire = await dial({ host, port });
    wire.send(
      `PATCH /api/v1/pools/web/endpoints/a HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    for (let sent = 0; sent < 10; sent++) {
      wire.send(`${chunk.length.toString(16)}\r\n${chunk.toString()}\r\n`);
    }
    wire.send('0\r\n\r\n');
    expect((await wire.answer('PATCH')).status).toBe(413);
    wire.close();
    expect((await api('GET', 'pools/web')).status).toBe(200);
  });
});

describe('who and how', () => {
  test('a page of another origin changes nothing', async () => {
    const origin = 'http://evil.example';
    for (const [method, path, json] of [
      ['PATCH', 'pools/web/endpoints/a', { state: 'disabled' }],
      ['POST', 'pools/web/endpoints', { address: '10.0.0.1:80' }],
      ['POST', 'reload', undefined],
      ['DELETE', 'changes', undefined],
    ] as const) {
      const [status, code] = await refusal(await api(method, path, json, { origin }));
      expect([status, code]).toEqual([403, 'origin_not_allowed']);
    }
    const own = await api('PATCH', 'pools/web/endpoints/a', { weight: 4 }, { origin: pointsman.admin });
    expect(own.status).toBe(200);
  });

  test.each([
    ['POST', 'pools', 'GET, HEAD'],
    ['PUT', 'pools/web/endpoints/a', 'GET, HEAD, PATCH, DELETE'],
    ['GET', 'pools/web/endpoints', 'POST'],
    ['GET', 'reload', 'POST'],
    ['POST', 'changes', 'GET, HEAD, DELETE'],
  ])('%s %s: Allow says what is right', async (method, path, allow) => {
    const response = await api(method, path);
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
  });

  test('a wrong token changes nothing', async () => {
    await using guarded = await startPointsman({
      admin: { address: '127.0.0.1:0', token: 'a-token-of-sixteen' },
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [a.name] }],
    });
    const change = (token: string) =>
      fetch(`${guarded.admin}/api/v1/pools/web/endpoints/${a.name}`, {
        method: 'PATCH',
        headers: { ...JSON_TYPE, authorization: `Bearer ${token}` },
        body: '{"weight":3}',
      });
    const wrong = await change('a-token-of-seventeen');
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="pointsman"']);
    expect((await change('a-token-of-sixteen')).status).toBe(200);
  });
});

describe('reload', () => {
  test('answers what was changed, or everything that is wrong', async () => {
    const file = JSON.parse(readFileSync(pointsman.file, 'utf8')) as { pools: { policy: string }[] };
    const { etag, ...idle } = await reload();
    expect([idle.status, idle.body]).toEqual([
      200,
      { outcome: 'applied', revision: 1, changes: [], warnings: [] },
    ]);
    file.pools[0]!.policy = 'random';
    writeFileSync(pointsman.file, JSON.stringify(file));
    const applied = await reload();
    expect(applied).toMatchObject({ status: 200, body: { outcome: 'applied', revision: 2 } });
    expect(applied.etag).not.toBe(etag);
    file.pools[0]!.policy = 'rondom';
    writeFileSync(pointsman.file, JSON.stringify(file));
    const refused = await reload();
    expect(refused).toMatchObject({
      status: 422,
      etag: applied.etag,
      body: { outcome: 'refused', reason: 'config', revision: 2, issues: [{ path: 'pools[0].policy' }] },
    });
  });

  async function reload() {
    const response = await api('POST', 'reload');
    const body = (await response.json()) as object;
    return { status: response.status, body, etag: (await api('GET', 'pools')).headers.get('etag') };
  }
});

describe('lost updates', () => {
  test('a stale ETag is refused, whoever made it stale', async () => {
    const path = 'pools/web/endpoints/a';
    const etag = async () => (await api('GET', path)).headers.get('etag')!;
    const first = await etag();
    expect(await etag()).toBe(first);
    for (const other of ['pools', 'pools/web', 'changes'])
      expect((await api('GET', other)).headers.get('etag')).toBe(first);
    const changed = await api('PATCH', path, { weight: 3 }, { 'if-match': first });
    const second = changed.headers.get('etag')!;
    expect([changed.status, second === first, await etag()]).toEqual([200, false, second]);
    for (const [method, target, json] of [
      ['PATCH', path, { weight: 4 }],
      ['POST', 'pools/web/endpoints', { address: '10.0.0.1:80' }],
      ['DELETE', path, undefined],
      ['DELETE', 'changes', undefined],
    ] as const) {
      for (const stale of [first, `W/${second}`, '"x"']) {
        const refused = await api(method, target, json, { 'if-match': stale });
        expect(refused.headers.get('etag')).toBe(second);
        expect((await refusal(refused)).slice(0, 2)).toEqual([412, 'precondition_failed']);
      }
    }
    expect((await api('PATCH', path, { weight: 5 }, { 'if-match': `"x", ${second}` })).status).toBe(200);
    expect((await api('PATCH', path, { weight: 6 }, { 'if-match': '*' })).status).toBe(200);
    expect((await api('PATCH', path, { weight: 7 })).status).toBe(200);
  });
});

describe('membership', () => {
  test('an endpoint comes, serves and leaves', async () => {
    await using c = await ScriptedEndpoint.start();
    const added = await api('POST', 'pools/web/endpoints', { address: c.name, name: 'c', weight: 2 });
    expect([added.status, added.headers.get('location')]).toEqual([201, '/api/v1/pools/web/endpoints/c']);
    expect(await added.json()).toMatchObject({ name: 'c', address: c.name, weight: 2 });
    for (let asked = 0; asked < 5; asked++) await ask(pointsman.address(), get('/'));
    expect(c.requests()).toHaveLength(2);
    expect((await refusal(await api('POST', 'pools/web/endpoints', { address: c.name, name: 'c' })))[0]).toBe(
      409,
    );
    expect((await api('DELETE', 'pools/web/endpoints/c')).status).toBe(204);
    expect(await endpointNames()).toEqual(['a', 'b']);
    expect(await (await api('GET', 'changes')).json()).toEqual({ changes: [] });
  });

  test('what the file would refuse is refused', async () => {
    const post = (json: unknown) => api('POST', 'pools/web/endpoints', json);
    expect(await refusal(await post({ address: 'nowhere', weight: 1000 }))).toEqual([
      400,
      'invalid_request',
      'address: "nowhere" has no port; write host:port, such as 10.0.0.1:3000\nweight: must be at most 256, not 1000',
    ]);
    expect((await refusal(await post({ name: 'c' })))[2]).toStartWith('address: is missing');
    expect((await refusal(await api('POST', 'pools/none/endpoints', '10.0.0.1:80')))[0]).toBe(404);
    expect((await refusal(await api('DELETE', 'pools/web/endpoints/a?force=yes')))[0]).toBe(400);
    expect((await refusal(await api('DELETE', 'pools/web/endpoints/a?deadlin=1s')))[2]).toContain(
      '"deadline"',
    );
  });

  test('the last endpoint stays', async () => {
    expect((await api('DELETE', 'pools/web/endpoints/a?force=1')).status).toBe(204);
    const [status, code, message] = await refusal(await api('DELETE', 'pools/web/endpoints/b?force=1'));
    expect([status, code]).toEqual([409, 'conflict']);
    expect(message).toContain('last endpoint');
  });

  test('changes are listed, logged with who made them, and discarded', async () => {
    await api('PATCH', 'pools/web/endpoints/a', { state: 'disabled' });
    await api('PATCH', 'pools/web/endpoints/b', { weight: 9 });
    await api('POST', 'pools/web/endpoints', { address: '127.0.0.1:9', name: 'c' });
    const { changes } = (await (await api('GET', 'changes')).json()) as {
      changes: Record<string, unknown>[];
    };
    expect(changes).toMatchObject([
      { pool: 'web', endpoint: 'a', kind: 'state', value: 'disabled', file: 'enabled', by: '127.0.0.1' },
      { pool: 'web', endpoint: 'b', kind: 'weight', value: 9, file: 2 },
      { pool: 'web', endpoint: 'c', kind: 'added', value: '127.0.0.1:9', file: null },
    ]);
    expect(Math.abs(Date.now() - Date.parse(String(changes[0]!['since'])))).toBeLessThan(10_000);
    expect(await (await api('DELETE', 'changes')).json()).toEqual({ discarded: 3 });
    expect(await endpointNames()).toEqual(['a', 'b']);
    expect(await (await api('GET', 'pools/web/endpoints/a')).json()).toMatchObject({
      state: { availability: 'open' },
    });
    const deadline = performance.now() + 5000;
    while (!pointsman.logs().includes('discarded') && performance.now() < deadline) await Bun.sleep(5);
    const lines = pointsman.logs();
    for (const line of [
      'endpoint-admin pool=web endpoint=a state=disabled by=127.0.0.1',
      'endpoint-admin pool=web endpoint=b weight=9 by=127.0.0.1',
      'endpoint-added pool=web endpoint=c address=127.0.0.1:9 by=127.0.0.1',
      'runtime-changes-discarded count=3 by=127.0.0.1',
    ]) {
      expect(lines).toContain(line);
    }
  });
});
