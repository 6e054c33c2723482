import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { get } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { echoBody, plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { valueOf, valuesOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask } from '../support/wire.ts';

describe('filters', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;
  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') return;
        wire.send(
          plainAnswer(
            echoBody(parsed.message),
            'Server: secret/1.0\r\nX-Keep: 1\r\nX-Twice: a\r\nX-Twice: b\r\n',
          ),
        );
      }
    });
    pointsman = await startPointsman({
      listeners: [
        {
          name: 'web',
          address: '127.0.0.1:0',
          routes: [
            {
              match: { path: '/headers/*' },
              pool: 'web',
              filters: [
                {
                  headers: {
                    request: {
                      set: { 'X-Set': 'ours', 'X-New': 'new' },
                      add: { 'X-Add': 'two' },
                      remove: ['X-Gone'],
                    },
                    response: { set: { 'X-Twice': 'c' }, add: { 'X-Keep': '2' }, remove: ['Server'] },
                  },
                },
              ],
            },
            { match: { path: '/strip/*' }, pool: 'web', filters: [{ rewrite: { prefix: '/strip' } }] },
            {
              match: { path: '/v1/*' },
              pool: 'web',
              filters: [{ rewrite: { prefix: '/v1', to: '/api/v2' } }],
            },
            {
              match: { path: '/limited/*' },
              reply: { status: 200, body: 'ok' },
              filters: [{ rateLimit: { rate: '1/h', burst: 3 } }],
            },
            {
              match: { path: '/refilled/*' },
              reply: { status: 200, body: 'ok' },
              filters: [{ rateLimit: { rate: '4/s', burst: 1 } }],
            },
            {
              match: { path: '/by-key/*' },
              pool: 'web',
              filters: [{ rateLimit: { key: 'header:X-Key', rate: '1/m', burst: 1 } }],
            },
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

  const seen = (target: string): HttpMessage | undefined =>
    endpoint.requests().find((request) => request.target === target);

  test.concurrent('headers: sets, adds and removes lines of the request', async () => {
    await ask(
      pointsman.address(),
      get(
        '/headers/request',
        'X-Set: theirs',
        'x-set: theirs too',
        'X-Add: one',
        'X-Gone: 1',
        'x-gone: 2',
        'X-Stay: 1',
      ),
    );
    const request = seen('/headers/request');
    expect(request).toBeDefined();
    if (request === undefined) return;
    expect(valuesOf(request, 'x-set')).toEqual(['ours']);
    expect(valuesOf(request, 'x-new')).toEqual(['new']);
    expect(valuesOf(request, 'x-add')).toEqual(['one', 'two']);
    expect(valuesOf(request, 'x-gone')).toEqual([]);
    expect(valuesOf(request, 'x-stay')).toEqual(['1']);
  });

  test.concurrent('headers: sets, adds and removes lines of the response', async () => {
    const answer = await ask(pointsman.address(), get('/headers/response'));
    expect(valuesOf(answer, 'x-twice')).toEqual(['c']);
    expect(valuesOf(answer, 'x-keep')).toEqual(['1', '2']);
    expect(valueOf(answer, 'server') ?? '').not.toMatch(/secret/);
  });

  test.concurrent('headers: other routes are left alone', async () => {
    const answer = await ask(pointsman.address(), get('/plain'));
    expect(valuesOf(answer, 'x-twice')).toEqual(['a', 'b']);
    expect(valueOf(answer, 'server')).toBe('secret/1.0');
  });

  const REWRITES: readonly (readonly [string, string])[] = [
    ['/strip/a/b', '/a/b'],
    ['/strip', '/'],
    ['/strip/', '/'],
    ['/strip/a?b=/strip/c', '/a?b=/strip/c'],
    ['/strip/strip/x', '/strip/x'],
    ['/v1/users?id=1', '/api/v2/users?id=1'],
    ['/v1', '/api/v2'],
    ['/v1x', '/v1x'],
    ['/strip//evil.test', '/evil.test'],
  ];
  for (const [target, rewritten] of REWRITES) {
    test.concurrent(`rewrite: ${target} -> ${rewritten}`, async () => {
      const answer = await ask(pointsman.address(), get(target));
      expect(answer.body.toString()).toBe(`GET ${rewritten} 0`);
    });
  }

  test('rate limit: lets the burst through, then 429 with Retry-After', async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 6; index++) {
      const answer = await ask(pointsman.address(), get(`/limited/${index}`));
      statuses.push(answer.status);
      if (answer.status === 429) {
        expect(Number(valueOf(answer, 'retry-after'))).toBeGreaterThanOrEqual(1);
        expect(valueOf(answer, 'proxy-status')).toMatch(/http_request_denied/);
      }
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429]);
  });

  test('rate limit: lets through again what has grown since', async () => {
    const status = async () => (await ask(pointsman.address(), get('/refilled/x'))).status;
    await untilTrue('a refusal', async () => (await status()) === 429);
    await untilTrue('the next one', async () => (await status()) === 200);
  });

  test('rate limit: keeps keys apart', async () => {
    const status = async (key: string) =>
      (await ask(pointsman.address(), get('/by-key/x', `X-Key: ${key}`))).status;
    expect([await status('a'), await status('b'), await status('a'), await status('c')]).toEqual([
      200, 200, 429, 200,
    ]);
  });
});
