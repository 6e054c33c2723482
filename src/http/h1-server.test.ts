import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { FakeTime } from '../../test/support/fake-time.ts';
import { MemoryNetwork, type MemoryPeer } from '../../test/support/memory-connection.ts';
import { type HttpMessage, parseResponse } from '../../test/support/strict-http.ts';
import type { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Framing, ResponseHead } from '../model/message.ts';
import { runTurn } from '../net/turn.ts';
import { RequestParser } from './h1-request.ts';
import { H1ServerConnection } from './h1-server.ts';
import type { ServerSettings } from './server-settings.ts';
import type { ClientStream, RequestConsumer, RequestHandler } from './streams.ts';

const TIMEOUTS = { requestHead: 10_000, requestBody: 30_000, idle: 75_000, send: 60_000 };
/** The wheel may be one tick late. */
const TICK_MS = 50;

/** One request as the data path sees it, answered by the test. */
class Served implements RequestConsumer {
  readonly stream: ClientStream;
  readonly method: string;
  readonly path: string;
  body = '';
  readonly events: string[] = [];
  trailers: string[] | undefined = undefined;

  constructor(stream: ClientStream) {
    this.stream = stream;
    this.method = stream.request.method;
    this.path = stream.request.path;
  }

  head(status: number, framing: ResponseHead['framing'], length = 0): void {
    const head = new ResponseHead();
    head.status = status;
    head.reason = 'Reason';
    head.framing = framing;
    head.contentLength = length;
    this.stream.sendHead(head);
  }

  send(text: string): void {
    this.stream.sendBody(Buffer.from(text, 'latin1'), 0, text.length);
  }

  /** A whole answer, in one turn. */
  answer(text = 'ok', status = 200): void {
    runTurn(() => {
      this.head(status, Framing.Length, text.length);
      if (this.method !== 'HEAD') this.send(text);
      this.stream.sendEnd(undefined);
    });
  }

  onRequestBody(bytes: Buffer, start: number, end: number): void {
    this.body += bytes.latin1Slice(start, end);
  }
  onRequestEnd(trailers: Fields | undefined): void {
    this.events.push('end');
    this.trailers = trailers?.written();
    this.onEnd();
  }
  onEnd: () => void = () => {};
  onRequestFailed(code: FailureCode): void {
    this.events.push(code);
    if (code === 'client_closed' || code === 'client_too_slow') return;
    // As the data path does: an answer if none has begun.
    this.onFailure(code);
  }
  onFailure: (code: FailureCode) => void = () => {
    this.head(400, Framing.Length, 0);
    this.stream.sendEnd(undefined);
  };
  onClientCongested(): void {
    this.events.push('congested');
  }
  onClientDrain(): void {
    this.events.push('drain');
  }
  onClientEnd(): void {
    this.events.push('client end');
  }
  onCut(): void {
    this.events.push('cut');
  }
}

/** A listener's side: notes requests, answers those that the test wants answered at once. */
class Handler implements RequestHandler {
  readonly served: Served[] = [];
  readonly refused: { code: FailureCode; method: string; host: string; lines: string[] }[] = [];
  onServed: (served: Served) => void = () => {};

  onRequest(stream: ClientStream): RequestConsumer {
    const served = new Served(stream);
    this.served.push(served);
    this.onServed(served);
    return served;
  }
  onRefused({ request }: ClientStream, code: FailureCode): void {
    this.refused.push({
      code,
      method: request.method,
      host: request.authority,
      lines: request.fields.written(),
    });
  }
}

let time: FakeTime;
let network: MemoryNetwork;
let handler: Handler;
let settings: ServerSettings;

beforeEach(() => {
  time = new FakeTime();
  network = new MemoryNetwork();
  handler = new Handler();
  settings = settingsWith({});
});
afterEach(() => time.restore());

