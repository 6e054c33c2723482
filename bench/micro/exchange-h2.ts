/**
 * What one request of HTTP/2 costs without the kernel, TLS and the library of it: frames of requests go in, frames of responses come back, over
 * transports that take everything, sixteen streams to a batch. Nanoseconds an exchange; `--cpu-prof` on it shows where they go.
 *
 * Run: bin/bun run bench/micro/exchange-h2.ts [WORD IN THE NAME OF A CASE]
 */
import { HpackEncoder } from '../../src/http/hpack-encoder.ts';
import { FRAME_HEADER, FrameType, PREFACE } from '../../src/http/h2-protocol.ts';
import type { L7Listener } from '../../src/l7/l7-listener.ts';
import type { dial } from '../../src/net/dial.ts';
import { SocketConnection } from '../../src/net/socket-connection.ts';
import type { Transport } from '../../src/net/transport.ts';
import { beginBatch, endBatch } from '../../src/net/turn.ts';
import { unserved } from '../../src/net/unserved.ts';
import { systemClock } from '../../src/util/clock.ts';
import { encodeBlock } from '../../test/support/header-list.ts';
import { listenerRig } from './listener-rig.ts';

const ROUNDS = 60;
const BATCHES = 500;
const STREAMS = 16;

type HeaderList = readonly (readonly [string, string])[];

