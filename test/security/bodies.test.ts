import { expect } from 'bun:test';

import { plainAnswer, type ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { dial, type Wire } from '../support/wire.ts';
import { describeLanes } from './lane-suite.ts';
import {
  body,
  describeRequests,
  either,
  forwarded,
  head,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

/** Bodies where naive endpoints expect none (RFC 9110 section 9.3): the framing goes along, whatever the method. */
const METHODS = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'SEARCH'];

const cases: RequestCase[] = METHODS.flatMap((method) => [
  {
    name: `keeps the length of a body on ${method}`,
    method,
    send: `${head(method, `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`,
    expected: either([400, 413], body(SMUGGLED)),
  },
  {
    name: `keeps the chunks of a body on ${method}`,
    method,
    send: `${head(method, 'Transfer-Encoding: chunked')}${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    expected: either([400, 413], body(SMUGGLED)),
  },
]);

cases.push({
  name: 'takes a GET without framing for one without a body',
  send: `${head('GET')}${head('GET')}`,
  expected: forwarded(body(''), 2),
});

describeRequests('bodies on every method', cases);

/** The endpoint's end of the only connection, once this has come there. */
async function peerWith(endpoint: ScriptedEndpoint, text: string): Promise<Wire> {
  await untilTrue(`"${text}" at the endpoint`, () => endpoint.wires[0]?.text.includes(text) === true);
  return endpoint.wires[0]!;
}

describeLanes('bodies that do not end', {
  'a client that closes in the middle of a length is not completed': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(`${head('POST', 'Content-Length: 1000')}${'x'.repeat(500)}`);
    const peer = await peerWith(endpoint, 'xxx');
    client.close();
    await peer.untilEnd();
    expect(endpoint.requests()).toEqual([]);
  },
  'a client that closes in the middle of chunks is not completed': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(`${head('POST', 'Transfer-Encoding: chunked')}5\r\nhello\r\n5\r\nhe`);
    const peer = await peerWith(endpoint, 'hello');
    client.close();
    await peer.untilEnd();
    expect(endpoint.requests()).toEqual([]);
    expect(peer.text.includes('\r\n0\r\n')).toBe(false);
  },
  'a client that half-closes in the middle of chunks is not completed': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(`${head('POST', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`);
    client.halfClose();
    await client.untilEnd();
    await (await peerWith(endpoint, '')).untilEnd();
    expect(endpoint.requests()).toEqual([]);
  },
  'a client that resets in the middle is not completed': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(`${head('POST', 'Content-Length: 1000')}${'x'.repeat(500)}`);
    const peer = await peerWith(endpoint, 'xxx');
    client.reset();
    await peer.untilEnd();
    expect(endpoint.requests()).toEqual([]);
  },
  'a body that stops makes the endpoint wait no longer than the limit': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(`${head('POST', 'Content-Length: 1000')}${'x'.repeat(500)}`);
    await client.untilEnd();
    expect(endpoint.requests()).toEqual([]);
    await endpoint.wires[0]!.untilEnd();
  },
  'an answer before the end of the body is passed on, and no request made of the rest': async ({
    proxy,
    endpoint,
  }) => {
    endpoint.script = async (wire) => {
      await wire.head();
      wire.send(plainAnswer('too big', '', '413 Content Too Large'));
    };
    const client = await dial(proxy);
    const rest = SMUGGLED.repeat(20);
    client.send(head('POST', `Content-Length: ${rest.length}`));
    expect((await client.answer()).status).toBe(413);
    client.send(rest);
    await client.untilQuiet(300);
    const all = endpoint.wires.flatMap((wire) => wire.text.match(/^GET \/smuggled/gm) ?? []);
    expect(endpoint.requests().filter(({ target }) => target === '/smuggled')).toEqual([]);
    expect(all.length).toBeLessThanOrEqual(20);
    client.close();
  },
  'a request that follows an early answer on a kept connection gets its own': async ({ proxy, endpoint }) => {
    endpoint.script = async (wire, index) => {
      if (index === 0) {
        await wire.head();
        wire.send(plainAnswer('early', '', '403 Forbidden'));
        return;
      }
      await wire.request();
      wire.send(plainAnswer('second'));
    };
    const client = await dial(proxy);
    client.send(head('POST', 'Content-Length: 1000'));
    expect((await client.answer()).status).toBe(403);
    client.send('x'.repeat(1000) + head('GET'));
    const next = await client.response('GET');
    if (next.kind === 'message') expect(next.message.body.toString()).toBe('second');
    else expect(client.ending).not.toBe('open');
    client.close();
  },
});