function settingsWith(more: Partial<ServerSettings>): ServerSettings {
  return {
    parser: new RequestParser({ requestLine: 1024, headerBytes: 4096, headerCount: 20 }),
    handler,
    wheel: time.wheel,
    timeouts: TIMEOUTS,
    headerBytes: 4096,
    bodyBytes: Number.POSITIVE_INFINITY,
    bodyPace: { idleMs: TIMEOUTS.requestBody, graceMs: 0, bytesPerSecond: 0 },
    requestsPerConnection: Number.POSITIVE_INFINITY,
    draining: false,
    successor: undefined,
    contextOf: () => undefined,
    heads: [],
    ...more,
  };
}

function connect(): { client: MemoryPeer; server: H1ServerConnection } {
  const client = network.peer();
  let server!: H1ServerConnection;
  runTurn(() => {
    server = new H1ServerConnection(client.connection, settings);
    client.connection.handler = server;
    client.connection.keeper = { released: () => server.recycle() };
  });
  return { client, server };
}

/** The responses that a client got, read strictly; what is left over, or wrong, as text. */
function responses(
  client: MemoryPeer,
  methods: readonly string[] = [],
): { all: HttpMessage[]; rest: string } {
  const bytes = Buffer.from(client.received, 'latin1');
  const closed = client.standing !== 'open';
  const all: HttpMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    const parsed = parseResponse(bytes, at, methods[all.length] ?? 'GET', closed);
    if (parsed.kind !== 'message')
      return { all, rest: parsed.kind === 'violation' ? parsed.reason : 'incomplete' };
    all.push(parsed.message);
    at = parsed.end;
  }
  return { all, rest: '' };
}

function bodies(client: MemoryPeer): string[] {
  const { all, rest } = responses(client);
  return [...all.map(({ body }) => body.latin1Slice()), ...(rest === '' ? [] : [rest])];
}

function get(path: string, ...lines: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: a.test', ...lines, '', ''].join('\r\n');
}

function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function chunkedPost(path: string, ...chunks: string[]): string {
  const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
  return `POST ${path} HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`;
}

describe('pipelining', () => {
  test('requests are served one after the other, answered in order', () => {
    const { client } = connect();
    client.send(get('/1') + post('/2', 'two') + chunkedPost('/3', 'th', 'ree') + get('/4'));
    for (let count = 1; count <= 4; count++) {
      expect(handler.served).toHaveLength(count);
      const served = handler.served[count - 1]!;
      served.answer(`${served.path} ${served.body}`);
    }
    expect(bodies(client)).toEqual(['/1 ', '/2 two', '/3 three', '/4 ']);
    expect(client.standing).toBe('open');
  });

  test('answers given at once keep their order too, and come in one write', () => {
    handler.onServed = (served) => served.answer(served.path);
    const { client } = connect();
    client.send(Array.from({ length: 50 }, (_, index) => get(`/${index}`)).join(''));
    expect(bodies(client)).toEqual(Array.from({ length: 50 }, (_, index) => `/${index}`));
    expect(client.writes).toHaveLength(1);
  });

  test('what a client sends ahead is not read without end', () => {
    const { client } = connect();
    client.send(get('/first'));
    for (let index = 0; index < 1000; index++) client.send(get(`/${index}`));
    expect(handler.served).toHaveLength(1);
    expect(client.reading).toBe(false);
    expect(client.unread).toBeGreaterThan(900 * get('/0').length);
    handler.onServed = (served) => served.answer(served.path);
    handler.served[0]!.answer('/first');
    network.settle();
    expect(bodies(client)).toEqual(['/first', ...Array.from({ length: 1000 }, (_, index) => `/${index}`)]);
  });

  test('a client that does not read its answers gets no more requests served, and goes on when it reads', () => {
    handler.onServed = (served) => served.answer('x'.repeat(1000));
    const { client } = connect();
    client.hold(10_000);
    for (let index = 0; index < 200; index++) client.send(get(`/${index}`).repeat(10));
    expect(handler.served.length).toBeLessThan(400);
    expect(client.connection.bufferedBytes).toBeLessThan(300_000);
    client.take();
    expect(handler.served).toHaveLength(2000);
    expect(responses(client)).toMatchObject({ rest: '' });
    expect(responses(client).all).toHaveLength(2000);
  });

  test('piece by piece, whatever the pieces, means the same', () => {
    const stream = get('/1') + post('/2', 'body') + chunkedPost('/3', 'chunk') + get('/4');
    handler.onServed = (served) => {
      if (served.method === 'GET') served.answer(served.path);
      else served.onEnd = () => served.answer(served.path);
    };
    for (const size of [1, 2, 3, 7, 50, 1000]) {
      const { client } = connect();
      for (let at = 0; at < stream.length; at += size) client.send(stream.slice(at, at + size));
      expect(bodies(client)).toEqual(['/1', '/2', '/3', '/4']);
    }
  });

  test('blank lines between requests are passed over', () => {
    handler.onServed = (served) => served.answer(served.path);
    const { client } = connect();
    client.send(`${post('/1', 'x')}\r\n`);
    client.send(get('/2'));
    client.send('\r').send(`\n${get('/3')}`);
    expect(bodies(client)).toEqual(['/1', '/2', '/3']);
  });
});