const REQUEST: HeaderList = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', '127.0.0.1:8443'],
  [':path', '/'],
  ['user-agent', 'h2load nghttp2/1.52.0'],
];
const BODY = 'The endpoint says: hello. This body is there to be carried, not to be read.\n';
const RESPONSE: HeaderList = [
  [':status', '200'],
  ['server', 'nginx/1.22.1'],
  ['date', 'Sat, 21 Nov 2026 05:00:00 GMT'],
  ['content-type', 'text/plain'],
  ['content-length', String(BODY.length)],
];
const H1_RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 05:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\nConnection: keep-alive\r\n\r\n${BODY}`,
);
const SETTINGS = Buffer.from([0, 0, 0, FrameType.Settings, 0, 0, 0, 0, 0]);
/** WINDOW_UPDATE of a client that takes everything. */
const WIDE_OPEN = Buffer.from([0, 0, 4, FrameType.WindowUpdate, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0]);

function headersFrame(block: Buffer, flags: number): Buffer {
  const head = Buffer.alloc(FRAME_HEADER);
  head.writeUIntBE(block.length, 0, 3);
  head[3] = FrameType.Headers;
  head[4] = flags;
  return Buffer.concat([head, block]);
}

function dataFrame(body: string): Buffer {
  const head = Buffer.alloc(FRAME_HEADER);
  head.writeUIntBE(body.length, 0, 3);
  head[4] = 1;
  return Buffer.concat([head, Buffer.from(body)]);
}

/** As encoders do that have no table of their own: every field a literal that enters the table, by the index of its name. */
function withoutTable(list: HeaderList): Buffer {
  const names: Readonly<Record<string, number>> = {
    server: 54,
    date: 33,
    'content-type': 31,
    'content-length': 28,
  };
  const fields = list
    .slice(1)
    .map(([name, value]) =>
      Buffer.concat([Buffer.from([0x40 | names[name]!, value.length]), Buffer.from(value)]),
    );
  return Buffer.concat([Buffer.from([0x88]), ...fields]);
}

/** Blocks of a list as an encoder with a table sends them, one behind the other. */
function blocks(lists: readonly HeaderList[]): Buffer[] {
  const encoder = new HpackEncoder(4096);
  return lists.map((list) => encodeBlock(encoder, list));
}

/** Takes everything and counts the streams and requests that were begun. */
class Sink implements Transport {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 40_000;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 80;
  writes = 0;
  begun = 0;
  #skip = 0;
  readonly #http2: boolean;

  constructor(http2: boolean) {
    this.#http2 = http2;
  }

  write(bytes: Buffer, start: number, end: number): number {
    this.writes++;
    if (this.#http2) {
      let at = start + this.#skip;
      this.#skip = 0;
      if (bytes[at] === PREFACE[0]) at += PREFACE.length;
      for (; at < end; at += FRAME_HEADER + ((bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!))
        if (bytes[at + 3] === FrameType.Headers) this.begun++;
    } else this.begun++;
    return end - start;
  }
  wantRoom(): void {}
  read(): void {}
  keepAlive(): void {}
  silent(): boolean {
    return true;
  }
  shutdown(): void {}
  close(): void {}
  reset(): void {}
  tellTo(): void {}
}

function batch(run: () => void): void {
  beginBatch(systemClock.nowMs());
  run();
  endBatch();
}

/** Frames of one stream each, to be sent again and again with other ids. */
class Repeated {
  readonly #frames: readonly Buffer[];
  readonly #room: Buffer;
  readonly #first: number;
  #next = 0;
  #id = 1;

  /** @param frames one or more of each stream, joined; `first` of them are sent once, the others in turn */
  constructor(frames: readonly Buffer[], first: number) {
    this.#frames = frames;
    this.#first = first;
    this.#room = Buffer.alloc(STREAMS * Math.max(...frames.map((frame) => frame.length)));
  }

  take(count: number): Buffer {
    let at = 0;
    const room = this.#room;
    for (let stream = 0; stream < count; stream++) {
      const frames = this.#frames[this.#next++]!;
      if (this.#next === this.#frames.length) this.#next = this.#first;
      frames.copy(room, at);
      const end = at + frames.length;
      while (at < end) {
        const length = (room[at]! << 16) | (room[at + 1]! << 8) | room[at + 2]!;
        room.writeUInt32BE(this.#id, at + 5);
        at += FRAME_HEADER + length;
      }
      this.#id += 2;
    }
    return room.subarray(0, at);
  }
}

interface Case {
  readonly name: string;
  readonly requests: Repeated;
  /** Undefined for endpoints of HTTP/1.1. */
  readonly responses?: () => Repeated;
}

const same = Array.from({ length: 20 }, () => REQUEST);
const paths = Array.from({ length: 500 }, (_, index) =>
  REQUEST.map(
    ([name, value]) => [name, name === ':path' ? `/users/${index}?page=${index * 7}` : value] as const,
  ),
);
const requestFrames = (lists: readonly HeaderList[]): Buffer[] =>
  blocks(lists).map((block) => headersFrame(block, 5));
const responseFrames = (some: readonly Buffer[]): Buffer[] =>
  some.map((block) => Buffer.concat([headersFrame(block, 4), dataFrame(BODY)]));
const nginxResponses = () => new Repeated(responseFrames([withoutTable(RESPONSE)]), 0);
const tableResponses = () =>
  new Repeated(responseFrames(blocks(Array.from({ length: 20 }, () => RESPONSE))), 19);

const cases: readonly Case[] = [
  {
    name: 'one request again and again, HTTP/1.1 endpoints',
    requests: new Repeated(requestFrames(same), 19),
  },
  { name: 'other paths each time, HTTP/1.1 endpoints', requests: new Repeated(requestFrames(paths), 400) },
  {
    name: 'one request again and again, HTTP/2 endpoints without a table',
    requests: new Repeated(requestFrames(same), 19),
    responses: nginxResponses,
  },
  {
    name: 'one request again and again, HTTP/2 endpoints with a table',
    requests: new Repeated(requestFrames(same), 19),
    responses: tableResponses,
  },
  {
    name: 'other paths each time, HTTP/2 endpoints with a table',
    requests: new Repeated(requestFrames(paths), 400),
    responses: tableResponses,
  },
];

interface EndpointSide {
  readonly connection: SocketConnection;
  readonly sink: Sink;
  readonly responses: Repeated | undefined;
}

function measure({ name, requests, responses }: Case): void {
  const sides: EndpointSide[] = [];
  const connect: typeof dial = (_wheel, _host, _port, _timeoutMs, waiter) => {
    const sink = new Sink(responses !== undefined);
    const connection = new SocketConnection(sink, unserved);
    sides.push({ connection, sink, responses: responses?.() });
    queueMicrotask(() =>
      batch(() => {
        connection.handler = waiter.onConnected(connection);
        if (responses !== undefined) connection.onBytes(SETTINGS);
      }),
    );
    return () => {};
  };
  const { listener } = listenerRig(
    connect,
    { http2: { cleartext: true }, forwarding: { forwarded: false } },
    { protocol: responses === undefined ? 'http1' : 'h2c' },
  );
  const client = new SocketConnection(new Sink(true), unserved);
  client.handler = listener.accept(client)!;
  batch(() => client.onBytes(Buffer.concat([PREFACE, SETTINGS, WIDE_OPEN])));

  const answer = ({ connection, sink, responses: kept }: EndpointSide): void => {
    const { begun } = sink;
    if (begun === 0) return;
    sink.begun = 0;
    if (kept === undefined) for (let count = 0; count < begun; count++) connection.onBytes(H1_RESPONSE);
    else connection.onBytes(kept.take(begun));
  };
  const some = (): void => {
    batch(() => client.onBytes(requests.take(STREAMS)));
    batch(() => sides.forEach(answer));
  };
  runRounds(name, some, listener);
}

function runRounds(name: string, some: () => void, listener: L7Listener): void {
  const warm = async (): Promise<void> => {
    some();
    for (let tries = 0; tries < 20; tries++) {
      await Promise.resolve();
      some();
    }
  };
  pending = pending.then(warm).then(() => {
    const costs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = listener.stats.requests;
      const startedMs = performance.now();
      for (let count = 0; count < BATCHES; count++) some();
      costs.push(((performance.now() - startedMs) / (BATCHES * STREAMS)) * 1e6);
      if (listener.stats.requests - before !== BATCHES * STREAMS)
        throw new Error(`${listener.stats.requests - before} requests served`);
    }
    costs.sort((a, b) => a - b);
    process.stdout.write(
      `${name.padEnd(64)} ${costs[0]!.toFixed(0).padStart(6)} ns at best, ${costs[ROUNDS >> 1]!.toFixed(0)} median\n`,
    );
  });
}

let pending = Promise.resolve();
const wanted = process.argv[2] ?? '';
for (const one of cases) if (one.name.includes(wanted)) measure(one);
await pending;
process.exit(0);
