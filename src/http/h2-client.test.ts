import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { Answer } from '../../test/support/answer.ts';
import { FakeTime } from '../../test/support/fake-time.ts';
import { frame, settings, splitFrames, told, u32 } from '../../test/support/h2-frames.ts';
import { decodeBlock, encodeBlock } from '../../test/support/header-list.ts';
import { MemoryNetwork, type MemoryPeer } from '../../test/support/memory-connection.ts';
import { requestHead } from '../../test/support/request-head.ts';
import type { RequestHead } from '../model/message.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import { type H2ConnectionOwner, H2EndpointConnection } from './h2-client.ts';
import type { H2ClientSettings } from './h2-client-settings.ts';
import type { H2EndpointStream } from './h2-client-stream.ts';
import { MAX_STREAM_WINDOW, STREAM_WINDOW } from './h2-response-window.ts';
import { Flag, FrameType, H2Error, PREFACE, Setting } from './h2-protocol.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';

const SETTINGS: H2ClientSettings = {
  response: 30_000,
  responseBody: 60_000,
  idle: 4000,
  connect: 2000,
  streams: 100,
  pingInterval: 0,
  pingTimeout: 5000,
};
const TICK_MS = 50;
const END = true;

let time: FakeTime;
beforeEach(() => {
  time = new FakeTime();
});
afterEach(() => time.restore());

type List = readonly (readonly [name: string, value: string])[];
const OK: List = [[':status', '200']];

/** One connection of ours, and the endpoint as a script. */
class Rig implements H2ConnectionOwner {
  readonly events: string[] = [];
  readonly peer: MemoryPeer;
  readonly connection: H2EndpointConnection;
  readonly #encoder = new HpackEncoder(4096);
  readonly #decoder = new HpackDecoder(4096, 1 << 20);
  #greeted = false;

  constructor(more: Partial<H2ClientSettings> = {}, greeting: Buffer | null = settings()) {
    this.peer = new MemoryNetwork().peer();
    let made: H2EndpointConnection | undefined;
    runTurn(() => {
      made = new H2EndpointConnection(
        this.peer.connection,
        this,
        { ...SETTINGS, ...more },
        time.wheel,
        false,
        turnNowMs(),
      );
    });
    this.connection = made!;
    this.peer.connection.handler = this.connection;
    if (greeting === null) return;
    this.peer.send(greeting);
    this.peer.send(frame(FrameType.Settings, Flag.Ack, 0));
    this.frames();
  }

  onReady(): void {
    this.events.push('ready');
  }
  onUnready(_connection: H2EndpointConnection, code: string, detail: string): void {
    this.events.push(`${code}: ${detail}`);
  }
  onRoom(): void {
    this.events.push('room');
  }
  onGone(): void {
    this.events.push('gone');
  }

  ask(request: RequestHead = requestHead('GET', '/', 'Host: a.test')): {
    stream: H2EndpointStream;
    answer: Answer;
  } {
    const answer = new Answer();
    let stream: H2EndpointStream | undefined;
    runTurn(() => {
      stream = this.connection.open();
      stream.sendRequest(request, answer);
    });
    return { stream: stream!, answer };
  }

  /** Frames that the endpoint got since the last time, in words. */
  frames(): string[] {
    let bytes: Buffer = Buffer.from(this.peer.takeReceived(), 'latin1');
    if (!this.#greeted) {
      expect(bytes.subarray(0, PREFACE.length)).toEqual(PREFACE);
      bytes = bytes.subarray(PREFACE.length);
      this.#greeted = true;
    }
    const { frames, rest } = splitFrames(bytes);
    expect(rest).toHaveLength(0);
    return frames.map((one) =>
      one.type === FrameType.Headers
        ? `${told(one)} ${decodeBlock(this.#decoder, one.payload).fields.join(', ')}`
        : told(one),
    );
  }

