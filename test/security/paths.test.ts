import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask } from '../support/wire.ts';

/** Every way to spell a path below /private. None may get past the rule that guards it (RFC 3986 section 6.2.2). */
const SPELLINGS: readonly string[] = [
  '/private/secret',
  '/private',
  '/private/',
  '/%70rivate/secret',
  '/p%72ivate/secret',
  '/%70%72%69%76%61%74%65/secret',
  '/./private/secret',
  '/././private/secret',
  '/%2e/private/secret',
  '/%2E/private/secret',
  '//private/secret',
  '///private/secret',
  '/.//private/secret',
  '/public/../private/secret',
  '/public/..//private/secret',
  '/public/%2e%2e/private/secret',
  '/public/.%2e/private/secret',
  '/public/%2E./private/secret',
  '/public/x/../../private/secret',
  '/../private/secret',
  '/../../../private/secret',
  '/%2e%2e/private/secret',
  '/public/..%2fprivate/secret',
  '/public/..%2Fprivate/secret',
  '/public%2f..%2fprivate/secret',
  '/public%2f..%2f..%2fprivate/secret',
  '/public/..\\private\\secret',
  '/\\private\\secret',
  '\\private\\secret',
  '/public/..%5cprivate%5csecret',
  '/%5cprivate/secret',
  '/public/..;/private/secret',
  '/public/..;a=b/private/secret',
  '/public/%2e%2e;/private/secret',
  '/.;/private/secret',
  '/private%00/secret',
  '/private%00.html',
  '/public/%00/../private/secret',
  '/%252e%252e/private/secret',
  '/public/%252e%252e/private/secret',
  '/private?x=/public',
  '/private#/public',
  'http://a.test/private/secret',
  'http://a.test/public/../private/secret',
  'http://a.test//private/secret',
];

/**
 * Other paths by RFC 3986, forwarded as they are: `%2F` is a character of its segment (section 2.2), a parameter is part of
 * it (section 3.3).
 */
const OTHER_PATHS: readonly string[] = ['/private%2Fsecret', '/private;a=b/secret', '/%2Fprivate/secret'];

/** As a generous endpoint reads a path: decoded twice, backslashes turned, parameters cut off, slashes merged, dots resolved. */
function readGenerously(target: string): string[] {
  const readings: string[] = [];
  let path = target.replace(/[?#].*$/, '');
  for (let round = 0; round < 2; round++) {
    const flat = path
      .replaceAll('\\', '/')
      .replaceAll('\0', '')
      .replace(/;[^/]*/g, '')
      .replace(/\/{2,}/g, '/');
    readings.push(new URL(`http://a.test${flat.startsWith('/') ? '' : '/'}${flat}`).pathname);
    try {
      path = decodeURIComponent(path);
    } catch {
      break;
    }
  }
  return readings;
}

describe('path spellings', () => {
  let endpoint: ScriptedEndpoint;
  let pointsman: Pointsman;
  beforeAll(async () => {
    endpoint = await ScriptedEndpoint.start();
    pointsman = await startPointsman({
      listeners: [
        {
          name: 'web',
          address: '127.0.0.1:0',
          routes: [
            { match: { path: '/private/*' }, reply: { status: 403, body: 'guarded' } },
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

  for (const [index, spelling] of SPELLINGS.entries()) {
    test.concurrent(`${JSON.stringify(spelling)} does not reach /private`, async () => {
      const mark = `x-mark: ${index}.`;
      const answer = await ask(
        pointsman.address(),
        `GET ${spelling} HTTP/1.1\r\nHost: a.test\r\n${mark}\r\n\r\n`,
      );
      const request = endpoint
        .requests()
        .find(({ fields }) => fields.some(([, value]) => value === `${index}.`));
      if (request === undefined) {
        expect([400, 403, 404]).toContain(answer.status);
        return;
      }
      // Encoded twice is another path: a decoder that decodes twice is the endpoint's own fault, once is ours.
      const readings = spelling.includes('%25')
        ? readGenerously(request.target).slice(0, 1)
        : readGenerously(request.target);
      for (const reading of readings) expect(reading).not.toMatch(/^\/private(\/|$)/);
    });
  }

  for (const path of OTHER_PATHS) {
    test.concurrent(`${path} is another path, and stays what it is`, async () => {
      const answer = await ask(pointsman.address(), `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
      if (answer.status !== 400) expect(answer.body.toString()).toBe(`GET ${path} 0`);
    });
  }

  test.concurrent('the matched and the forwarded path are one', async () => {
    const answer = await ask(
      pointsman.address(),
      'GET /a/./b/../c%41/%7Euser?x=/../y HTTP/1.1\r\nHost: a.test\r\n\r\n',
    );
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('GET /a/cA/~user?x=/../y 0');
  });

  test.concurrent('a dot segment in the query is left alone', async () => {
    const answer = await ask(
      pointsman.address(),
      'GET /find?path=/a/../b//c HTTP/1.1\r\nHost: a.test\r\n\r\n',
    );
    expect(answer.body.toString()).toBe('GET /find?path=/a/../b//c 0');
  });
});
