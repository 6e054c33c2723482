import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { chromium } from 'playwright-core';
import { WebSocketServer } from 'ws';

import { Flag, FrameType } from '../../src/http/h2-protocol.ts';
import { TestCa } from '../support/certificates.ts';
import { data, type FieldList, headers, HELLO, request } from '../support/h2-client.ts';
import { frame, u32 } from '../support/h2-frames.ts';
import { H2Wire } from '../support/h2-wire.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { testWith, whichProgram } from '../support/programs.ts';
import { freePorts } from '../support/free-ports.ts';
import { dial } from '../support/wire.ts';

const CONNECT: FieldList = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'http'],
  [':authority', 'a.test'],
  [':path', '/socket'],
  ['sec-websocket-version', '13'],
];

/** A masked frame of a client, the mask all zeros: FIN, text, less than 126 bytes. */
function text(message: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0]),
    Buffer.from(message, 'latin1'),
  ]);
}

/** What an endpoint answers: an unmasked frame. */
function answer(message: string): string {
  return `\x81${String.fromCodePoint(message.length)}${message}`;
}

describe('WebSocket over HTTP/2', () => {
  let server: WebSocketServer;
  let pages: ReturnType<typeof Bun.serve>;
  let pointsman: Pointsman;
  let ca: TestCa;
  let closes: [code: number, path: string][];

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    closes = [];
    server = new WebSocketServer({ port, host: '127.0.0.1' });
    server.on('connection', (socket, { url = '' }) => {
      socket.on('message', (message: Buffer, binary: boolean) =>
        socket.send(binary ? message : `echo ${message.toString()}`),
      );
      socket.on('close', (code) => closes.push([code, url]));
    });
    pages = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () =>
        new Response('<!doctype html><title>page</title>', { headers: { 'content-type': 'text/html' } }),
    });
    ca = new TestCa();
    const routes = [{ match: { path: '/socket' }, pool: 'sockets' }, { pool: 'pages' }];
    const tls = { certificates: [ca.issue('localhost', { names: ['localhost'] })] };
    pointsman = await startPointsman({
      listeners: [
        { name: 'plain', address: '127.0.0.1:0', http2: { cleartext: true }, routes },
        { name: 'secure', address: '127.0.0.1:0', tls, routes },
      ],
      pools: [
        { name: 'sockets', endpoints: [`127.0.0.1:${port}`] },
        { name: 'pages', endpoints: [`127.0.0.1:${pages.port}`] },
      ],
      accessLog: { format: 'json' },
    });
  });

  afterAll(async () => {
    await pointsman.stop();
    server.close();
    await pages.stop(true);
    ca[Symbol.dispose]();
  });

  test('messages come back on streams of their own, beside requests', async () => {
    const client = new H2Wire(await dial(pointsman.address('plain')));
    client.send(HELLO, headers(1, CONNECT, Flag.None), headers(3, CONNECT, Flag.None), headers(5, request()));
    await client.until(
      () => client.hasEnded(5) && client.reading.of(1).length > 0 && client.reading.of(3).length > 0,
    );
    expect(client.reading.of(1)[0]).toStartWith('Headers 1 :status: 200');
    client.send(data(1, text('one')), data(3, text('three')));
    await client.until(() => client.bodyOf(1) !== '' && client.bodyOf(3) !== '');
    expect([client.bodyOf(1), client.bodyOf(3)]).toEqual([answer('echo one'), answer('echo three')]);
    // A message in DATA frames that cut it anywhere.
    const whole = text('in pieces');
    client.send(...Array.from(whole, (byte) => data(1, Buffer.from([byte]))));
    await client.until(() => client.bodyOf(1).endsWith('pieces'));
    expect(client.bodyOf(1)).toEndWith(answer('echo in pieces'));
    // One is closed in order, the other one reset.
    client.send(
      data(1, Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])),
      frame(FrameType.ResetStream, 0, 3, u32(8)),
    );
    await client.until(() => client.hasEnded(1));
    expect(client.bodyOf(1)).toEndWith('\x88\x02\x03\xe8');
    client.send(data(1, '', true));
    while (closes.length < 2) await Bun.sleep(5);
    expect(closes.map(([code]) => String(code)).toSorted()).toEqual(['1000', '1006']);
    client.wire.close();
  });

  testWith('chromium')(
    'a browser opens it on the connection that it has',
    async () => {
      const browser = await chromium.launch({
        executablePath: whichProgram('chromium')!,
        args: ['--no-sandbox', '--ignore-certificate-errors', '--disable-gpu'],
      });
      try {
        const page = await browser.newPage();
        await page.goto(`https://localhost:${pointsman.address('secure').port}/`);
        const answers = await page.evaluate(`new Promise((resolve, reject) => {
          const socket = new WebSocket(location.origin.replace('https', 'wss') + '/socket');
          const seen = [];
          socket.onopen = () => { socket.send('hello'); socket.send('x'.repeat(100000)); };
          socket.onmessage = ({ data }) => { seen.push(data.length); if (seen.length === 2) socket.close(); };
          socket.onclose = ({ code }) => resolve([...seen, code]);
          socket.onerror = () => reject(new Error('failed'));
        })`);
        expect(answers).toEqual([10, 100_005, 1005]);
      } finally {
        await browser.close();
      }
      const entry = (line: string): boolean => line.includes('/socket') && line.includes('"secure"');
      while (!pointsman.logs().split('\n').some(entry)) await Bun.sleep(10);
      expect(pointsman.logs().split('\n').find(entry)).toContain('HTTP/2');
    },
    60_000,
  );
});

describe('server-sent events over HTTP/2', () => {
  test('flow one by one', async () => {
    let push: (event: string) => void = () => {};
    const endpoint = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () =>
        new Response(
          new ReadableStream({
            start: (controller) => {
              push = (event) => controller.enqueue(`data: ${event}\n\n`);
              push('first');
            },
          }),
          { headers: { 'content-type': 'text/event-stream' } },
        ),
    });
    await using pointsman = await startPointsman({
      listeners: [
        { name: 'web', address: '127.0.0.1:0', http2: { cleartext: true }, routes: [{ pool: 'web' }] },
      ],
      pools: [{ name: 'web', endpoints: [`127.0.0.1:${endpoint.port}`] }],
    });
    const client = new H2Wire(await dial(pointsman.address()));
    client.send(HELLO, headers(1, request()));
    for (const event of ['first', 'second', 'third']) {
      if (event !== 'first') push(event);
      await client.until(() => client.bodyOf(1).includes(event));
      expect(client.bodyOf(1)).toEndWith(`data: ${event}\n\n`);
    }
    client.wire.close();
    await endpoint.stop(true);
  });
});
