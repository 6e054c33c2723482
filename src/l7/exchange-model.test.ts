import { afterEach, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import type { MemoryPeer } from '../../test/support/memory-connection.ts';
import { MemoryProxy } from '../../test/support/memory-proxy.ts';
import { parseResponse } from '../../test/support/strict-http.ts';
import { runTurn } from '../net/turn.ts';

/*
 * Clients and endpoints that do anything at any time, against the whole data path over connections in memory. After every
 * step it is looked at what must always hold, and in the end that nothing is left of anything.
 */

let proxy: MemoryProxy | undefined;
afterEach(() => proxy?.restore());

const SIZE = 3;

type Client = { readonly peer: MemoryPeer; readonly ids: number[]; readonly methods: string[]; rest: string };

type Step =
  | { readonly do: 'request'; readonly client: number; readonly kind: number; readonly split: number }
  | {
      readonly do: 'rest' | 'fin' | 'reset' | 'hold' | 'take';
      readonly client: number;
      readonly size: number;
    }
  | { readonly do: 'accept' | 'refuse' | 'time out'; readonly dial: number }
  | { readonly do: 'answer'; readonly endpoint: number; readonly kind: number; readonly split: number }
  | {
      readonly do: 'endpoint fin' | 'endpoint reset' | 'endpoint hold' | 'endpoint take';
      readonly endpoint: number;
    }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'abandon' | 'cut' | 'drain'; readonly which: number };

const index = fc.nat(5);
/** Mostly whole; else how much of it comes at first, in fifths. */
const split = fc.constantFrom(0, 0, 0, 0, 1, 2, 3);
const client = fc.nat(SIZE - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({ do: fc.constant('request' as const), client, kind: fc.nat(9), split }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('rest', 'rest', 'rest', 'rest', 'take', 'take', 'hold', 'fin', 'reset'),
      client,
      size: fc.nat(5000),
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({
      do: fc.constantFrom('accept', 'accept', 'accept', 'accept', 'accept', 'accept', 'refuse', 'time out'),
      dial: index,
    }),
  },
  {
    weight: 40,
    arbitrary: fc.record({ do: fc.constant('answer' as const), endpoint: index, kind: fc.nat(15), split }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'endpoint fin',
        'endpoint reset',
        'endpoint hold',
        'endpoint take',
        'endpoint take',
      ),
      endpoint: index,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(10, 50, 50, 100, 100, 1000, 6000, 40_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('abandon', 'cut', 'drain'), which: fc.nat(15) }) },
);

const setup = fc.record({
  attempts: fc.nat(2),
  statuses: fc.boolean(),
  maxConnections: fc.constantFrom(0, 1, 2),
  queue: fc.constantFrom(0, 2),
  bufferSize: fc.constantFrom('64KiB', '100B'),
  deadline: fc.constantFrom(undefined, '3s'),
  minRetries: fc.constantFrom(0, 3),
});

function requestOf(kind: number, id: number): { text: string; method: string } {
  const post = (method: string, body: string): { text: string; method: string } => ({
    method,
    text: `${method} /${id}/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  });
  switch (kind) {
    case 0:
    case 1:
    case 2:
      return { method: 'GET', text: `GET /${id}/ HTTP/1.1\r\nHost: a.test\r\n\r\n` };
    case 3:
      return { method: 'HEAD', text: `HEAD /${id}/ HTTP/1.1\r\nHost: a.test\r\n\r\n` };
    case 4:
      return post('POST', 'x'.repeat(300));
    case 5:
      return post('PUT', 'y'.repeat(300));
    case 6:
      return {
        method: 'POST',
        text: `POST /${id}/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n`,
      };
    case 7:
      return {
        method: 'GET',
        text: `GET /${id}/ HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
      };
    case 8:
      return post('POST', '');
    default:
      return { method: 'GET', text: `GET /${id}/ HTTP/1.0\r\n\r\n` };
  }
}

const ANSWERS: readonly string[] = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  `HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n${'z'.repeat(9000)}`,
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
  'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end',
  'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello',
  'HTTP/1.1 2000 What\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more',
];

/** Where requests with an id begin in what an endpoint got. */
function idsOf(text: string): { id: number; method: string }[] {
  return [...text.matchAll(/([A-Z]+) \/(\d+)\/ HTTP\/1\.1\r\nHost: /g)].map((match) => ({
    id: Number(match[2]),
    method: match[1]!,
  }));
}

