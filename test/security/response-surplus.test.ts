import { expect } from 'bun:test';

import { plainAnswer } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';
import { describeLanes } from './lane-suite.ts';
import { describeResponses, got, passed, passedOrReplaced, type ResponseCase } from './response-suite.ts';

/** Bytes behind an answer that would become the answer to somebody else's request. */
const POISON = plainAnswer('poison', 'X-Poison: 1\r\n');

function request(method: string): string {
  return `${method} /evil HTTP/1.1\r\nHost: a.test\r\n\r\n`;
}

const empty = (status: number) => passedOrReplaced(got(status, ''));

const cases: ResponseCase[] = [
  {
    name: 'drops a second answer behind a length',
    answer: plainAnswer('ok') + POISON,
    expected: passedOrReplaced(got(200, 'ok')),
  },
  {
    name: 'drops a second answer that comes later',
    answer: [plainAnswer('ok'), POISON],
    expected: passed(got(200, 'ok')),
  },
  {
    name: 'drops a second answer behind chunks',
    answer: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${POISON}`,
    expected: passedOrReplaced(got(200, 'ok')),
  },
  {
    name: 'drops bytes beyond a length',
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokSURPLUS',
    expected: passedOrReplaced(got(200, 'ok')),
  },
  {
    name: 'drops a single line end beyond a length',
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n',
    expected: passedOrReplaced(got(200, 'ok')),
  },
  {
    name: 'drops a body in the answer to HEAD',
    request: request('HEAD'),
    answer: plainAnswer('hello'),
    expected: empty(200),
  },
  {
    name: 'drops a body in the answer to HEAD that comes later',
    request: request('HEAD'),
    answer: ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'hello'],
    expected: empty(200),
  },
  {
    name: 'drops a poisoned body in the answer to HEAD',
    request: request('HEAD'),
    answer: `HTTP/1.1 200 OK\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
    expected: empty(200),
  },
  {
    name: 'drops chunks in the answer to HEAD',
    request: request('HEAD'),
    answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    expected: empty(200),
  },
  {
    name: 'drops a body behind 204',
    answer: 'HTTP/1.1 204 No Content\r\n\r\nhello',
    expected: empty(204),
  },
  {
    name: 'drops a body with a length behind 204',
    answer: `HTTP/1.1 204 No Content\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
    expected: empty(204),
  },
  {
    name: 'drops chunks behind 204',
    answer: 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    expected: empty(204),
  },
  {
    name: 'drops a body behind 304',
    answer: `HTTP/1.1 304 Not Modified\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
    expected: empty(304),
  },
  {
    name: 'drops chunks behind 304',
    answer: 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    expected: empty(304),
  },
  {
    name: 'passes 204 and uses the connection again',
    answer: 'HTTP/1.1 204 No Content\r\n\r\n',
    expected: passed(got(204, '')),
    reusable: true,
  },
  {
    name: 'passes 304 with a length and no body',
    answer: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    expected: passed(got(304, '')),
    reusable: true,
  },
  {
    name: 'passes the length of an answer to HEAD',
    request: request('HEAD'),
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    expected: passed((answer) => {
      expect(answer.fields.find(([name]) => name.toLowerCase() === 'content-length')?.[1]).toBe('5');
    }),
    reusable: true,
  },
  {
    name: 'uses no connection again that says close',
    answer: plainAnswer('ok', 'Connection: close\r\n'),
    expected: passed(got(200, 'ok')),
  },
  {
    name: 'uses no HTTP/1.0 connection again',
    answer: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    expected: passed(got(200, 'ok')),
  },
];

describeResponses('bytes that belong to no answer', cases);

const GET = 'GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n';

describeLanes('bytes on an idle connection to an endpoint', {
  'cost the connection, and never become an answer': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(GET);
    expect((await client.answer()).body.toString()).toBe('GET /x 0');
    const [peer] = endpoint.wires;
    peer?.send(POISON);
    await peer!.untilEnd();
    client.send(GET);
    expect((await client.answer()).body.toString()).toBe('GET /x 0');
    expect(endpoint.wires.length).toBe(2);
    client.close();
  },
  'one byte is enough': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(GET);
    await client.answer();
    endpoint.wires[0]?.send('H');
    await endpoint.wires[0]!.untilEnd();
    client.send(GET);
    expect((await client.answer()).body.toString()).toBe('GET /x 0');
    client.close();
  },
  'a connection that the endpoint closed is not used': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    for (let round = 0; round < 5; round++) {
      client.send(GET);
      expect((await client.answer()).status).toBe(200);
      endpoint.wires.at(-1)?.close();
    }
    client.close();
  },
  'a POST on a connection that the endpoint has just closed is not sent twice': async ({
    proxy,
    endpoint,
  }) => {
    const client = await dial(proxy);
    for (let round = 0; round < 20; round++) {
      client.send(GET);
      expect((await client.answer()).status).toBe(200);
      const peer = endpoint.wires.at(-1);
      client.send(`POST /once/${round} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi`);
      peer?.close();
      const answer = await client.answer();
      expect([200, 502]).toContain(answer.status);
      const posts = endpoint.requests().filter(({ target }) => target === `/once/${round}`);
      expect(posts.length).toBeLessThanOrEqual(1);
    }
    client.close();
  },
});