  fields(stream: number, list: List, endStream = false): Buffer {
    const flags = Flag.EndHeaders | (endStream ? Flag.EndStream : 0);
    return frame(FrameType.Headers, flags, stream, encodeBlock(this.#encoder, list));
  }

  data(stream: number, content: string, endStream = false): Buffer {
    return frame(FrameType.Data, endStream ? Flag.EndStream : 0, stream, content);
  }
}

function post(...lines: string[]): RequestHead {
  return requestHead('POST', '/', 'Host: a.test', ...lines);
}

describe('the beginning of a connection', () => {
  test('preface, SETTINGS and a large window leave in one write; requests wait for the SETTINGS of the endpoint', () => {
    const rig = new Rig({}, null);
    expect(rig.peer.writes).toHaveLength(1);
    expect(rig.frames()).toEqual(['Settings', 'WindowUpdate 0 2147418112']);
    expect([rig.connection.room, rig.events]).toEqual([0, []]);
    rig.peer.send(settings([Setting.MaxConcurrentStreams, 7]));
    expect([rig.connection.room, rig.events]).toEqual([7, ['ready']]);
    expect(rig.frames()).toEqual(['Settings ack']);
  });

  test('an endpoint that speaks HTTP/1 is told from one that breaks HTTP/2', () => {
    const rig = new Rig({}, null);
    rig.peer.send('HTTP/1.1 400 Bad Request\r\n\r\n');
    expect(rig.events).toEqual(['connect_failed: ProtocolError: the endpoint answers in HTTP/1']);
    expect(rig.peer.standing).toBe('closed');
  });

  test('an endpoint that says nothing, or leaves', () => {
    const silent = new Rig({}, null);
    time.advance(2000 + TICK_MS);
    expect(silent.events).toEqual(['connect_timeout: no SETTINGS from the endpoint']);
    const gone = new Rig({}, null);
    gone.peer.fin();
    expect(gone.events).toEqual(['connect_failed: the endpoint closed the connection']);
  });

  test('SETTINGS that are not acknowledged end it', () => {
    const rig = new Rig({ idle: 60_000 }, null);
    rig.peer.send(settings());
    time.advance(9950);
    expect(rig.events).toEqual(['ready']);
    time.advance(2 * TICK_MS);
    expect(rig.events).toEqual(['ready', 'gone']);
    expect(rig.frames().at(-1)).toBe('Goaway 0 SettingsTimeout');
  });

  test('it closes when it is idle for its time, with a word', () => {
    const rig = new Rig();
    time.advance(4000 + TICK_MS);
    expect(rig.events).toEqual(['ready', 'gone']);
    expect(rig.frames()).toEqual(['Goaway 0 NoError']);
    expect(rig.peer.standing).toBe('closed');
  });
});

describe('a request', () => {
  test('has pseudo-fields first, and Host is :authority', () => {
    const rig = new Rig();
    rig.ask(requestHead('GET', '/a?b=c', 'Host: a.test:81', 'X-One: 1', 'Cookie: a=b'));
    expect(rig.frames()).toEqual([
      'Headers 1 end :method: GET, :scheme: http, :authority: a.test:81, :path: /a?b=c, x-one: 1, !cookie: a=b',
    ]);
  });

  test('with a body, te and expect', () => {
    const rig = new Rig();
    const request = post('Content-Length: 3', 'TE: trailers', 'Expect: 100-continue');
    const { stream } = rig.ask(request);
    expect(rig.frames()[0]).toEndWith('content-length: 3, te: trailers, expect: 100-continue');
    runTurn(() => {
      stream.sendBody(Buffer.from('abc'), 0, 3);
      stream.sendEnd(undefined);
    });
    expect(rig.frames()).toEqual(['Data 1 end "abc"']);
  });

  test('requests of one batch and their bodies leave in one write', () => {
    const rig = new Rig();
    rig.peer.takeReceived();
    runTurn(() => {
      for (let count = 0; count < 3; count++) {
        const stream = rig.connection.open();
        stream.sendRequest(post('Content-Length: 1'), new Answer());
        stream.sendBody(Buffer.from('x'), 0, 1);
        stream.sendEnd(undefined);
      }
    });
    expect(rig.peer.writes).toHaveLength(1);
    expect(rig.frames().map((text) => text.split(' ').slice(0, 3).join(' '))).toEqual([
      'Headers 1 :method:',
      'Data 1 end',
      'Headers 3 :method:',
      'Data 3 end',
      'Headers 5 :method:',
      'Data 5 end',
    ]);
  });

  test('its body keeps to the windows of the endpoint and holds the client back', () => {
    const rig = new Rig({}, settings([Setting.InitialWindowSize, 10]));
    const { stream, answer } = rig.ask(post('Transfer-Encoding: chunked'));
    rig.frames();
    runTurn(() => stream.sendBody(Buffer.from('0123456789abcdef'), 0, 16));
    expect(rig.frames()).toEqual(['Data 1 "0123456789"']);
    expect([answer.events, stream.congested]).toEqual([['congested'], true]);
    rig.peer.send(frame(FrameType.WindowUpdate, 0, 1, u32(4)));
    expect(rig.frames()).toEqual(['Data 1 "abcd"']);
    runTurn(() => stream.sendEnd(undefined));
    expect(rig.frames()).toEqual([]);
    rig.peer.send(settings([Setting.InitialWindowSize, 100]));
    expect(rig.frames()).toEqual(['Data 1 end "ef"', 'Settings ack']);
    expect(stream.congested).toBe(false);
  });

  test('an endpoint that does not take the body is given the time of a response', () => {
    const rig = new Rig({}, settings([Setting.InitialWindowSize, 0]));
    const { stream, answer } = rig.ask(post('Content-Length: 1'));
    runTurn(() => stream.sendBody(Buffer.from('x'), 0, 1));
    time.advance(30_000 + TICK_MS);
    expect(answer.events).toEqual(['congested', 'response_timeout']);
  });

  test('that switches protocols needs an endpoint that takes extended CONNECT', () => {
    const upgrade = (): RequestHead =>
      requestHead(
        'GET',
        '/chat',
        'Host: a.test',
        'Connection: upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      );
    const without = new Rig();
    const refused = without.ask(upgrade());
    expect(refused.answer.events).toEqual(['endpoint_upgrade']);
    expect(without.frames()).toEqual([]);
    expect(without.connection.room).toBe(100);

    const rig = new Rig({}, settings([Setting.EnableConnectProtocol, 1]));
    const { stream, answer } = rig.ask(upgrade());
    expect(rig.frames()[0]).toStartWith(
      'Headers 1 :method: CONNECT, :scheme: http, :authority: a.test, :path: /chat, :protocol: websocket, ',
    );
    const heard: string[] = [];
    answer.onHead = (head) => {
      expect(head.upgrade).toBe('websocket');
      const side = stream.startTunnel();
      side.setHandler({
        onData: (bytes) => heard.push(bytes.latin1Slice()),
        onEnd: () => {
          heard.push('end');
          side.write(Buffer.from('bye'), 0, 3);
          side.shutdown();
          side.close();
        },
        onCongested() {},
        onDrain() {},
        onClose: (cause) => heard.push(cause),
      });
    };
    rig.peer.send(rig.fields(1, OK));
    expect([answer.events, answer.lines]).toEqual([
      ['101'],
      ['Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
    ]);
    rig.peer.send(rig.data(1, 'hi'));
    time.advance(100_000);
    rig.peer.send(rig.data(1, '', END));
    expect(heard).toEqual(['hi', 'end']);
    expect(rig.frames()).toEqual(['Data 1 end "bye"']);
    expect(rig.connection.busy).toBe(false);
  });

  test('is not sent when its fields are more than the endpoint takes: it might close the connection of all', async () => {
    const rig = new Rig({}, settings([Setting.MaxHeaderListSize, 400]));
    const other = rig.ask().answer;
    // The pseudo-fields are 29 bytes of names, 14 of values and 32 for each of the four; X is 33 and its value.
    const fits = rig.ask(requestHead('GET', '/', 'Host: a.test', `X: ${'x'.repeat(150)}`));
    const large = rig.ask(requestHead('GET', '/', 'Host: a.test', `X: ${'x'.repeat(250)}`));
    await Promise.resolve();
    expect([fits.answer.events, large.answer.events]).toEqual([[], ['request_head_too_large']]);
    expect(rig.frames().map((one) => one.slice(0, 9))).toEqual(['Headers 1', 'Headers 3']);
    rig.peer.send(rig.fields(1, OK, END));
    expect(other.events).toEqual(['200', 'end']);
    // The endpoint takes more now.
    rig.peer.send(settings([Setting.MaxHeaderListSize, 1000]));
    rig.frames();
    rig.ask(requestHead('GET', '/', 'Host: a.test', `X: ${'x'.repeat(250)}`));
    expect(rig.frames().map((one) => one.slice(0, 9))).toEqual(['Headers 5']);
  });
});

describe('a response', () => {
  test('with a body and trailers', () => {
    const rig = new Rig();
    const { answer } = rig.ask();
    rig.peer.send(rig.fields(1, [...OK, ['content-type', 'text/plain'], ['set-cookie', 'a=b']]));
    rig.peer.send(Buffer.concat([rig.data(1, 'hel'), rig.data(1, 'lo')]));
    rig.peer.send(
      rig.fields(
        1,
        [
          ['grpc-status', '0'],
          ['content-length', '7'],
        ],
        END,
      ),
    );
    expect(answer).toMatchObject({
      events: ['200', 'end'],
      lines: ['content-type: text/plain', 'set-cookie: a=b'],
      body: 'hello',
      trailers: ['grpc-status: 0'],
    });
    expect([rig.connection.busy, rig.events]).toEqual([false, ['ready', 'room']]);
  });

  test('interim heads come before it', () => {
    const rig = new Rig();
    const { answer } = rig.ask();
    rig.peer.send(
      rig.fields(1, [
        [':status', '103'],
        ['link', '</a>'],
      ]),
    );
    rig.peer.send(rig.fields(1, OK, END));
    expect(answer.events).toEqual(['103', '200', 'end']);
  });

  test('that is whole before the request ends the request', () => {
    const rig = new Rig();
    const { answer } = rig.ask(post('Transfer-Encoding: chunked'));
    rig.frames();
    rig.peer.send(rig.fields(1, OK, END));
    expect(answer.events).toEqual(['200', 'end']);
    expect(rig.frames()).toEqual(['ResetStream 1 Cancel']);
  });

  test('many at a time, in any order', () => {
    const rig = new Rig();
    const answers = Array.from({ length: 300 }, () => undefined).map(() => rig.ask().answer);
    const order = answers.map((_, index) => index * 2 + 1).reverse();
    for (const id of order) rig.peer.send(rig.fields(id, OK));
    for (const id of order) rig.peer.send(rig.data(id, String(id), END));
    for (const [index, { events, body }] of answers.entries())
      expect([events, body]).toEqual([['200', 'end'], String(index * 2 + 1)]);
  });

  describe('says how its body ends', () => {
    const cases: readonly [
      what: string,
      list: List,
      method: string,
      framing: number,
      length: number,
      wire: string[],
    ][] = [
      ['no body', OK, 'GET', 1, 0, []],
      ['HEAD with a length', [...OK, ['content-length', '5']], 'HEAD', 0, 5, ['content-length: 5']],
      ['HEAD without', OK, 'HEAD', 0, -1, []],
      [
        '204 with a length',
        [
          [':status', '204'],
          ['content-length', '0'],
        ],
        'GET',
        0,
        -1,
        [],
      ],
      [
        '304 with a length',
        [
          [':status', '304'],
          ['content-length', '5'],
        ],
        'GET',
        0,
        5,
        ['content-length: 5'],
      ],
    ];
    test.each(cases)('%s', (_what, list, method, framing, length, wire) => {
      const rig = new Rig();
      const { answer } = rig.ask(requestHead(method, '/', 'Host: a.test'));
      let seen: number[] = [];
      answer.onHead = (head) => (seen = [head.framing, head.contentLength]);
      rig.peer.send(rig.fields(1, list, END));
      expect([answer.events.at(-1), seen, answer.lines]).toEqual(['end', [framing, length], wire]);
    });
  });

  test('is held back when its client is: the window is not widened until it goes on', () => {
    const rig = new Rig();
    const { stream, answer } = rig.ask();
    rig.peer.send(rig.fields(1, OK));
    rig.frames();
    const send = (bytes: number): void => {
      for (let sent = 0; sent < bytes; sent += 16_384) rig.peer.send(rig.data(1, 'x'.repeat(16_384)));
    };
    // What the endpoint may send ahead grows with what the client takes: 64, 128, 256 KiB.
    send(STREAM_WINDOW / 2);
    expect(rig.frames()).toEqual([`WindowUpdate 1 ${STREAM_WINDOW / 2 + STREAM_WINDOW}`]);
    send(STREAM_WINDOW);
    expect(rig.frames()).toEqual([`WindowUpdate 1 ${STREAM_WINDOW + 2 * STREAM_WINDOW}`]);
    send(MAX_STREAM_WINDOW / 2);
    expect(rig.frames()).toEqual([`WindowUpdate 1 ${MAX_STREAM_WINDOW / 2}`]);
    runTurn(() => stream.pauseResponse());
    send(MAX_STREAM_WINDOW);
    expect(rig.frames()).toEqual([]);
    time.advance(100_000);
    expect(answer.events).toEqual(['200']);
    runTurn(() => stream.resumeResponse());
    expect(rig.frames()).toEqual([`WindowUpdate 1 ${MAX_STREAM_WINDOW}`]);
    time.advance(60_000 + TICK_MS);
    expect(answer.events).toEqual(['200', 'response_body_timeout']);
  });

  test('a client that takes little gives the endpoint no more to send ahead', () => {
    const rig = new Rig();
    const { stream } = rig.ask();
    rig.peer.send(rig.fields(1, OK));
    rig.frames();
    for (let round = 0; round < 4; round++) {
      runTurn(() => stream.pauseResponse());
      rig.peer.send(rig.data(1, 'x'.repeat(1000)));
      runTurn(() => stream.resumeResponse());
      expect(rig.frames()).toEqual(['WindowUpdate 1 1000']);
    }
  });
});

describe('an end before time', () => {
  test('of ours is CANCEL, and what comes for the stream afterwards is of no interest', () => {
    const rig = new Rig();
    const { stream, answer } = rig.ask();
    rig.frames();
    runTurn(() => stream.abort());
    expect(rig.frames()).toEqual(['ResetStream 1 Cancel']);
    const next = rig.ask().answer;
    rig.peer.send(rig.fields(1, [...OK, ['x-new', 'entry']]));
    rig.peer.send(rig.data(1, 'late', END));
    rig.peer.send(frame(FrameType.WindowUpdate, 0, 1, u32(4)));
    rig.peer.send(frame(FrameType.ResetStream, 0, 1, u32(0)));
    rig.peer.send(rig.fields(3, [...OK, ['x-new', 'entry']], END));
    expect([answer.events, next.events]).toEqual([[], ['200', 'end']]);
  });

  test.each([
    ['RefusedStream', H2Error.RefusedStream, 'stream_refused'],
    ['Cancel', H2Error.Cancel, 'endpoint_reset'],
    ['InternalError', H2Error.InternalError, 'endpoint_reset'],
  ] as const)('of the endpoint before the head: %s', (name, error, code) => {
    const rig = new Rig();
    const { answer } = rig.ask();
    rig.peer.send(frame(FrameType.ResetStream, 0, 1, u32(error)));
    expect([answer.events, answer.detail, rig.connection.room]).toEqual([[code], name, 100]);
  });

  test('of the endpoint within the body', () => {
    const rig = new Rig();
    const { answer } = rig.ask();
    rig.peer.send(rig.fields(1, OK));
    rig.peer.send(frame(FrameType.ResetStream, 0, 1, u32(H2Error.RefusedStream)));
    expect(answer.events).toEqual(['200', 'response_truncated']);
  });

  test('GOAWAY: later streams were not looked at, earlier ones go on, new ones go elsewhere', () => {
    const rig = new Rig();
    const [first, second] = [rig.ask().answer, rig.ask().answer];
    rig.peer.send(frame(FrameType.Goaway, 0, 0, u32(1, H2Error.NoError)));
    expect([first.events, second.events, second.detail]).toEqual([[], ['endpoint_goaway'], 'GOAWAY NoError']);
    expect([rig.connection.room, rig.peer.standing]).toEqual([0, 'open']);
    rig.peer.send(rig.fields(1, OK, END));
    expect([first.events, rig.events.at(-1), rig.peer.standing]).toEqual([['200', 'end'], 'gone', 'closed']);
  });

  test('GOAWAY on an idle connection closes it', () => {
    const rig = new Rig();
    rig.peer.send(frame(FrameType.Goaway, 0, 0, u32(0x7fff_ffff, H2Error.NoError)));
    expect([rig.events, rig.peer.standing]).toEqual([['ready', 'gone'], 'closed']);
  });

  test('of the connection: nothing came since the request, something did, or the head did', () => {
    const rig = new Rig();
    const fresh = rig.ask().answer;
    rig.peer.reset();
    expect([fresh.events, rig.events]).toEqual([['endpoint_reset'], ['ready', 'gone']]);

    const used = new Rig();
    used.ask();
    used.peer.send(used.fields(1, OK, END));
    const [early, begun] = [used.ask().answer, used.ask().answer];
    used.peer.send(used.fields(5, OK));
    const late = used.ask().answer;
    used.peer.fin();
    expect([early.events, begun.events, late.events]).toEqual([
      ['endpoint_closed'],
      ['200', 'response_truncated'],
      ['endpoint_stale'],
    ]);
  });

  test('time: a response that does not come is given up, and the endpoint asked whether it is there', () => {
    const rig = new Rig({ idle: 60_000 });
    const { answer } = rig.ask();
    rig.frames();
    time.advance(30_000 + TICK_MS);
    expect(answer.events).toEqual(['response_timeout']);
    expect(rig.frames()).toEqual(['Ping', 'ResetStream 1 Cancel']);
    expect(rig.connection.room).toBe(0);
    rig.peer.send(frame(FrameType.Ping, Flag.Ack, 0, 'pointsmn'));
    expect(rig.connection.room).toBe(100);
    const second = rig.ask().answer;
    time.advance(30_000 + TICK_MS);
    expect(second.events).toEqual(['response_timeout']);
    const third = rig.events.length;
    time.advance(5000 + TICK_MS);
    expect([rig.events.slice(third).at(-1), rig.peer.standing]).toEqual(['gone', 'reset']);
  });

  test('silence: with an interval the endpoint is asked without a reason', () => {
    const rig = new Rig({ idle: 1_000_000, pingInterval: 10_000 });
    rig.peer.send(frame(FrameType.Ping, 0, 0, '12345678'));
    expect(rig.frames()).toEqual(['Ping ack']);
    time.advance(10_000 + TICK_MS);
    expect(rig.frames()).toEqual(['Ping']);
    time.advance(5000 + TICK_MS);
    expect([rig.events.at(-1), rig.peer.standing]).toEqual(['gone', 'reset']);
  });

  test('ours in good order: the last one closes the connection', () => {
    const rig = new Rig();
    const { answer } = rig.ask();
    runTurn(() => rig.connection.drain());
    expect([rig.connection.room, rig.peer.standing]).toEqual([0, 'open']);
    rig.peer.send(rig.fields(1, OK, END));
    expect([answer.events, rig.peer.standing]).toEqual([['200', 'end'], 'closed']);
    expect(rig.frames().at(-1)).toBe('Goaway 0 NoError');
  });

  test('of an unhealthy endpoint: only what it has not begun to answer', () => {
    const rig = new Rig();
    const [silent, begun] = [rig.ask().answer, rig.ask().answer];
    rig.peer.send(rig.fields(3, OK));
    runTurn(() => rig.connection.failUnanswered('endpoint_unhealthy', ''));
    expect([silent.events, begun.events]).toEqual([['endpoint_unhealthy'], ['200']]);
  });
});

describe('what still comes on a stream that was reset', () => {
  function aborted(): Rig {
    const rig = new Rig();
    const { stream } = rig.ask();
    runTurn(() => stream.abort());
    rig.ask();
    rig.frames();
    return rig;
  }

  test('is taken as far as the endpoint may have sent it before it knew', () => {
    const rig = aborted();
    for (let count = 0; count < 16; count++) rig.peer.send(rig.fields(1, [[':status', '103']]));
    rig.peer.send(rig.fields(1, OK));
    for (let bytes = 0; bytes < STREAM_WINDOW; bytes += 16_384)
      rig.peer.send(rig.data(1, 'x'.repeat(16_384)));
    rig.peer.send(rig.fields(1, [['x-trailer', 'y']], END));
    expect([rig.events.at(-1), rig.peer.standing]).toEqual(['room', 'open']);
  });

  test.each<[what: string, send: (rig: Rig) => void, error: string]>([
    ['heads', (rig) => rig.peer.send(rig.fields(1, [[':status', '103']])), 'EnhanceYourCalm'],
    ['content', (rig) => rig.peer.send(rig.data(1, 'x'.repeat(16_384))), 'FlowControlError'],
  ])('%s without end are the end of the connection', (_what, send, error) => {
    const rig = aborted();
    for (let count = 0; count < 40 && rig.peer.standing === 'open'; count++) send(rig);
    expect(rig.peer.standing).toBe('closed');
    expect([rig.events.at(-1), rig.frames().at(-1)]).toEqual(['gone', expect.stringContaining(error)]);
  });
});

describe('an endpoint that breaks the rules of a response loses the stream', () => {
  const length = (value: string): List => [...OK, ['content-length', value]];
  const cases: readonly [what: string, frames: (rig: Rig) => Buffer[], failure: string, reset?: string][] = [
    ['no status', (rig) => [rig.fields(1, [['a', 'b']])], 'response_malformed'],
    ['two statuses', (rig) => [rig.fields(1, [...OK, ...OK])], 'response_malformed'],
    ['a status behind fields', (rig) => [rig.fields(1, [['a', 'b'], ...OK])], 'response_malformed'],
    ['status 099', (rig) => [rig.fields(1, [[':status', '099']])], 'response_malformed'],
    ['status 600', (rig) => [rig.fields(1, [[':status', '600']])], 'response_malformed'],
    ['status 20', (rig) => [rig.fields(1, [[':status', '20']])], 'response_malformed'],
    ['status 2000', (rig) => [rig.fields(1, [[':status', '2000']])], 'response_malformed'],
    ['status abc', (rig) => [rig.fields(1, [[':status', 'abc']])], 'response_malformed'],
    ['status 101', (rig) => [rig.fields(1, [[':status', '101']])], 'response_malformed'],
    ['an interim head that ends', (rig) => [rig.fields(1, [[':status', '103']], END)], 'response_malformed'],
    ['a pseudo-field of requests', (rig) => [rig.fields(1, [...OK, [':path', '/']])], 'response_malformed'],
    ['an unknown pseudo-field', (rig) => [rig.fields(1, [...OK, [':x', 'y']])], 'response_malformed'],
    ['connection', (rig) => [rig.fields(1, [...OK, ['connection', 'close']])], 'response_malformed'],
    [
      'transfer-encoding',
      (rig) => [rig.fields(1, [...OK, ['transfer-encoding', 'chunked']])],
      'response_malformed',
    ],
    ['upgrade', (rig) => [rig.fields(1, [...OK, ['upgrade', 'x']])], 'response_malformed'],
    ['a line break in a value', (rig) => [rig.fields(1, [...OK, ['a', 'b\r\nc: d']])], 'response_malformed'],
    ['a blank in a name', (rig) => [rig.fields(1, [...OK, ['a b', 'c']])], 'response_malformed'],
    ['two lengths', (rig) => [rig.fields(1, [...length('1'), ['content-length', '1']])], 'response_framing'],
    ['a length that is none', (rig) => [rig.fields(1, length('+1'))], 'response_framing'],
    ['a length without a body', (rig) => [rig.fields(1, length('1'), END)], 'response_framing'],
    ['a body without a head', (rig) => [rig.data(1, 'x')], 'response_malformed'],
    [
      'too many lines',
      (rig) => [rig.fields(1, [...OK, ...Array.from({ length: 201 }, () => ['a', 'b'] as const)])],
      'response_head_too_large',
    ],
    [
      'too many bytes',
      (rig) => [
        rig.fields(1, [...OK, ...Array.from({ length: 40 }, () => ['a', 'b'.repeat(1800)] as const)]),
      ],
      'response_head_too_large',
    ],
    [
      'interim heads without end',
      (rig) => Array.from({ length: 17 }, () => rig.fields(1, [[':status', '103']])),
      'response_malformed',
      'EnhanceYourCalm',
    ],
    [
      'a body longer than its length',
      (rig) => [rig.fields(1, length('1')), rig.data(1, 'xy')],
      'response_body_malformed',
    ],
    [
      'a body shorter than its length',
      (rig) => [rig.fields(1, length('3')), rig.data(1, 'xy', END)],
      'response_truncated',
    ],
    [
      'fields within the body',
      (rig) => [rig.fields(1, OK), rig.data(1, 'x'), rig.fields(1, [['a', 'b']])],
      'response_malformed',
    ],
    [
      'a pseudo-field in trailers',
      (rig) => [rig.fields(1, OK), rig.fields(1, OK, END)],
      'response_malformed',
    ],
    [
      'more than the window',
      (rig) => [rig.fields(1, OK), ...Array.from({ length: 5 }, () => rig.data(1, 'x'.repeat(16_000)))],
      'endpoint_protocol',
      'FlowControlError',
    ],
    ['WINDOW_UPDATE of 0', () => [frame(FrameType.WindowUpdate, 0, 1, u32(0))], 'endpoint_protocol'],
    [
      'a window beyond 2^31',
      () => [frame(FrameType.WindowUpdate, 0, 1, u32(0x7fff_ffff))],
      'endpoint_protocol',
      'FlowControlError',
    ],
  ];
  test.each(cases)('%s', (what, frames, failure, reset = 'ProtocolError') => {
    const rig = new Rig();
    const { stream, answer } = rig.ask();
    const bystander = rig.ask().answer;
    rig.frames();
    if (what === 'more than the window') runTurn(() => stream.pauseResponse());
    rig.peer.send(Buffer.concat(frames(rig)));
    expect([answer.events.at(-1), rig.frames().at(-1)]).toEqual([failure, `ResetStream 1 ${reset}`] as never);
    rig.peer.send(rig.fields(3, OK, END));
    expect(bystander.events).toEqual(['200', 'end']);
  });
});

describe('an endpoint that breaks the rules of the connection loses it', () => {
  const cases: readonly [what: string, frames: Buffer[], error: string][] = [
    ['a push', [frame(FrameType.PushPromise, 4, 1, u32(2))], 'ProtocolError'],
    ['a stream that was not opened', [frame(FrameType.Data, 0, 5, 'x')], 'ProtocolError'],
    ['a stream of its own', [frame(FrameType.Headers, 4, 2, 'x')], 'ProtocolError'],
    ['a reset of what was not opened', [frame(FrameType.ResetStream, 0, 7, u32(0))], 'ProtocolError'],
    ['a field block that cannot be decoded', [frame(FrameType.Headers, 4, 1, '\xff')], 'CompressionError'],
    ['a frame too large', [frame(FrameType.Data, 0, 1, '', 16_385)], 'FrameSizeError'],
    ['ENABLE_PUSH', [settings([Setting.EnablePush, 1])], 'ProtocolError'],
    ['a window of 2^31', [settings([Setting.InitialWindowSize, 0x8000_0000])], 'FlowControlError'],
    ['frames of 2^24', [settings([Setting.MaxFrameSize, 0x100_0000])], 'ProtocolError'],
    ['frames of 100 bytes', [settings([Setting.MaxFrameSize, 100])], 'ProtocolError'],
    ['extended CONNECT of 2', [settings([Setting.EnableConnectProtocol, 2])], 'ProtocolError'],
    ['the window of the connection by 0', [frame(FrameType.WindowUpdate, 0, 0, u32(0))], 'ProtocolError'],
    [
      'the window of the connection beyond 2^31',
      [frame(FrameType.WindowUpdate, 0, 0, u32(0x7fff_ffff))],
      'FlowControlError',
    ],
    [
      'PING without end',
      Array.from({ length: 1100 }, () => frame(FrameType.Ping, 0, 0, '12345678')),
      'EnhanceYourCalm',
    ],
    ['SETTINGS without end', Array.from({ length: 1100 }, () => settings()), 'EnhanceYourCalm'],
    [
      'empty DATA without end',
      Array.from({ length: 1100 }, () => frame(FrameType.Data, 0, 1)),
      'EnhanceYourCalm',
    ],
    [
      'PRIORITY without end',
      Array.from({ length: 1100 }, () => frame(FrameType.Priority, 0, 1, '12345')),
      'EnhanceYourCalm',
    ],
    ['unknown frames without end', Array.from({ length: 1100 }, () => frame(99, 0, 0)), 'EnhanceYourCalm'],
    [
      'windows without end',
      Array.from({ length: 1100 }, () => frame(FrameType.WindowUpdate, 0, 1, u32(1))),
      'EnhanceYourCalm',
    ],
    [
      'CONTINUATION without end',
      [
        frame(FrameType.Headers, 0, 1, 'x'),
        ...Array.from({ length: 20 }, () => frame(FrameType.Continuation, 0, 1, 'x')),
      ],
      'EnhanceYourCalm',
    ],
  ];
  test.each(cases)('%s', (_what, frames, error) => {
    const rig = new Rig();
    const first = rig.ask(post('Transfer-Encoding: chunked')).answer;
    const second = rig.ask().answer;
    if (frames[0]![3] === FrameType.Data && frames.length > 1) rig.peer.send(rig.fields(1, OK));
    rig.peer.send(Buffer.concat(frames));
    expect(rig.frames().at(-1)).toBe(`Goaway 0 ${error}`);
    expect([first.events.at(-1), second.events.at(-1)]).toEqual(['endpoint_protocol', 'endpoint_protocol']);
    expect([rig.events.at(-1), rig.peer.standing]).toEqual(['gone', 'closed']);
  });
});
