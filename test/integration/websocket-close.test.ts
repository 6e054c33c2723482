import { afterEach, beforeEach, expect, test } from 'bun:test';

import { WebSocket, WebSocketServer } from 'ws';

import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { dial } from '../support/wire.ts';

/** WebSockets that the balancer ends: both sides are told why, by a Close frame that cuts no other frame. */

interface Ended {
  readonly code: number;
  readonly wasClean: boolean;
}

let server: WebSocketServer;
let config: TestConfig;
let pointsman: Pointsman;
/** Close codes that the endpoint saw. */
let endpointSaw: number[];

function listener(tunnel: string): TestConfig['listeners'][number] {
  return { name: 'web', address: '127.0.0.1:0', timeouts: { tunnel }, routes: [{ pool: 'web' }] };
}

beforeEach(async () => {
  const [port = 0] = await freePorts(1);
  endpointSaw = [];
  server = new WebSocketServer({ port, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
    socket.on('close', (code: number) => endpointSaw.push(code));
  });
  config = {
    shutdown: { delay: '0', deadline: '300ms' },
    listeners: [
      { name: 'web', address: '127.0.0.1:0', timeouts: { tunnel: '1h' }, routes: [{ pool: 'web' }] },
    ],
    pools: [{ name: 'web', endpoints: [{ name: 'a', address: `127.0.0.1:${port}` }] }],
  };
  pointsman = await startPointsman(config);
});

afterEach(async () => {
  await pointsman.stop('SIGKILL');
  for (const client of server.clients) client.terminate();
  server.close();
});

async function open(): Promise<{ socket: WebSocket; ended: Promise<Ended> }> {
  const { host, port } = pointsman.address();
  const socket = new WebSocket(`ws://${host}:${port}/socket`);
  const ended = new Promise<Ended>((resolve) => {
    socket.on('close', (code: number) => resolve({ code, wasClean: code !== 1006 }));
  });
  await new Promise((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
  });
  return { socket, ended };
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += 10) {
    if (waitedMs > 20_000) throw new Error('it did not come to that');
    await Bun.sleep(10);
  }
}

function patch(change: object): Promise<Response> {
  return fetch(`${pointsman.admin}/api/v1/pools/web/endpoints/a`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(change),
  });
}

test('when Pointsman stops: 1001 to both sides, after the time for finishing', async () => {
  const sockets = await Promise.all([open(), open(), open()]);
  const stopped = pointsman.stop('SIGTERM');
  for (const { ended } of sockets) expect(await ended).toEqual({ code: 1001, wasClean: true });
  await eventually(() => endpointSaw.length === 3);
  expect(endpointSaw).toEqual([1001, 1001, 1001]);
  expect(await stopped).toBe(0);
});

test('when the deadline of a drain passes: 1012, so that clients connect again', async () => {
  const { ended } = await open();
  expect((await patch({ state: 'draining', deadline: '100ms' })).status).toBe(200);
  expect(await ended).toEqual({ code: 1012, wasClean: true });
  await eventually(() => endpointSaw.length === 1);
  expect(endpointSaw).toEqual([1012]);
});

test('three hundred of them are ended a few at a time', async () => {
  const sockets = await Promise.all(Array.from({ length: 300 }, open));
  const begun = performance.now();
  await patch({ state: 'draining', deadline: '10ms' });
  for (const { ended } of sockets) expect((await ended).code).toBe(1012);
  expect(performance.now() - begun).toBeGreaterThan(200);
});

test('a socket that is idle for too long is told so', async () => {
  await pointsman.reload({
    ...config,
    listeners: [listener('200ms')],
  });
  const { ended } = await open();
  expect(await ended).toEqual({ code: 1001, wasClean: true });
});

const UPGRADE =
  'GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

test('a frame that is under way is finished first', async () => {
  const wire = await dial(pointsman.address());
  wire.send(UPGRADE);
  await wire.answer();
  // A text frame of ten bytes, masked with zeros: half of it now.
  wire.send(Buffer.concat([Buffer.from([0x81, 0x8a, 0, 0, 0, 0]), Buffer.from('01234')]));
  await patch({ state: 'draining', deadline: '100ms' });
  // Nothing was under way to us: our Close frame comes at once.
  await wire.until(() => wire.received.subarray(wire.cursor).length >= 4);
  expect(wire.received.subarray(wire.cursor)).toEqual(Buffer.from([0x88, 2, 0x03, 0xf4]));
  expect(endpointSaw).toEqual([]);
  wire.send('56789');
  wire.send(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4]));
  // The endpoint had a whole message and then the Close, or it would have said 1002 or 1006.
  await eventually(() => endpointSaw.length === 1);
  expect(endpointSaw).toEqual([1012]);
  await wire.untilEnd();
  expect(wire.ending).toBe('fin');
  wire.close();
});

test('a peer that does not answer is cut off after a while', async () => {
  const wire = await dial(pointsman.address());
  wire.send(UPGRADE);
  await wire.answer();
  await patch({ state: 'draining', deadline: '50ms' });
  await wire.untilEnd();
  await eventually(() => endpointSaw.length === 1);
  wire.close();
});