class World {
  readonly proxy: MemoryProxy;
  readonly clients: (Client | undefined)[] = Array.from({ length: SIZE });
  readonly past: Client[] = [];
  readonly endpoints: MemoryPeer[] = [];
  /** Requests that a client has the head of an answer to, and how often each had reached an endpoint by then. */
  readonly answered = new Map<number, number>();
  /** Endpoints' ends that have sent FIN. */
  readonly ended = new Set<MemoryPeer>();
  /** Answers that were begun. */
  readonly answers = new Map<MemoryPeer, number>();
  /** What of an answer that was begun is still to be sent. */
  readonly begun = new Map<MemoryPeer, string>();
  /** Requests that were sent whole heads of, by id. */
  nextId = 1;

  constructor(options: typeof setup extends fc.Arbitrary<infer T> ? T : never) {
    const { attempts, statuses, maxConnections, queue, bufferSize, deadline, minRetries } = options;
    this.proxy = new MemoryProxy({
      pool: {
        endpoints: [{ maxConnections }, { maxConnections }],
        queue: { size: queue, timeout: '5s' },
        retry: {
          attempts,
          bufferSize,
          minRetries,
          budgetPercent: 0,
          statuses: statuses ? [503] : [],
          ...(deadline === undefined ? {} : { deadline }),
        },
        timeouts: { response: '30s', responseBody: '30s' },
      },
      listener: { timeouts: { send: '30s', tunnel: '60s' } },
    });
    proxy = this.proxy;
  }

  client(at: number): Client {
    const known = this.clients[at];
    if (known !== undefined && known.peer.standing === 'open') return known;
    const client = { peer: this.proxy.connect(), ids: [], methods: [], rest: '' };
    this.past.push(client);
    this.clients[at] = client;
    return client;
  }

  endpoint(at: number): MemoryPeer | undefined {
    // Those that owe an answer first: an unasked word only ends a connection.
    const open = this.endpoints.filter(
      (peer) => (peer.standing === 'open' || peer.standing === 'fin') && !this.ended.has(peer),
    );
    const asked = open.filter((peer) => idsOf(peer.received).length > (this.answers.get(peer) ?? 0));
    const some = asked.length > 0 && at > 0 ? asked : open;
    return some[at % Math.max(1, some.length)];
  }

  take(now: Step): void {
    const { network, l7Pool, listener, pool } = this.proxy;
    const dials = network.pendingDials;
    switch (now.do) {
      case 'request': {
        const client = this.client(now.client);
        if (client.rest !== '') return;
        const id = this.nextId++;
        const { text, method } = requestOf(now.kind, id);
        const at = now.split === 0 ? text.length : Math.floor((text.length * (now.split + 1)) / 5);
        client.ids.push(id);
        client.methods.push(method);
        client.rest = text.slice(at);
        client.peer.send(text.slice(0, at));
        break;
      }
      case 'rest': {
        const client = this.client(now.client);
        const { rest } = client;
        client.rest = '';
        if (rest !== '') client.peer.send(rest);
        break;
      }
      case 'fin':
        this.clients[now.client]?.peer.fin();
        this.clients[now.client] = undefined;
        break;
      case 'reset':
        this.clients[now.client]?.peer.reset();
        this.clients[now.client] = undefined;
        break;
      case 'hold':
        this.client(now.client).peer.hold(now.size);
        break;
      case 'take':
        this.client(now.client).peer.take(now.size);
        break;
      case 'accept': {
        const dial = dials[now.dial % Math.max(1, dials.length)];
        if (dial !== undefined) this.endpoints.push(dial.accept());
        break;
      }
      case 'refuse':
        dials[now.dial % Math.max(1, dials.length)]?.fail('connect_refused');
        break;
      case 'time out':
        dials[now.dial % Math.max(1, dials.length)]?.fail('connect_timeout');
        break;
      case 'answer': {
        const peer = this.endpoint(now.endpoint);
        if (peer === undefined) break;
        if (!this.begun.has(peer)) this.answers.set(peer, (this.answers.get(peer) ?? 0) + 1);
        const text = this.begun.get(peer) ?? ANSWERS[now.kind]!;
        const at = now.split === 0 ? text.length : Math.floor((text.length * (now.split + 1)) / 5);
        this.begun.delete(peer);
        if (at < text.length) this.begun.set(peer, text.slice(at));
        peer.send(text.slice(0, at));
        break;
      }
      case 'endpoint fin': {
        const peer = this.endpoint(now.endpoint);
        if (peer === undefined) break;
        this.ended.add(peer);
        peer.fin();
        break;
      }
      case 'endpoint reset':
        this.endpoint(now.endpoint)?.reset();
        break;
      case 'endpoint hold':
        this.endpoint(now.endpoint)?.hold(100);
        break;
      case 'endpoint take':
        this.endpoint(now.endpoint)?.take();
        break;
      case 'wait':
        this.proxy.advance(now.ms);
        break;
      case 'abandon':
        runTurn(() => l7Pool.abandon(pool.view.all[now.which % 2]!, 'a test says so'));
        break;
      case 'cut':
        if (now.which === 0) runTurn(() => listener.cut());
        break;
      case 'drain':
        if (now.which === 0) runTurn(() => listener.drain());
        break;
    }
    network.settle();
  }

