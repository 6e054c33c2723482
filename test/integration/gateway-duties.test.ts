import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';

import { get, startFront } from '../support/front.ts';
import type { Pointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf, valuesOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask, dial } from '../support/wire.ts';

const GZIPPED = gzipSync('hello '.repeat(100)).toString('latin1');

/** What the endpoint answers to each path. */
const ANSWERS: Readonly<Record<string, string>> = {
  '/no-date': plainAnswer('ok'),
  '/date': plainAnswer('ok', 'Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n'),
  '/cookies': plainAnswer('ok', 'Set-Cookie: a=1\r\nX-Between: 1\r\nset-cookie: b=2\r\nSet-Cookie: a=3\r\n'),
  '/coded': plainAnswer(GZIPPED, 'Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n'),
  '/range': plainAnswer('lo', 'Content-Range: bytes 3-4/5\r\n', '206 Partial Content'),
  '/close': plainAnswer('ok', 'Connection: close\r\n'),
  '/hop': plainAnswer(
    'ok',
    'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5, max=100\r\nX-End: 1\r\n',
  ),
  '/challenge': plainAnswer('', 'WWW-Authenticate: Basic realm="x"\r\n', '401 Unauthorized'),
  '/reason': plainAnswer('', '', '299 Quite Unusual'),
};

/** Duties of an intermediary by RFC 9110 and RFC 9112, each by its section. */
describe('duties of a gateway', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;
  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') break;
        const { target } = parsed.message;
        wire.send(ANSWERS[target] ?? plainAnswer('ok'));
        if (target === '/close') wire.halfClose();
      }
    });
    pointsman = await startFront([endpoint]);
  });
  afterAll(async () => {
    await pointsman.stop();
    await endpoint[Symbol.asyncDispose]();
  });

  async function sent(target: string, ...lines: string[]): Promise<HttpMessage> {
    await ask(pointsman.address(), get(target, ...lines));
    const request = endpoint.requests().find((candidate) => candidate.target === target);
    if (request === undefined) throw new Error(`${target} did not arrive`);
    return request;
  }
  const answerTo = (target: string, ...lines: string[]) => ask(pointsman.address(), get(target, ...lines));

  test('6.6.1: adds Date to a response that has none', async () => {
    const date = valueOf(await answerTo('/no-date'), 'date');
    expect(date).toMatch(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(Math.abs(Date.parse(date ?? '') - Date.now())).toBeLessThan(5000);
  });

  test('6.6.1: leaves the Date of the endpoint alone', async () => {
    expect(valuesOf(await answerTo('/date'), 'date')).toEqual(['Tue, 15 Nov 1994 08:12:31 GMT']);
  });

  test('5.3: keeps lines of one name apart and in order', async () => {
    const answer = await answerTo('/cookies');
    const lines = answer.fields.filter(([name]) => /^(set-cookie|x-between)$/i.test(name));
    expect(lines).toEqual([
      ['Set-Cookie', 'a=1'],
      ['X-Between', '1'],
      ['set-cookie', 'b=2'],
      ['Set-Cookie', 'a=3'],
    ]);
  });

  test('7.7: transforms nothing', async () => {
    const answer = await answerTo('/coded', 'Accept-Encoding: gzip, br;q=0.5');
    expect(answer.body.toString('latin1')).toBe(GZIPPED);
    expect(valueOf(answer, 'content-encoding')).toBe('gzip');
    const request = await sent('/coded');
    expect(valueOf(request, 'accept-encoding')).toBe('gzip, br;q=0.5');
  });

  test('14.4: passes parts on', async () => {
    const answer = await answerTo('/range', 'Range: bytes=3-4', 'If-Range: "x"');
    expect(answer.status).toBe(206);
    expect(valueOf(answer, 'content-range')).toBe('bytes 3-4/5');
    const request = endpoint.requests().find(({ target }) => target === '/range');
    expect(request === undefined ? '' : valueOf(request, 'range')).toBe('bytes=3-4');
  });

  test('7.6.1: the close of the endpoint is not the close of the client', async () => {
    const client = await dial(pointsman.address());
    client.send(get('/close'));
    expect(valueOf(await client.answer(), 'connection') ?? 'keep-alive').toMatch(/keep-alive/i);
    client.send(get('/x'));
    expect((await client.answer()).status).toBe(200);
    client.close();
  });

  test('7.6.1: removes what the endpoint names in Connection', async () => {
    const answer = await answerTo('/hop');
    expect(valueOf(answer, 'x-hop')).toBeUndefined();
    expect(valueOf(answer, 'keep-alive')).toBeUndefined();
    expect(valueOf(answer, 'x-end')).toBe('1');
  });

  test('10.1.4: TE goes with its connection option, or not at all', async () => {
    const request = await sent('/te', 'TE: trailers', 'Connection: TE');
    if (valueOf(request, 'te') === undefined) return;
    expect(valueOf(request, 'te')).toBe('trailers');
    expect(valueOf(request, 'connection')).toMatch(/\bte\b/i);
  });

  test('7.6.2: OPTIONS with Max-Forwards: 0 ends here', async () => {
    const before = endpoint.requests().length;
    const answer = await ask(
      pointsman.address(),
      'OPTIONS /limit HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 0\r\n\r\n',
    );
    expect(answer.status).toBeLessThan(300);
    expect(endpoint.requests().length).toBe(before);
  });

  test('7.6.2: OPTIONS with Max-Forwards loses one', async () => {
    await ask(pointsman.address(), 'OPTIONS /hops HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 5\r\n\r\n');
    const request = endpoint.requests().find(({ target }) => target === '/hops');
    expect(request === undefined ? '' : valuesOf(request, 'max-forwards')).toEqual(['4']);
  });

  test('7.6.2: Max-Forwards of other methods means nothing', async () => {
    expect(valueOf(await sent('/get-hops', 'Max-Forwards: 0'), 'max-forwards')).toBe('0');
  });

  test('11.6: passes credentials and challenges', async () => {
    const answer = await answerTo('/challenge');
    expect(answer.status).toBe(401);
    expect(valueOf(answer, 'www-authenticate')).toBe('Basic realm="x"');
    expect(valueOf(await sent('/auth', 'Authorization: Basic eDp5'), 'authorization')).toBe('Basic eDp5');
  });

  test('15: passes a status that it does not know, with its reason', async () => {
    expect((await answerTo('/reason')).startLine).toBe('HTTP/1.1 299 Quite Unusual');
  });

  test('2.5: speaks its own version on each side', async () => {
    const answer = await ask(pointsman.address(), 'GET /old HTTP/1.0\r\nHost: a.test\r\n\r\n');
    expect(answer.startLine).toMatch(/^HTTP\/1\.1 /);
    const request = endpoint.requests().find(({ target }) => target === '/old');
    expect(request?.startLine).toBe('GET /old HTTP/1.1');
  });

  test('8.8, 13: passes conditions and validators', async () => {
    const request = await sent(
      '/if',
      'If-None-Match: W/"a", "b"',
      'If-Modified-Since: Tue, 15 Nov 1994 08:12:31 GMT',
    );
    expect(valueOf(request, 'if-none-match')).toBe('W/"a", "b"');
    expect(valueOf(request, 'if-modified-since')).toBe('Tue, 15 Nov 1994 08:12:31 GMT');
  });
});
