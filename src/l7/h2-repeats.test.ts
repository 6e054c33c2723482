import { afterEach, describe, expect, test } from 'bun:test';

import { data, type FieldList, headers, literals, request } from '../../test/support/h2-client.ts';
import { frame } from '../../test/support/h2-frames.ts';
import type { MemoryPeer } from '../../test/support/memory-connection.ts';
import { MemoryH2Client } from '../../test/support/memory-h2-client.ts';
import { MemoryProxy, OK } from '../../test/support/memory-proxy.ts';
import { httpListener as listenerSchema } from '../config/schema/listener.ts';
import { Flag, FrameType } from '../http/h2-protocol.ts';
import { ForwardingPolicy } from './client-forwarding.ts';
import { compileRoutes } from './router.ts';

/** So often is each request sent: from the third time on its head is known. */
const TIMES = 5;

let proxy: MemoryProxy;
afterEach(() => proxy.restore());

const LISTENER = { http2: { cleartext: true } };

/** A client that sends the same again and again, and one endpoint that answers. */
class Client {
  endpoint: MemoryPeer | undefined = undefined;
  readonly #client: MemoryH2Client;
  #id = -1;

  constructor(listener: Readonly<Record<string, unknown>> = {}) {
    proxy = new MemoryProxy({ listener: { ...LISTENER, ...listener } });
    this.#client = new MemoryH2Client(proxy);
  }

