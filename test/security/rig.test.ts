import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { testWith } from '../support/programs.ts';
import type { RivalName } from '../support/rivals.ts';
import { Lanes } from './lanes.ts';
import {
  body,
  forwarded,
  head,
  judge,
  observe,
  refused,
  refusedMidBody,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

/**
 * Tests the judge, not Pointsman: it must find what nginx 1.22 and HAProxy 2.6 are known to let through, and must not
 * find fault with what they do well.
 */
const CHUNKED = head('POST', 'Transfer-Encoding: chunked');
const WEBSOCKET = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];

const FAULTS: Readonly<Record<RivalName, readonly RequestCase[]>> = {
  nginx: [
    { name: 'bare LF as a line end', send: 'GET /attack HTTP/1.1\nHost: a.test\n\n', expected: refused(400) },
    {
      name: 'a chunk size that ends in LF',
      send: `${CHUNKED}5\nhello\r\n0\r\n\r\n`,
      expected: refusedMidBody(400),
    },
    {
      name: 'a Host with user info',
      send: 'GET /attack HTTP/1.1\r\nHost: u@a.test\r\n\r\n',
      expected: refused(400),
    },
    {
      name: 'Upgrade beside a body',
      send: `${head('POST', ...WEBSOCKET, 'Content-Length: 5')}hello`,
      expected: forwarded(([request]) => {
        expect(request?.fields.some(([name]) => name === 'Upgrade')).toBe(false);
      }),
    },
  ],
  haproxy: [
    { name: 'a NUL in a value', send: head('GET', 'X-A: 1\x002'), expected: refused(400) },
    {
      name: 'a list of Hosts',
      send: 'GET /attack HTTP/1.1\r\nHost: a.test, b\r\n\r\n',
      expected: refused(400),
    },
    {
      name: 'a Host with a path',
      send: 'GET /attack HTTP/1.1\r\nHost: a.test/b\r\n\r\n',
      expected: refused(400),
    },
    {
      name: 'an open list of codings',
      send: `${head('POST', 'Transfer-Encoding: chunked,')}5\r\nhello\r\n0\r\n\r\n`,
      expected: refused(400, 501),
    },
  ],
};

const GOOD: readonly RequestCase[] = [
  { name: 'a length', send: `${head('POST', 'Content-Length: 5')}hello`, expected: forwarded(body('hello')) },
  { name: 'chunks', send: `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, expected: forwarded(body('hello')) },
  { name: 'two requests', send: head('GET') + head('GET'), expected: forwarded(body(''), 2) },
  {
    name: 'a bad length',
    send: `${head('POST', 'Content-Length: +5')}hello${SMUGGLED}`,
    expected: refused(400),
  },
  { name: 'a blank before a colon', send: head('GET', 'X-A : 1'), expected: refused(400) },
];

for (const rival of ['nginx', 'haproxy'] as const) {
  const testRival = testWith(rival);
  describe.concurrent(`the judge before ${rival}`, () => {
    let lanes: Lanes | undefined;
    beforeAll(async () => {
      if (testRival === test) lanes = await Lanes.start(rival);
    });
    afterAll(() => lanes?.stop());

    const see = (item: RequestCase) => lanes?.with((lane) => observe(lane, item));
    for (const item of FAULTS[rival]) {
      testRival(`finds ${item.name}`, async () => {
        const seen = await see(item);
        expect(seen).toBeDefined();
        expect(() => seen && judge(seen, item.expected)).toThrow();
      });
    }
    for (const item of GOOD) {
      testRival(`finds no fault with ${item.name}`, async () => {
        const seen = await see(item);
        expect(seen).toBeDefined();
        if (seen !== undefined) judge(seen, item.expected);
      });
    }
  });
}
