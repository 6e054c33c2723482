import { expect } from 'bun:test';

import { plainAnswer } from '../support/scripted-endpoint.ts';
import { dial, type Wire } from '../support/wire.ts';
import { describeLanes } from './lane-suite.ts';
import {
  body,
  describeRequests,
  either,
  forwarded,
  head,
  refused,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

/** RFC 9110 section 10.1.1: there is one expectation; everything else is 417. */
const UNKNOWN: readonly (readonly [string, string])[] = [
  ['another name', 'something'],
  ['a longer name', '100-continued'],
  ['a shorter name', '100-continu'],
  ['a letter in front', 'y 100-continue'],
  ['a parameter', '100-continue;x=y'],
  ['a value', '100-continue=yes'],
  ['two of them', '100-continue, something'],
  ['quotes', '"100-continue"'],
  ['200', '200-ok'],
];

const cases: RequestCase[] = [
  ...UNKNOWN.map(([name, value]) => ({
    name: `refuses an expectation with ${name}`,
    send: `${head('POST', `Expect: ${value}`, 'Content-Length: 5')}hello`,
    expected: refused(400, 417),
  })),
  {
    name: 'refuses an expectation on a folded line',
    send: `${head('POST', 'Expect:\r\n 100-continue', 'Content-Length: 5')}hello`,
    expected: either([400, 417], body('hello')),
  },
  {
    name: 'refuses an expectation with a NUL',
    send: `${head('POST', 'Expect: 100-continue\0', 'Content-Length: 5')}hello`,
    expected: refused(400, 417),
  },
  {
    name: 'forwards a body that does not wait',
    send: `${head('POST', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'reads the expectation in any case',
    send: `${head('POST', 'eXpEcT: 100-CoNtInUe', 'Content-Length: 5')}hello`,
    expected: forwarded(body('hello')),
  },
  {
    name: 'gives the expectation on two lines one meaning or none',
    send: `${head('POST', 'Expect: 100-continue', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    expected: either([400, 417], body('hello')),
  },
  {
    name: 'forwards a GET with the expectation and no body',
    send: head('GET', 'Expect: 100-continue'),
    expected: forwarded(body('')),
  },
  {
    name: 'forwards a GET with the expectation and a body',
    send: `${head('GET', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    expected: either([400], body('hello')),
  },
  {
    name: 'forwards a chunked body that does not wait',
    send: `${head('POST', 'Expect: 100-continue', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    expected: forwarded(body('hello')),
  },
];

describeRequests('Expect', cases);

/** An endpoint that answers from the head alone, as RFC 9110 allows. */
function refusesEarly(status: string) {
  return async (wire: Wire) => {
    await wire.head();
    wire.send(plainAnswer('no', '', status));
  };
}

describeLanes('a final answer instead of 100', {
  'does not make a request of the body that follows': async ({ proxy, endpoint }) => {
    endpoint.script = refusesEarly('403 Forbidden');
    const client = await dial(proxy);
    client.send(head('POST', 'Expect: 100-continue', `Content-Length: ${SMUGGLED.length}`));
    expect((await client.answer()).status).toBe(403);
    client.send(SMUGGLED);
    await client.untilQuiet(300);
    const all = endpoint.wires.map((wire) => wire.text).join('');
    expect(all.match(/^GET \/smuggled/gm)?.length ?? 0).toBe(0);
    client.close();
  },
  'does not make a body of the request that follows': async ({ proxy, endpoint }) => {
    endpoint.script = refusesEarly('417 Expectation Failed');
    const client = await dial(proxy);
    client.send(head('POST', 'Expect: 100-continue', 'Content-Length: 500'));
    expect((await client.answer()).status).toBe(417);
    client.send('GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n');
    await client.untilQuiet(300);
    // Either the connection is closed, or these bytes count as body. A second answer would be a desync.
    expect(client.received.length).toBe(client.cursor);
    client.close();
  },
  'drops the connection to the endpoint that still waits for the body': async ({ proxy, endpoint }) => {
    endpoint.script = refusesEarly('403 Forbidden');
    const client = await dial(proxy);
    client.send(head('POST', 'Expect: 100-continue', 'Content-Length: 500'));
    expect((await client.answer()).status).toBe(403);
    client.close();
    const [peer] = endpoint.wires;
    await peer!.untilEnd();
    expect(peer?.text.includes('GET')).toBe(false);
  },
});
