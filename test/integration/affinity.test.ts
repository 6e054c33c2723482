import { describe, expect, test } from 'bun:test';

import { get, startFront } from '../support/front.ts';
import type { Pointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf, valuesOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask } from '../support/wire.ts';

function named(name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    while ((await wire.request()).kind === 'message') wire.send(plainAnswer(name, 'Set-Cookie: app=1\r\n'));
  });
}

const COOKIE = { cookie: { name: 'SERVERID', secret: 'a secret of sixteen' } } as const;

function bound(answer: HttpMessage): string | undefined {
  return valuesOf(answer, 'set-cookie').find((value) => value.startsWith('SERVERID='));
}

async function visit(
  pointsman: Pointsman,
  cookie?: string,
): Promise<{ readonly at: string; readonly set: string | undefined; readonly answer: HttpMessage }> {
  const answer = await ask(
    pointsman.address(),
    get('/', ...(cookie === undefined ? [] : [`Cookie: x=y; ${cookie}; z=1`])),
  );
  return { at: answer.body.toString(), set: bound(answer), answer };
}

/** The part of a Set-Cookie value that the client sends back. */
function sentBack(set: string | undefined): string {
  return (set ?? '').split(';')[0] ?? '';
}

describe('sticky cookie', () => {
  test('binds a client to its endpoint, and others elsewhere', async () => {
    await using a = await named('a');
    await using b = await named('b');
    await using c = await named('c');
    await using pointsman = await startFront([a, b, c], { pool: { affinity: COOKIE } });
    const places = new Set<string>();
    for (let client = 0; client < 6; client++) {
      const first = await visit(pointsman);
      expect(first.set).toMatch(/^SERVERID=[^;]+;.*HttpOnly/i);
      expect(first.set).toMatch(/Path=\//i);
      expect(first.set).toMatch(/SameSite=Lax/i);
      expect(valuesOf(first.answer, 'set-cookie')).toContain('app=1');
      expect(valueOf(first.answer, 'cache-control')).toMatch(/private/);
      places.add(first.at);
      for (let round = 0; round < 4; round++) {
        const again = await visit(pointsman, sentBack(first.set));
        expect(again.at).toBe(first.at);
        expect(again.set).toBeUndefined();
      }
    }
    expect(places.size).toBe(3);
  });

  test('says nothing about where the endpoint is', async () => {
    await using a = await named('a');
    await using pointsman = await startFront([a], { pool: { affinity: COOKIE } });
    const { set } = await visit(pointsman);
    expect(set).not.toContain(String(a.address.port));
  });

  test('a value that nobody gave out binds to nothing', async () => {
    await using a = await named('a');
    await using b = await named('b');
    await using pointsman = await startFront([a, b], { pool: { affinity: COOKIE } });
    for (const forged of ['', 'x', a.name, '127.0.0.1:1', '../../etc', 'a'.repeat(3000), '%00', '0']) {
      const { answer, set } = await visit(pointsman, `SERVERID=${forged}`);
      expect(answer.status).toBe(200);
      expect(set).toBeDefined();
    }
  });

  test('fails over when the endpoint is gone, and stays where it went', async () => {
    const a = await named('a');
    const b = await named('b');
    await using pointsman = await startFront([a, b], { pool: { affinity: COOKIE } });
    let first = await visit(pointsman);
    while (first.at !== 'a') first = await visit(pointsman);
    await a[Symbol.asyncDispose]();
    const second = await visit(pointsman, sentBack(first.set));
    expect(second.at).toBe('b');
    expect(second.set).toBeDefined();
    const third = await visit(pointsman, sentBack(second.set));
    expect(third.at).toBe('b');
    expect(third.set).toBeUndefined();
    await b[Symbol.asyncDispose]();
  });

  test('a draining endpoint keeps those that are bound to it and takes no others', async () => {
    await using a = await named('a');
    await using b = await named('b');
    const endpoints = (state: 'enabled' | 'draining') => [
      { address: a.name, name: 'a', state },
      { address: b.name, name: 'b' },
    ];
    let cookie = '';
    {
      await using before = await startFront([a, b], {
        pool: { affinity: COOKIE, endpoints: endpoints('enabled') },
      });
      while (cookie === '') {
        const { at, set } = await visit(before);
        if (at === 'a') cookie = sentBack(set);
      }
    }
    await using after = await startFront([a, b], {
      pool: { affinity: COOKIE, endpoints: endpoints('draining') },
    });
    for (let round = 0; round < 5; round++) {
      expect((await visit(after, cookie)).at).toBe('a');
      expect((await visit(after)).at).toBe('b');
    }
  });

  test('strict: 503 instead of another endpoint', async () => {
    await using a = await named('a');
    await using b = await named('b');
    const pool = (state: 'enabled' | 'disabled') => ({
      affinity: { ...COOKIE, strict: true },
      endpoints: [
        { address: a.name, name: 'a', state },
        { address: b.name, name: 'b' },
      ],
    });
    let cookie = '';
    {
      await using before = await startFront([a, b], { pool: pool('enabled') });
      while (cookie === '') {
        const { at, set } = await visit(before);
        if (at === 'a') cookie = sentBack(set);
      }
    }
    await using after = await startFront([a, b], { pool: pool('disabled') });
    const { answer } = await visit(after, cookie);
    expect(answer.status).toBe(503);
    expect(valueOf(answer, 'retry-after')).toBeDefined();
    expect((await visit(after)).at).toBe('b');
  });
});
