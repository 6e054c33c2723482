import { afterEach, expect, test } from 'bun:test';
import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';

import { HpackDecoder } from '../../src/http/hpack-decoder.ts';
import { HpackEncoder } from '../../src/http/hpack-encoder.ts';
import { decodeBlock, encodeBlock } from '../support/header-list.ts';

/**
 * Our HPACK against that of the runtime's HTTP/2 client: a server that knows just enough of frames to read the header blocks
 * of requests and to answer with ours.
 */

const PREFACE_BYTES = 24;
const HEADERS = 1;
const SETTINGS = 4;
const ACK = 1;
const END_STREAM_AND_HEADERS = 5;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

let server: Server | undefined;
let session: ClientHttp2Session | undefined;
afterEach(() => {
  session?.destroy();
  server?.close();
});

/** Serves one connection: every header block goes to `onBlock`, whose result is the block of the answer. */
async function serve(onBlock: (block: Buffer) => Buffer): Promise<number> {
  server = createServer((socket: Socket) => {
    let held = Buffer.alloc(0);
    let preface = true;
    socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      if (preface) {
        if (held.length < PREFACE_BYTES) return;
        held = held.subarray(PREFACE_BYTES);
        preface = false;
      }
      while (held.length >= 9) {
        const behind = 9 + held.readUIntBE(0, 3);
        if (held.length < behind) return;
        const payload = held.subarray(9, behind);
        const stream = held.readUInt32BE(5);
        const type = held[3]!;
        const flags = held[4]!;
        held = held.subarray(behind);
        if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
        if (type !== HEADERS) continue;
        const padding = (flags & 8) === 0 ? 0 : payload[0]!;
        const start = ((flags & 8) === 0 ? 0 : 1) + ((flags & 32) === 0 ? 0 : 5);
        const answer = onBlock(payload.subarray(start, payload.length - padding));
        socket.write(frame(HEADERS, END_STREAM_AND_HEADERS, stream, answer));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

test('the runtime and we understand each other, block after block', async () => {
  const decoder = new HpackDecoder(4096, 65_536);
  const encoder = new HpackEncoder(4096);
  const seen: string[][] = [];
  let count = 0;
  const port = await serve((block) => {
    const { error, fields } = decodeBlock(decoder, block);
    seen.push(error === undefined ? fields : [error]);
    count++;
    return encodeBlock(encoder, [
      [':status', count % 2 === 0 ? '200' : '418'],
      ['Server', 'one'],
      ['x-count', `${count}`],
      ['x-repeated', `same each time, and long enough to be worth an entry ${count % 3}`],
      ['set-cookie', `id=${count}`],
      ['x-bytes', 'caf\u00e9'],
    ]);
  });
  session = connect(`http://127.0.0.1:${port}`);
  for (let round = 1; round <= 60; round++) {
    const stream = session.request({
      ':path': `/path/${round % 4}`,
      'x-round': `${round}`,
      'x-same': 'a value that stays',
      authorization: 'secret',
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)',
    });
    const [headers] = (await once(stream, 'response')) as [Record<string, string | string[]>];
    expect(headers[constants.HTTP2_HEADER_STATUS]).toBe((round % 2 === 0 ? 200 : 418) as never);
    expect(headers['server']).toBe('one');
    expect(headers['x-count']).toBe(`${round}`);
    expect(headers['x-repeated']).toBe(`same each time, and long enough to be worth an entry ${round % 3}`);
    expect(headers['set-cookie']).toEqual([`id=${round}`]);
    expect(headers['x-bytes']).toBe('caf\u00e9');
    stream.resume();
    await once(stream, 'close');
    const fields = seen.at(-1)!.map((field) => field.replace('!', ''));
    expect(fields).toContain(`:path: /path/${round % 4}`);
    expect(fields).toContain(`x-round: ${round}`);
    expect(fields).toContain('x-same: a value that stays');
    expect(fields).toContain('authorization: secret');
    expect(fields).toContain('user-agent: Mozilla/5.0 (X11; Linux x86_64)');
  }
});
