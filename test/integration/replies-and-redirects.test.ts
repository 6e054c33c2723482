import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { get, post } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { valueOf } from '../support/strict-fields.ts';
import { ask, dial } from '../support/wire.ts';

describe('replies and redirects', () => {
  let pointsman: Pointsman;
  beforeAll(async () => {
    pointsman = await startPointsman({
      listeners: [
        {
          name: 'web',
          address: '127.0.0.1:0',
          routes: [
            { match: { path: '/denied/*' }, reply: { status: 403, body: 'no' } },
            {
              match: { path: '/json' },
              reply: {
                status: 200,
                body: '{"a":1}',
                contentType: 'application/json',
                headers: { 'X-One': '1' },
              },
            },
            { match: { path: '/empty' }, reply: { status: 204 } },
            { match: { path: '/old/*' }, redirect: { to: '/new/' } },
            { match: { path: '/moved' }, redirect: { to: '/there', status: 301 } },
            { match: { path: '/away/*' }, redirect: { to: 'https://other.test/base/', status: 302 } },
            { match: { path: '/see' }, redirect: { to: 'https://other.test/see', status: 303 } },
            { match: { path: '/same' }, redirect: { to: 'https://other.test/same', status: 307 } },
          ],
        },
      ],
    });
  });
  afterAll(async () => {
    await pointsman.stop();
  });

  test.concurrent('a reply has its status, body, type and fields', async () => {
    const answer = await ask(pointsman.address(), get('/json'));
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('{"a":1}');
    expect(valueOf(answer, 'content-type')).toBe('application/json');
    expect(valueOf(answer, 'x-one')).toBe('1');
    expect(valueOf(answer, 'date')).toMatch(/GMT$/);
  });

  test.concurrent('a reply to HEAD has no body but its length', async () => {
    const client = await dial(pointsman.address());
    client.send('HEAD /denied/x HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const answer = await client.answer('HEAD');
    expect(answer.status).toBe(403);
    expect(valueOf(answer, 'content-length')).toBe('2');
    client.send(get('/denied/x'));
    expect((await client.answer()).body.toString()).toBe('no');
    client.close();
  });

  test.concurrent('204 has neither body nor length', async () => {
    const answer = await ask(pointsman.address(), get('/empty'));
    expect(answer.status).toBe(204);
    expect(answer.body.length).toBe(0);
  });

  test.concurrent('a reply to a POST takes the body away before the next request', async () => {
    const client = await dial(pointsman.address());
    client.send(post('/denied/x', 'GET /json HTTP/1.1\r\n\r\n'));
    expect((await client.answer()).status).toBe(403);
    client.send(get('/json'));
    const next = await client.response('GET', 2000);
    if (next.kind === 'message') expect(next.message.status).toBe(200);
    else expect(client.ending).not.toBe('open');
    client.close();
  });

  test.concurrent('a reply to a large POST is read by the client', async () => {
    const client = await dial(pointsman.address());
    client.send('POST /denied/x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 30000000\r\n\r\n');
    for (let piece = 0; piece < 8; piece++) {
      client.send(Buffer.alloc(500_000, 'x'));
      await Bun.sleep(10);
    }
    expect((await client.answer()).status).toBe(403);
    client.close();
  });

  const REDIRECTS: readonly (readonly [string, number, string])[] = [
    ['/old/a/b', 308, '/new/a/b'],
    ['/old/a?x=1&y=2', 308, '/new/a?x=1&y=2'],
    ['/old/', 308, '/new/'],
    ['/old', 308, '/new/'],
    ['/moved', 301, '/there'],
    ['/moved?x=1', 301, '/there?x=1'],
    ['/away/x/y?z=1', 302, 'https://other.test/base/x/y?z=1'],
    ['/see', 303, 'https://other.test/see'],
    ['/same', 307, 'https://other.test/same'],
    // Nothing of the request may break out of the Location line or change where it leads.
    ['/old//evil.test/x', 308, '/new/evil.test/x'],
  ];
  for (const [target, status, location] of REDIRECTS) {
    test.concurrent(`${target} -> ${status} ${location}`, async () => {
      const answer = await ask(pointsman.address(), get(target));
      expect(answer.status).toBe(status);
      expect(valueOf(answer, 'location')).toBe(location);
    });
  }
});
