import { expect } from 'bun:test';

import { plainAnswer } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';
import { describeLanes } from './lane-suite.ts';
import { describeRequests, forwarded, head, refused, type RequestCase, SMUGGLED } from './request-suite.ts';

const BAD = 'GET /bad HTTP/1.1\r\nHost: a.test\r\nContent-Length: x\r\n\r\n';

const cases: RequestCase[] = [
  {
    name: 'forwards nothing behind a refused request',
    send: `${BAD}${SMUGGLED}`,
    expected: refused(400),
  },
  {
    name: 'forwards nothing that comes later behind a refused request',
    send: [BAD, SMUGGLED, SMUGGLED],
    expected: refused(400),
  },
  {
    name: 'answers requests in order',
    send: head('GET') + head('GET') + head('GET'),
    expected: forwarded((_, answers) => {
      expect(answers.map((answer) => answer.body.toString())).toEqual(
        Array.from({ length: 3 }, () => 'GET /attack 0'),
      );
    }, 3),
  },
  {
    name: 'finds the end of a body between requests',
    send: `${head('POST', 'Content-Length: 5')}hello${head('POST', 'Transfer-Encoding: chunked')}2\r\nab\r\n0\r\n\r\n`,
    expected: forwarded((requests) => {
      expect(requests.map((request) => request.body.toString()).sort()).toEqual(['ab', 'hello']);
    }, 2),
  },
];

describeRequests('pipelining', cases);

describeLanes('pipelining and refusal', {
  'a refusal does not overtake the answer before it': async ({ proxy, endpoint }) => {
    endpoint.script = async (wire) => {
      await wire.request();
      await Bun.sleep(300);
      wire.send(plainAnswer('slow'));
    };
    const client = await dial(proxy);
    client.send(head('GET') + BAD + SMUGGLED);
    const first = await client.answer();
    expect(first.body.toString()).toBe('slow');
    expect((await client.answer()).status).toBe(400);
    await client.untilEnd();
    expect(endpoint.requests().length).toBe(1);
  },
  'does not run ahead with many pipelined requests': async ({ proxy, endpoint }) => {
    let active = 0;
    let most = 0;
    endpoint.script = async (wire) => {
      for (;;) {
        const parsed = await wire.request(20_000);
        if (parsed.kind !== 'message') return;
        most = Math.max(most, ++active);
        await Bun.sleep(2);
        active--;
        wire.send(plainAnswer(parsed.message.target));
      }
    };
    const client = await dial(proxy);
    const targets = Array.from({ length: 200 }, (_, index) => `/p/${index}`);
    client.send(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`).join(''));
    for (const target of targets) expect((await client.answer()).body.toString()).toBe(target);
    expect(most).toBeLessThanOrEqual(4);
    client.close();
  },
  'a HEAD between pipelined requests leaves no body behind': async ({ proxy }) => {
    const client = await dial(proxy);
    client.send(head('HEAD') + head('GET'));
    expect((await client.answer('HEAD')).body.length).toBe(0);
    expect((await client.answer('GET')).body.toString()).toBe('GET /attack 0');
    client.close();
  },
});