describe('whether a connection stays', () => {
  const cases: readonly [name: string, request: string, stays: boolean, connection: string | undefined][] = [
    ['1.1', get('/'), true, undefined],
    ['1.1 keep-alive', get('/', 'Connection: keep-alive'), true, undefined],
    ['1.1 close', get('/', 'Connection: close'), false, 'close'],
    ['1.1 Close in a list', get('/', 'Connection: x, Close'), false, 'close'],
    ['1.1 close on the second line', get('/', 'Connection: x', 'Connection: close'), false, 'close'],
    ['1.1 close and keep-alive', get('/', 'Connection: keep-alive, close'), false, 'close'],
    ['1.0', 'GET / HTTP/1.0\r\n\r\n', false, 'close'],
    ['1.0 keep-alive', 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', true, 'keep-alive'],
    ['1.0 keep-alive, close', 'GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n', false, 'close'],
  ];
  test.each(cases)('%s', (_name, request, stays, connection) => {
    handler.onServed = (served) => served.answer();
    const { client } = connect();
    client.send(request);
    const [response] = responses(client).all;
    expect(response?.fields.find(([name]) => name === 'Connection')?.[1]).toBe(connection);
    expect(client.standing).toBe(stays ? 'open' : 'closed');
  });

  test('after the last request that is allowed it says so, and lingers for a client that did not know', () => {
    settings = settingsWith({ requestsPerConnection: 2 });
    handler.onServed = (served) => served.answer(served.path);
    const { client } = connect();
    client.send(get('/1'));
    client.send(get('/2'));
    expect(client.standing).toBe('fin');
    // On its way already: reading it away keeps the system from answering with a reset, which may overtake the response.
    client.send(get('/3'));
    expect(bodies(client)).toEqual(['/1', '/2']);
    expect(responses(client).all[1]!.fields).toContainEqual(['Connection', 'close']);
    client.fin();
    expect(client.standing).toBe('closed');
  });

  test('a client that never closes is closed after a while', () => {
    settings = settingsWith({ draining: true });
    handler.onServed = (served) => served.answer();
    const { client } = connect();
    client.send(get('/'));
    expect(client.standing).toBe('fin');
    time.advance(1900);
    expect(client.standing).toBe('fin');
    time.advance(200);
    expect(client.standing).toBe('closed');
  });

  test('a body of unknown length to HTTP/1.0 ends with the connection', () => {
    const { client } = connect();
    client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const [served] = handler.served;
    runTurn(() => {
      served!.head(200, Framing.Chunked);
      served!.send('a');
      served!.send('b');
      served!.stream.sendEnd(undefined);
    });
    expect(client.received).toBe('HTTP/1.1 200 Reason\r\nConnection: close\r\n\r\nab');
    expect(client.standing).not.toBe('open');
    client.fin();
    expect(client.standing).toBe('closed');
  });

  test('a response that cannot be completed ends so that the client can tell', () => {
    const abort = (request: string, framing: ResponseHead['framing'], head: boolean): MemoryPeer => {
      const { client } = connect();
      client.send(request);
      const served = handler.served.at(-1)!;
      runTurn(() => {
        if (head) served.head(200, framing, 10);
        if (head) served.send('part');
      });
      runTurn(() => served.stream.abort());
      return client;
    };
    const chunked = abort(get('/'), Framing.Chunked, true);
    expect([chunked.standing, responses(chunked).rest]).toEqual(['closed', 'incomplete']);
    const length = abort(get('/'), Framing.Length, true);
    expect([length.standing, responses(length).rest]).toEqual(['closed', 'incomplete']);
    // FIN would make it look whole.
    expect(abort('GET / HTTP/1.0\r\n\r\n', Framing.Close, true).standing).toBe('reset');
    expect(abort(get('/'), Framing.Length, false).standing).toBe('reset');
  });
});

describe('an answer before the request is whole', () => {
  test('the rest of a short body is read away and the connection stays', () => {
    const { client } = connect();
    client.send(post('/1', 'x'.repeat(1000)).slice(0, -600));
    handler.served[0]!.answer('early');
    expect(client.standing).toBe('open');
    client.send('x'.repeat(600) + get('/2'));
    handler.served[1]!.answer('second');
    expect(bodies(client)).toEqual(['early', 'second']);
    expect(handler.served[0]!.body).toHaveLength(400);
  });

  test.each([
    ['long', `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\npart`],
    [
      'of unknown length',
      'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
    ],
    [
      'that waits to be asked for',
      'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n',
    ],
  ])('a body %s ends the connection, which lingers', (_name, request) => {
    const { client } = connect();
    client.send(request);
    handler.served[0]!.answer('early');
    expect(responses(client).all[0]!.fields).toContainEqual(['Connection', 'close']);
    expect(client.standing).toBe('fin');
    client.send('x'.repeat(100_000));
    expect(handler.served).toHaveLength(1);
    client.fin();
    expect(client.standing).toBe('closed');
  });

  test('a body that was held back is read again', () => {
    const { client } = connect();
    client.send(post('/1', 'x'.repeat(1000)).slice(0, -600));
    runTurn(() => handler.served[0]!.stream.pauseRequest());
    client.send('x'.repeat(600));
    expect(client.unread).toBe(600);
    handler.served[0]!.answer('early');
    network.settle();
    client.send(get('/2'));
    expect(handler.served).toHaveLength(2);
  });
});

describe('100-continue', () => {
  const HEAD = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n';
  const interim = (status: number): ResponseHead => {
    const head = new ResponseHead();
    head.status = status;
    head.contentLength = -1;
    head.reason = 'Go on';
    return head;
  };

  test('is passed on, and then the connection may stay', () => {
    const { client } = connect();
    client.send(HEAD);
    runTurn(() => handler.served[0]!.stream.sendInformational(interim(100)));
    expect(client.received).toBe('HTTP/1.1 100 Go on\r\n\r\n');
    client.send('body');
    handler.served[0]!.answer();
    expect(client.standing).toBe('open');
    expect(handler.served[0]!.body).toBe('body');
  });

  test('a client that does not wait for it is served as well', () => {
    const { client } = connect();
    client.send(`${HEAD}body`);
    handler.served[0]!.answer();
    expect([handler.served[0]!.body, client.standing]).toEqual(['body', 'open']);
  });

  test('HTTP/1.0 sees no interim response', () => {
    const { client } = connect();
    client.send('GET / HTTP/1.0\r\n\r\n');
    runTurn(() => handler.served[0]!.stream.sendInformational(interim(103)));
    expect(client.received).toBe('');
  });
});

describe('time', () => {
  /** Advances to just before `ms`, and then past it. */
  function around(ms: number, before: () => void, after: () => void): void {
    time.advance(ms - 1);
    before();
    time.advance(TICK_MS + 1);
    after();
  }

  test('an idle connection is closed without a word', () => {
    const { client } = connect();
    around(
      TIMEOUTS.idle,
      () => expect(client.standing).toBe('open'),
      () => expect([client.standing, client.received]).toEqual(['closed', '']),
    );
  });

  test('idle time begins anew with every response', () => {
    handler.onServed = (served) => served.answer();
    const { client } = connect();
    for (let round = 0; round < 5; round++) {
      time.advance(60_000);
      client.send(get('/'));
    }
    expect(client.standing).toBe('open');
    time.advance(TIMEOUTS.idle + TICK_MS);
    expect(client.standing).toBe('closed');
  });

  test('a blank line does not begin a request', () => {
    const { client } = connect();
    client.send('\r\n');
    time.advance(20_000);
    expect([client.standing, client.received]).toEqual(['open', '']);
    time.advance(TIMEOUTS.idle);
    expect([client.standing, client.received]).toEqual(['closed', '']);
  });

  test('a head has its time from its first byte, however often another comes', () => {
    const { client } = connect();
    time.advance(30_000);
    const head = get('/', 'X-A: 1', 'X-B: 2', 'X-C: 3');
    client.send(head[0]!);
    for (let at = 1; at < 10; at++) {
      time.advance(990);
      client.send(head[at]!);
    }
    expect(client.received).toBe('');
    time.advance(1100 + TICK_MS);
    expect(responses(client).all[0]?.status).toBe(408);
    expect(client.standing).toBe('fin');
    expect(handler.refused).toMatchObject([{ code: 'request_head_timeout' }]);
  });

  test('a body has its time from its last byte', () => {
    const { client } = connect();
    client.send(post('/', 'x'.repeat(10)).slice(0, -10));
    for (let count = 0; count < 5; count++) {
      time.advance(29_000);
      client.send('x');
    }
    expect(handler.served[0]!.events).toEqual([]);
    around(
      TIMEOUTS.requestBody,
      () => expect(handler.served[0]!.events).toEqual([]),
      () => expect(handler.served[0]!.events).toEqual(['request_body_timeout']),
    );
    expect(responses(client).all[0]?.status).toBe(400);
    expect(client.standing).toBe('fin');
  });

  test('a body has to come at a certain pace, on average, not counted while it is held back or answered', () => {
    settings = settingsWith({ bodyPace: { idleMs: 30_000, graceMs: 30_000, bytesPerSecond: 10 } });
    /** Sends a byte every ten seconds for two minutes. */
    const drip = (client: MemoryPeer): void => {
      for (let count = 0; count < 12; count++) {
        time.advance(10_000);
        client.send('x');
      }
    };
    const begin = (first = ''): { client: MemoryPeer; served: Served } => {
      const { client } = connect();
      client.send(post('/', 'x'.repeat(5000)).slice(0, -5000) + first);
      return { client, served: handler.served.at(-1)! };
    };
    const slow = begin();
    time.advance(29_000);
    slow.client.send('x'.repeat(9));
    expect(slow.served.events).toEqual([]);
    time.advance(1900 + TICK_MS);
    expect(slow.served.events).toEqual(['request_body_timeout']);
    // What came at once is time for later.
    const ahead = begin('x'.repeat(1000));
    drip(ahead.client);
    expect(ahead.served.events).toEqual([]);
    const held = begin();
    runTurn(() => held.served.stream.pauseRequest());
    time.advance(100_000);
    runTurn(() => held.served.stream.resumeRequest());
    time.advance(29_000);
    held.client.send('x'.repeat(50));
    time.advance(5500);
    expect(held.served.events).toEqual([]);
    const answered = begin();
    runTurn(() => answered.served.head(200, Framing.Chunked));
    drip(answered.client);
    expect(answered.served.events).toEqual([]);
  });

  test('a body that is held back is not timed', () => {
    const { client } = connect();
    client.send(post('/', 'x'.repeat(10)).slice(0, -5));
    const { stream, events } = handler.served[0]!;
    runTurn(() => stream.pauseRequest());
    time.advance(300_000);
    expect(events).toEqual([]);
    runTurn(() => stream.resumeRequest());
    time.advance(TIMEOUTS.requestBody + TICK_MS);
    expect(events).toEqual(['request_body_timeout']);
  });

  test('the response takes the time it takes', () => {
    const { client } = connect();
    client.send(get('/'));
    time.advance(3_600_000);
    handler.served[0]!.answer();
    expect(bodies(client)).toEqual(['ok']);
  });

  test('a client that reads nothing is reset after its time, and one that reads a little is not', () => {
    const { client } = connect();
    client.send(get('/'));
    client.hold();
    const [served] = handler.served;
    runTurn(() => {
      served!.head(200, Framing.Length, 1_000_000);
      served!.send('x'.repeat(100_000));
      served!.send('x'.repeat(100_000));
    });
    for (let round = 0; round < 5; round++) {
      time.advance(50_000);
      client.take(100);
    }
    expect(served!.events).toEqual(['congested']);
    time.advance(2 * TIMEOUTS.send);
    expect(served!.events).toEqual(['congested', 'client_too_slow']);
    expect(client.standing).toBe('reset');
  });

  test('more that is written meanwhile does not make a client that reads look idle', () => {
    const { client } = connect();
    client.send(get('/'));
    client.hold();
    const [served] = handler.served;
    runTurn(() => {
      served!.head(200, Framing.Length, 1_000_000);
      served!.send('x'.repeat(20_000));
      served!.send('x'.repeat(90_000));
    });
    time.advance(50_000);
    client.take(30_000);
    time.advance(11_000);
    expect(served!.events).toEqual(['congested']);
    time.advance(60_000 + TICK_MS);
    expect(served!.events).toEqual(['congested', 'client_too_slow']);
  });

  test('the rest of an unwanted body has its time too', () => {
    const { client } = connect();
    client.send(post('/1', 'x'.repeat(1000)).slice(0, -600));
    handler.served[0]!.answer('early');
    time.advance(TIMEOUTS.requestBody + TICK_MS);
    expect(client.standing).toBe('fin');
  });
});

describe('the last response of a connection', () => {
  test.each([
    ['Connection: close', get('/', 'Connection: close')],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
  ])('reaches a slow reader whole (%s)', (_name, request) => {
    const { client } = connect();
    client.send(request);
    client.hold(1000);
    handler.served[0]!.answer('x'.repeat(50_000));
    for (let second = 0; second < 49; second++) {
      time.advance(10_000);
      client.take(1000);
    }
    client.take();
    expect(bodies(client).map(({ length }) => length)).toEqual([50_000]);
    expect(client.standing).toBe('fin');
    time.advance(3000);
    expect(client.standing).toBe('closed');
  });

  test('reaches a slow reader who has sent FIN', () => {
    const { client } = connect();
    client.send(get('/')).fin();
    client.hold(1000);
    handler.served[0]!.answer('x'.repeat(50_000));
    time.advance(10_000);
    client.take();
    expect(bodies(client).map(({ length }) => length)).toEqual([50_000]);
    expect(client.standing).toBe('closed');
  });

  test('is not waited for without end', () => {
    const { client } = connect();
    client.send(get('/', 'Connection: close'));
    client.hold(1000);
    handler.served[0]!.answer('x'.repeat(50_000));
    time.advance(TIMEOUTS.send + TICK_MS);
    expect(client.standing).toBe('reset');
    expect(time.clock.pending).toBe(0);
  });

  test('is not cut off by a drain', () => {
    const { client, server } = connect();
    client.send(get('/'));
    client.hold(1000);
    handler.served[0]!.answer('x'.repeat(50_000));
    runTurn(() => server.drain());
    client.take();
    expect(bodies(client).map(({ length }) => length)).toEqual([50_000]);
    expect(client.standing).toBe('fin');
  });
});

describe('a client that leaves', () => {
  test('in the middle of a head: nothing happens', () => {
    for (const end of ['fin', 'reset'] as const) {
      const { client } = connect();
      client.send('GET / HT')[end]();
      expect([client.received, client.standing === 'open']).toEqual(['', false]);
    }
    expect([handler.served, handler.refused]).toEqual([[], []]);
    expect(time.clock.pending).toBe(1);
    time.advance(80_000);
    expect(time.clock.pending).toBe(0);
  });

  test('in the middle of a body: the request failed, once', () => {
    for (const end of ['fin', 'reset'] as const) {
      const { client } = connect();
      client.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf')[end]();
      expect(handler.served.at(-1)!.events).toEqual(['client_closed']);
      expect(client.standing).not.toBe('open');
    }
  });

  test('with a FIN behind its request: it gets its answer', () => {
    const { client } = connect();
    client.send(get('/1') + get('/2')).fin();
    expect(handler.served[0]!.events).toEqual([]);
    handler.served[0]!.answer('1');
    network.settle();
    expect(handler.served[1]!.events).toEqual(['client end']);
    handler.served[1]!.answer('2');
    expect(bodies(client)).toEqual(['1', '2']);
    expect(client.standing).toBe('closed');
  });

  test('with a reset while it is served: the request failed, once; later words are lost', () => {
    const { client } = connect();
    client.send(get('/'));
    client.reset();
    expect(handler.served[0]!.events).toEqual(['client_closed']);
    handler.served[0]!.answer();
    expect(client.received).toBe('');
  });

  test('with a reset while its last response lingers', () => {
    const { client } = connect();
    client.send(get('/', 'Connection: close'));
    client.hold();
    handler.served[0]!.answer();
    client.reset();
    expect(handler.served[0]!.events).toEqual([]);
    time.advance(100_000);
    expect(time.clock.pending).toBe(0);
  });
});

describe('draining', () => {
  test('closes what is idle, lets what is busy finish with Connection: close', () => {
    const idle = connect();
    const busy = connect();
    const half = connect();
    busy.client.send(get('/busy'));
    half.client.send('GET /half HTTP/1.1\r\n');
    settings.draining = true;
    runTurn(() => {
      for (const { server } of [idle, busy, half]) server.drain();
    });
    expect([idle.client.standing, busy.client.standing, half.client.standing]).toEqual([
      'closed',
      'open',
      'open',
    ]);
    handler.served[0]!.answer('busy');
    half.client.send('Host: a.test\r\n\r\n');
    handler.served[1]!.answer('half');
    for (const { client } of [busy, half]) {
      expect(responses(client).all[0]!.fields).toContainEqual(['Connection', 'close']);
      expect(client.standing).toBe('fin');
    }
  });

  test('cut ends what is not being answered, and tells who is', () => {
    const idle = connect();
    const busy = connect();
    busy.client.send(get('/'));
    runTurn(() => {
      idle.server.cut();
      busy.server.cut();
    });
    expect(idle.client.standing).toBe('closed');
    expect(handler.served[0]!.events).toEqual(['cut']);
  });
});

describe('a request that is refused', () => {
  const BAD = 'GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: x\r\n\r\n';

  test('is answered by the codec, behind what came before, and ends the connection', () => {
    const { client } = connect();
    client.send(get('/1') + BAD + get('/2'));
    handler.served[0]!.answer('1');
    expect(responses(client).all.map(({ status }) => status)).toEqual([200, 400]);
    expect(client.standing).toBe('fin');
    expect(handler.served).toHaveLength(1);
    client.fin();
    expect(client.standing).toBe('closed');
  });

  test('after a HEAD request its answer has its body', () => {
    handler.onServed = (served) => served.answer();
    for (const bad of ['\0\r\n\r\n', 'GET  / HTTP/1.1\r\n\r\n', BAD]) {
      const { client } = connect();
      client.send('HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n');
      client.send(bad);
      const { all, rest } = responses(client, ['HEAD', 'GET']);
      expect([all.map(({ status }) => status), rest]).toEqual([[200, 400], '']);
      expect(all[1]!.body.length).toBeGreaterThan(0);
    }
  });

  test('is not logged with what others said', () => {
    handler.onServed = (served) => served.answer();
    const secret = get('/secret', 'User-Agent: somebody else', 'Cookie: secret=1');
    const before = connect();
    before.client.send(secret);
    before.client.fin();
    for (const bad of ['\0', 'GET /\0', 'GET / HTTP/9.9\r\n\r\n', 'FOO']) {
      const { client } = connect();
      client.send(bad);
      client.send(secret);
      time.advance(20_000);
    }
    const timed = connect();
    timed.client.send('GET / HTTP/1.1\r\nUser-Agent: me\r\n');
    connect().client.send(secret);
    time.advance(20_000);
    expect(handler.refused.length).toBeGreaterThan(3);
    expect(JSON.stringify(handler.refused)).not.toMatch(/secret|somebody|!/);
  });

  test('for the length of its body is refused before it is read, or as soon as it is too long', () => {
    settings = settingsWith({ bodyBytes: 10 });
    const early = connect();
    early.client.send(post('/', 'x'.repeat(11)));
    expect(responses(early.client).all[0]?.status).toBe(413);
    expect(handler.served).toHaveLength(0);
    const exact = connect();
    exact.client.send(post('/', 'x'.repeat(10)) + chunkedPost('/', 'x'.repeat(5), 'y'.repeat(5)));
    handler.served[0]!.answer();
    expect(handler.served.map(({ events }) => events)).toEqual([['end'], ['end']]);
    const late = connect();
    late.client.send(chunkedPost('/', 'x'.repeat(5), 'y'.repeat(6), 'z'));
    expect(handler.served[2]!.events).toEqual(['request_body_too_large']);
    expect(handler.served[2]!.body).toBe('xxxxx');
    expect(late.client.standing).toBe('fin');
  });

  test('in its chunks fails what is being served, and nothing more is read', () => {
    const { client } = connect();
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n');
    expect(handler.served[0]!.events).toEqual(['request_body_malformed']);
    client.send(get('/smuggled'));
    expect(handler.served).toHaveLength(1);
    expect(client.standing).toBe('fin');
  });
});

describe('a tunnel', () => {
  const UPGRADE = get('/', 'Connection: Upgrade', 'Upgrade: websocket');
  const switching = (): ResponseHead => {
    const head = new ResponseHead();
    head.status = 101;
    head.contentLength = -1;
    head.reason = 'Switching Protocols';
    head.upgrade = 'websocket';
    return head;
  };

  test('gets what came behind the request, and everything after', () => {
    const { client } = connect();
    client.send(`${UPGRADE}early`);
    let received = '';
    runTurn(() => {
      const end = handler.served[0]!.stream.startTunnel(switching());
      received += end.leftover.latin1Slice();
      end.setHandler({
        onData: (bytes) => (received += bytes.latin1Slice()),
        onEnd: () => (received += ' end'),
        onCongested() {},
        onDrain() {},
        onClose() {},
      });
    });
    client.send(' late').fin();
    expect(received).toBe('early late end');
    expect(client.received).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    time.advance(10_000_000);
    expect(client.standing).toBe('open');
  });
});