  /** What must hold at any time. */
  check(): void {
    const { pool, listener, entries } = this.proxy;
    for (const endpoint of pool.view.all) {
      expect(endpoint.inFlight).toBeGreaterThanOrEqual(0);
      expect(endpoint.inFlight).toBeLessThanOrEqual(endpoint.limit);
    }
    expect(pool.activeRequests).toBe(listener.busy);
    expect(pool.queued).toBe(this.proxy.l7Pool.queue.length);
    const logged = entries.map(({ target }) => target).filter((target) => target !== '');
    expect(new Set(logged).size).toBe(logged.length);
    this.checkAnswers(this.checkForwarded());
  }

  /** A request that is not idempotent reaches one endpoint once. Returns how often each reached one. */
  checkForwarded(): Map<number, number> {
    const times = new Map<number, number>();
    for (const peer of this.endpoints) {
      for (const { id, method } of idsOf(peer.received)) {
        times.set(id, (times.get(id) ?? 0) + 1);
        if (method === 'POST') expect([id, times.get(id)]).toEqual([id, 1]);
      }
    }
    return times;
  }

  /**
   * What a client gets are responses to its requests, one for each, in order; the last may be cut off. A request that is
   * being answered is not sent to anybody any more.
   */
  checkAnswers(times: ReadonlyMap<number, number>): void {
    for (const { peer, methods, ids } of this.past) {
      const bytes = Buffer.from(peer.received, 'latin1');
      let at = 0;
      let finals = 0;
      while (at < bytes.length) {
        const parsed = parseResponse(bytes, at, methods[finals] ?? 'GET', peer.standing !== 'open');
        if (parsed.kind === 'violation')
          throw new Error(`${parsed.reason}: ${peer.received.slice(at, at + 300)}`);
        const status = parsed.kind === 'message' ? parsed.message.status : (parsed.head?.status ?? 0);
        if (status === 101) break;
        if (status >= 200) finals++;
        if (parsed.kind === 'incomplete') break;
        at = parsed.end;
      }
      expect(finals).toBeLessThanOrEqual(methods.length);
      for (const id of ids.slice(0, finals)) {
        const before = this.answered.get(id) ?? times.get(id) ?? 0;
        this.answered.set(id, before);
        expect([id, times.get(id) ?? 0]).toEqual([id, before]);
      }
    }
  }

  /** Everybody leaves: nothing is left of anything. */
  end(): void {
    const { network, listener, pool, entries } = this.proxy;
    for (const { peer } of this.past) peer.reset();
    for (const dial of network.pendingDials) dial.fail();
    this.proxy.advance(200_000);
    for (const peer of this.endpoints) expect(peer.standing).not.toBe('open');
    expect({
      inFlight: this.proxy.inFlight,
      activeRequests: pool.activeRequests,
      activeRetries: pool.activeRetries,
      queued: pool.queued,
      busy: listener.busy,
      tunnels: listener.tunnels.size,
      open: listener.stats.connectionsOpen,
      accepted: this.proxy.accepted,
      timers: this.proxy.time.clock.pending,
    }).toEqual({
      inFlight: [0, 0],
      activeRequests: 0,
      activeRetries: 0,
      queued: 0,
      busy: 0,
      tunnels: 0,
      open: 0,
      accepted: 0,
      timers: 0,
    });
    // Whatever was counted was logged, once.
    expect(entries.length).toBe(listener.stats.requests);
  }
}

test('whatever clients and endpoints do, places are given back, ends are told once, nothing is sent twice', () => {
  fc.assert(
    fc.property(setup, fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }), (options, steps) => {
      const world = new World(options);
      try {
        for (const now of steps) {
          world.take(now);
          world.check();
        }
        world.end();
      } finally {
        world.proxy.restore();
      }
    }),
    { numRuns: 300 },
  );
}, 60_000);
