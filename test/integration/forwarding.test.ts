import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { get } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf, valuesOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask } from '../support/wire.ts';

describe('forwarding fields', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;
  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start();
    const routes = [{ pool: 'web' }];
    pointsman = await startPointsman({
      listeners: [
        { name: 'open', address: '127.0.0.1:0', routes },
        { name: 'trusting', address: '127.0.0.1:0', trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'], routes },
        {
          name: 'silent',
          address: '127.0.0.1:0',
          forwarding: { xForwarded: false, forwarded: false, via: '' },
          routes,
        },
        {
          name: 'by-address',
          address: '127.0.0.1:0',
          trustedProxies: ['127.0.0.0/8'],
          routes: [
            { match: { from: '203.0.113.0/24' }, reply: { status: 200, body: 'near' } },
            { pool: 'web' },
          ],
        },
      ],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    });
  });
  afterAll(async () => {
    await pointsman.stop();
    await endpoint[Symbol.asyncDispose]();
  });

  let count = 0;
  async function forwarded(listener: string, ...lines: string[]): Promise<HttpMessage> {
    const target = `/${++count}`;
    expect((await ask(pointsman.address(listener), get(target, ...lines))).status).toBe(200);
    const request = endpoint.requests().find((candidate) => candidate.target === target);
    if (request === undefined) throw new Error('the request did not arrive');
    return request;
  }

  test('tell who asked, how, and for what', async () => {
    const request = await forwarded('open');
    expect(valuesOf(request, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(valuesOf(request, 'x-forwarded-proto')).toEqual(['http']);
    expect(valuesOf(request, 'x-forwarded-host')).toEqual(['a.test']);
    expect(valueOf(request, 'forwarded')).toMatch(/^for="?127\.0\.0\.1"?;/);
    expect(valueOf(request, 'forwarded')).toMatch(/proto=http(;|$)/);
    expect(valueOf(request, 'forwarded')).toMatch(/host="?a\.test/);
    expect(valueOf(request, 'via')).toMatch(/^1\.1 pointsman( \([0-9a-f]+\))?$/);
    expect(valueOf(request, 'host')).toBe('a.test');
  });

  test('HTTP/1.0 is told in Via', async () => {
    await ask(pointsman.address('open'), 'GET /http10 HTTP/1.0\r\nHost: a.test\r\n\r\n');
    const request = endpoint.requests().find(({ target }) => target === '/http10');
    expect(request === undefined ? '' : valueOf(request, 'via')).toMatch(/^1\.0 pointsman( \([0-9a-f]+\))?$/);
  });

  test('trusted peers are believed and appended to', async () => {
    const request = await forwarded(
      'trusting',
      'X-Forwarded-For: 198.51.100.7, 10.1.1.1',
      'X-Forwarded-Proto: https',
    );
    expect(valueOf(request, 'x-forwarded-for')).toBe('198.51.100.7, 10.1.1.1, 127.0.0.1');
    expect(valueOf(request, 'x-forwarded-proto')).toBe('https');
  });

  test('trusted peers keep their Forwarded elements', async () => {
    const request = await forwarded('trusting', 'Forwarded: for=198.51.100.7;proto=https');
    expect(valueOf(request, 'forwarded')).toMatch(/^for=198\.51\.100\.7;proto=https, ?for="?127\.0\.0\.1/);
  });

  test('IPv6 hosts are quoted in Forwarded', async () => {
    await ask(pointsman.address('open'), 'GET /v6 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n');
    const request = endpoint.requests().find(({ target }) => target === '/v6');
    expect(request === undefined ? '' : valueOf(request, 'forwarded')).toMatch(/host="\[2001:db8::1\]:80"/);
  });

  test('may be switched off', async () => {
    const request = await forwarded('silent', 'X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6');
    for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'via']) {
      expect(valueOf(request, name) ?? '').not.toMatch(/127\.0\.0\.1|pointsman|6\.6\.6\.6/);
    }
  });

  test('routes match the client behind trusted peers', async () => {
    const from = async (...lines: string[]) =>
      (await ask(pointsman.address('by-address'), get('/where', ...lines))).body.toString();
    expect(await from('X-Forwarded-For: 203.0.113.9')).toBe('near');
    expect(await from('X-Forwarded-For: 203.0.113.9, 127.0.0.2')).toBe('near');
    expect(await from('X-Forwarded-For: 203.0.113.9, 198.51.100.1')).not.toBe('near');
    expect(await from('X-Forwarded-For: 203.0.113.9, nonsense')).not.toBe('near');
    expect(await from()).not.toBe('near');
  });

  test('a request that comes round again is 508, or goes on with one more Via', async () => {
    const answer = await ask(pointsman.address('open'), get('/loop', 'Via: 1.1 pointsman'));
    expect([200, 508]).toContain(answer.status);
  });
});