  /** Sends frames of a stream. Returns what the endpoint got of it, and what came back. */
  ask(frames: (id: number) => readonly Buffer[]): { received: string; seen: string[] } {
    this.#id += 2;
    this.#client.send(...frames(this.#id));
    const dial = proxy.network.pendingDials[0];
    if (dial !== undefined) this.endpoint = dial.accept();
    const received = this.endpoint?.takeReceived() ?? '';
    if (received !== '') this.endpoint!.send(OK);
    return { received, seen: this.#client.take().map((line) => line.replace(` ${this.#id} `, ' ')) };
  }

  repeat(frames: (id: number) => readonly Buffer[]): { received: string; seen: string[] }[] {
    return Array.from({ length: TIMES }, () => this.ask(frames));
  }
}

function head(text: string): string {
  return text.slice(0, text.indexOf('\r\n\r\n'));
}

describe('a request that comes again and again', () => {
  test('is the same for the endpoint each time, and is told whom it is from once', () => {
    const client = new Client();
    const all = client.repeat((id) => [
      headers(
        id,
        request('GET', '/a?b', [
          ['x-forwarded-for', '198.51.100.7'],
          ['x-a', '1'],
        ]),
      ),
    ]);
    expect(new Set(all.map(({ received }) => received)).size).toBe(1);
    const { received } = all.at(-1)!;
    expect(received).toStartWith(
      'GET /a?b HTTP/1.1\r\nhost: a.test\r\nx-a: 1\r\nX-Forwarded-For: 192.0.2.1\r\n',
    );
    expect(received).not.toContain('198.51.100.7');
    expect(proxy.listener.stats.requests).toBe(TIMES);
    expect(proxy.listener.stats.http2).toMatchObject({ streamsTotal: TIMES, streamsOpen: 0 });
    expect(proxy.entries.map(({ target }) => target)).toEqual(Array.from({ length: TIMES }, () => '/a?b'));
  });

  test('in one frame or in several', () => {
    const client = new Client();
    const block = literals(request('GET', '/split', [['x-a', '1']]));
    const split = (id: number): Buffer[] => [
      frame(FrameType.Headers, Flag.EndStream, id, block.subarray(0, 10)),
      frame(FrameType.Continuation, 0, id, block.subarray(10, 11)),
      frame(FrameType.Continuation, Flag.EndHeaders, id, block.subarray(11)),
    ];
    const whole = (id: number): Buffer[] => [headers(id, block)];
    const all = [...client.repeat(split), ...client.repeat(whole), ...client.repeat(split)];
    expect(new Set(all.map(({ received }) => received)).size).toBe(1);
  });

  test('cookies in pieces are joined each time', () => {
    const client = new Client();
    for (const cookies of [
      [
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
      ],
      [
        ['cookie', 'a=1'],
        ['x-a', '1'],
        ['cookie', 'b=2'],
      ],
    ] as FieldList[]) {
      for (const { received } of client.repeat((id) => [headers(id, request('GET', '/', cookies))])) {
        expect(received.match(/cookie/g)).toHaveLength(1);
        expect(received).toContain('cookie: a=1; b=2\r\n');
      }
    }
  });

  test('with a body or without one', () => {
    const client = new Client();
    const block = literals(request('POST', '/'));
    for (let round = 0; round < TIMES; round++) {
      expect(head(client.ask((id) => [headers(id, block)]).received)).toEndWith('Content-Length: 0');
      const { received } = client.ask((id) => [headers(id, block, Flag.None), data(id, 'abc', true)]);
      expect(received).toContain('Transfer-Encoding: chunked');
      expect(received).toEndWith('3\r\nabc\r\n0\r\n\r\n');
    }
  });

  test('its Content-Length binds each time', () => {
    const block = literals(request('POST', '/', [['content-length', '3']]));
    const client = new Client();
    for (const { received } of client.repeat((id) => [headers(id, block, Flag.None), data(id, 'abc', true)]))
      expect(received).toEndWith('\r\n\r\nabc');
    for (const wrong of ['ab', 'abcd']) {
      for (const { seen } of client.repeat((id) => [headers(id, block, Flag.None), data(id, wrong, true)]))
        expect(seen.at(-1)).toBe('ResetStream ProtocolError');
    }
    for (const { seen } of client.repeat((id) => [headers(id, block)]))
      expect(seen.at(-1)).toBe('ResetStream ProtocolError');
  });

  test('what is refused is refused each time, and counted', () => {
    const client = new Client({ limits: { headerCount: 5 } });
    const many: FieldList = Array.from({ length: 6 }, (_, index) => [`x-${index}`, '1']);
    for (const { received, seen } of client.repeat((id) => [headers(id, request('GET', '/', many))])) {
      expect(received).toBe('');
      expect(seen[0]).toContain(':status: 431');
    }
    for (const { seen } of client.repeat((id) => [headers(id, request('GET', '/', [['te', 'gzip']]))]))
      expect(seen.at(-1)).toBe('ResetStream ProtocolError');
    expect(proxy.log.filter(([, failure]) => failure === 'request_head_too_large')).toHaveLength(TIMES);
    expect(proxy.log.filter(([, failure]) => failure === 'request_malformed')).toHaveLength(TIMES);
  });

  test('is read anew when a reload sets other limits', () => {
    const client = new Client();
    const three: FieldList = [
      ['x-1', '1'],
      ['x-2', '1'],
      ['x-3', '1'],
    ];
    const ask = (): string => client.ask((id) => [headers(id, request('GET', '/', three))]).seen[0]!;
    for (let round = 0; round < TIMES; round++) expect(ask()).toContain(':status: 200');
    const config = listenerSchema.parse({
      name: 'web',
      address: '127.0.0.1:80',
      routes: [{ pool: 'pool' }],
      limits: { headerCount: 2 },
      ...LISTENER,
    });
    const router = compileRoutes(config.routes, {
      pool: () => proxy.l7Pool,
      filter: () => {
        throw new RangeError('no filters here');
      },
    });
    proxy.listener.configure(config, router, new ForwardingPolicy(config, 'test'), undefined);
    for (let round = 0; round < TIMES; round++) expect(ask()).toContain(':status: 431');
  });

  test('responses that repeat are the same for the client each time', () => {
    const client = new Client();
    const all = client.repeat((id) => [headers(id, request())]);
    for (const { seen } of all) {
      expect(seen).toHaveLength(2);
      expect(seen[0]).toMatch(/^Headers :status: 200, content-length: 2, date: [^,]+, [^,]+$/);
    }
  });
});
