import { expect } from 'bun:test';

import { valueOf } from '../support/strict-fields.ts';
import { plainAnswer } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';
import { describeLanes } from './lane-suite.ts';
import {
  type Check,
  describeRequests,
  either,
  forwarded,
  head,
  type RequestCase,
  SMUGGLED,
} from './request-suite.ts';

const WEBSOCKET = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** The endpoint was not asked to leave HTTP. */
const noUpgrade: Check = ([request]) => {
  if (request === undefined) return;
  expect(valueOf(request, 'upgrade')).toBeUndefined();
  expect(valueOf(request, 'http2-settings')).toBeUndefined();
  expect(valueOf(request, 'connection') ?? 'keep-alive').not.toMatch(/upgrade/i);
};

const cases: RequestCase[] = [
  {
    name: 'does not forward h2c',
    send: head(
      'GET',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
    ),
    expected: either([400, 501], noUpgrade),
  },
  {
    name: 'does not forward h2c in odd case',
    send: head('GET', 'connection: upgrade, http2-settings', 'upgrade: H2C', 'http2-settings: AAMAAABk'),
    expected: either([400, 501], noUpgrade),
  },
  {
    name: 'does not forward h2c with only Upgrade in Connection',
    send: head('GET', 'Connection: Upgrade', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'),
    expected: either([400, 501], noUpgrade),
  },
  {
    name: 'does not forward h2 nor TLS',
    send: head('GET', 'Connection: Upgrade', 'Upgrade: h2, TLS/1.2'),
    expected: either([400, 501], noUpgrade),
  },
  {
    name: 'does not forward h2c that hides behind websocket',
    send: head('GET', ...WEBSOCKET.map((line) => line.replace('websocket', 'websocket, h2c'))),
    expected: either([400, 501], ([request]) => {
      expect(request === undefined ? '' : (valueOf(request, 'upgrade') ?? 'websocket')).toBe('websocket');
    }),
  },
  {
    name: 'does not forward h2c on a second line',
    send: head('GET', ...WEBSOCKET, 'Upgrade: h2c'),
    expected: either([400, 501], ([request]) => {
      expect(request === undefined ? '' : (valueOf(request, 'upgrade') ?? 'websocket')).toBe('websocket');
    }),
  },
  {
    name: 'does not take Upgrade for one when Connection does not name it',
    send: head('GET', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='),
    expected: forwarded(noUpgrade),
  },
  {
    name: 'does not take Connection: upgrade for one without Upgrade',
    send: head('GET', 'Connection: upgrade'),
    expected: either([400], noUpgrade),
  },
  {
    name: 'refuses an upgrade with a length body, or does not upgrade',
    send: `${head('POST', ...WEBSOCKET, `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`,
    expected: either([400], noUpgrade),
  },
  {
    name: 'refuses an upgrade with a chunked body, or does not upgrade',
    send: `${head('POST', ...WEBSOCKET, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    expected: either([400], noUpgrade),
  },
  {
    name: 'refuses a GET upgrade with a body, or does not upgrade',
    send: `${head('GET', ...WEBSOCKET, 'Content-Length: 5')}hello`,
    expected: either([400], noUpgrade),
  },
  {
    name: 'does not upgrade HTTP/1.0',
    send: head('GET', ...WEBSOCKET).replace('HTTP/1.1', 'HTTP/1.0'),
    expected: either([400], noUpgrade),
  },
  {
    name: 'gives an upgrade that is refused its answer as plain HTTP',
    send: head('GET', ...WEBSOCKET),
    expected: forwarded(([request]) => {
      expect(request === undefined ? '' : valueOf(request, 'upgrade')).toBe('websocket');
    }),
  },
];

describeRequests('Upgrade', cases);

describeLanes('bytes around an upgrade', {
  'hold bytes that come before the 101': async ({ proxy, endpoint }) => {
    let early = -1;
    endpoint.script = async (wire) => {
      const { length } = (await wire.request()).kind === 'message' ? wire.received.subarray(wire.cursor) : '';
      await wire.untilQuiet(200);
      early = wire.received.length - wire.cursor + length;
      wire.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    };
    const client = await dial(proxy);
    client.send(head('GET', ...WEBSOCKET) + SMUGGLED);
    expect((await client.answer()).status).toBe(101);
    const peer = endpoint.wires[0]!;
    await peer.until(() => peer.text.endsWith(SMUGGLED));
    expect(early).toBe(0);
    expect(peer.received.subarray(peer.cursor).toString()).toBe(SMUGGLED);
    client.close();
  },
  'parse bytes behind an upgrade that was refused': async ({ proxy, endpoint }) => {
    const client = await dial(proxy);
    client.send(head('GET', ...WEBSOCKET));
    client.send('GET /behind HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n');
    expect((await client.answer()).status).toBe(200);
    await client.untilQuiet(300);
    for (const request of endpoint.requests()) {
      expect(valueOf(request, 'x-forwarded-for')).toBe('127.0.0.1');
    }
    expect(endpoint.conversations().every(({ rest }) => rest.length === 0)).toBe(true);
    client.close();
  },
  'open no tunnel on a status that only looks like 101': async ({ proxy, endpoint }) => {
    endpoint.script = async (wire) => {
      await wire.request();
      wire.send(plainAnswer('no', 'Connection: Upgrade\r\nUpgrade: websocket\r\n', '200 OK'));
    };
    const client = await dial(proxy);
    client.send(head('GET', ...WEBSOCKET));
    const answer = await client.answer();
    expect(answer.status).toBe(200);
    client.send('\x81\x05hello');
    await client.untilEnd();
    expect(endpoint.wires.some((wire) => wire.text.includes('\x81\x05hello'))).toBe(false);
    client.close();
  },
});
