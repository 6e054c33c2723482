import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { askAtOnce, askInTurn, get, type PoolInput, startFront } from '../support/front.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask } from '../support/wire.ts';

describe('balancing over sockets', () => {
  const names = ['a', 'b', 'c'] as const;
  let endpoints: ScriptedEndpoint[];
  /** What the first endpoint waits for before it answers `/slow`. */
  let slow: () => Promise<void> = async () => {};
  beforeAll(async () => {
    endpoints = await Promise.all(
      names.map((name) =>
        ScriptedEndpoint.start(async (wire) => {
          for (;;) {
            const parsed = await wire.request(60_000);
            if (parsed.kind !== 'message') return;
            if (parsed.message.target === '/slow' && name === 'a') await slow();
            wire.send(plainAnswer(name));
          }
        }),
      ),
    );
  });
  afterAll(async () => {
    for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
  });

  type EndpointInput = Exclude<PoolInput['endpoints'][number], string>;
  function members(...extras: Partial<EndpointInput>[]): EndpointInput[] {
    return names.map((name, index) => ({ ...extras[index], name, address: endpoints[index]!.name }));
  }

  async function counts(pool: Partial<PoolInput>, requests: readonly string[]): Promise<number[]> {
    await using pointsman = await startFront([], { pool });
    const said: string[] = [];
    for (const request of requests) said.push((await ask(pointsman.address(), request)).body.toString());
    return names.map((name) => said.filter((answer) => answer === name).length);
  }

  const SEVENTY = Array.from({ length: 70 }, () => get('/x'));

  test('round-robin by weight is exact', async () => {
    const pool = {
      policy: 'round-robin',
      endpoints: members({ weight: 5 }, { weight: 1 }, { weight: 1 }),
    } as const;
    expect(await counts(pool, SEVENTY)).toEqual([50, 10, 10]);
  });

  test('weight 0 takes nothing', async () => {
    expect((await counts({ endpoints: members({ weight: 0 }) }, SEVENTY))[0]).toBe(0);
  });

  test('draining and disabled take nothing', async () => {
    const pool = { endpoints: members({ state: 'draining' }, { state: 'disabled' }) };
    expect(await counts(pool, SEVENTY)).toEqual([0, 0, 70]);
  });

  test('first uses the first', async () => {
    expect(await counts({ policy: 'first', endpoints: members() }, SEVENTY)).toEqual([70, 0, 0]);
  });

  test('a lower priority waits', async () => {
    const pool = { endpoints: members({ priority: 1 }, {}, { priority: 1 }) };
    expect(await counts(pool, SEVENTY)).toEqual([0, 70, 0]);
  });

  for (const policy of ['random', 'random-two', 'least-connections'] as const) {
    test(`${policy} uses all`, async () => {
      // That any of three gets 5 or less of 140 by chance: 3 x P(B(140, 1/3) <= 5), below 1e-16.
      const used = await counts({ policy, endpoints: members() }, [...SEVENTY, ...SEVENTY]);
      expect(Math.min(...used)).toBeGreaterThan(5);
    });
  }

  test('least-response-time uses all when many come at once', async () => {
    await using pointsman = await startFront([], {
      pool: { policy: 'least-response-time', endpoints: members() },
    });
    const answers = await askAtOnce(
      pointsman,
      Array.from({ length: 60 }, () => get('/x')),
    );
    expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(3);
  });

  for (const policy of ['ip-hash', 'ring-hash', 'maglev'] as const) {
    test(`${policy} sends one client to one endpoint`, async () => {
      const used = await counts({ policy, endpoints: members() }, SEVENTY);
      expect(Math.max(...used)).toBe(70);
    });
  }

  for (const policy of ['ring-hash', 'maglev'] as const) {
    for (const [key, request] of [
      [{ header: 'X-User' }, (user: number) => get('/x', `X-User: ${user}`)],
      [{ cookie: 'user' }, (user: number) => get('/x', `Cookie: a=b; user=${user}`)],
      [{ query: 'user' }, (user: number) => get(`/x?a=b&user=${user}`)],
      ['path' as const, (user: number) => get(`/${user}`)],
    ] as const) {
      test(`${policy} by ${JSON.stringify(key)} keeps each user in place and spreads them`, async () => {
        await using pointsman = await startFront([], {
          pool: { policy, hash: { key }, endpoints: members() },
        });
        const users = Array.from({ length: 60 }, (_, user) => request(user));
        // One after the other: while many come at once, bounded load lets a few spill over.
        const where = async () => (await askInTurn(pointsman, users)).map(({ body }) => body.toString());
        const once = await where();
        expect(new Set(once).size).toBe(3);
        expect(await where()).toEqual(once);
      });
    }
  }

  test('least-connections goes round one that is slow', async () => {
    await using pointsman = await startFront([], {
      pool: { policy: 'least-connections', endpoints: members() },
    });
    const held = Promise.withResolvers<void>();
    const came = Promise.withResolvers<void>();
    const taken: string[] = [];
    slow = () => {
      taken.push('a');
      came.resolve();
      return held.promise;
    };
    const first: Promise<HttpMessage>[] = [];
    while (taken.length === 0) {
      const answer = ask(pointsman.address(), get('/slow'), 60_000);
      first.push(answer);
      await Promise.race([answer, came.promise]);
    }
    const said: string[] = [];
    for (let index = 0; index < 30; index++)
      said.push((await ask(pointsman.address(), get('/slow'))).body.toString());
    expect(new Set(said)).toEqual(new Set(['b', 'c']));
    held.resolve();
    expect((await Promise.all(first)).at(-1)!.body.toString()).toBe('a');
    expect(taken).toHaveLength(1);
  });
});
