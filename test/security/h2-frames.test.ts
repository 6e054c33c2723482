import { Flag, FrameType, PREFACE } from '../../src/http/h2-protocol.ts';
import { data, headers, HELLO, request } from '../support/h2-client.ts';
import { frame, settings, u32 } from '../support/h2-frames.ts';
import { describeH2, forwarded, goaway, ignored, type H2Case, reset } from './h2-suite.ts';

const GET1 = headers(1, request());
const POST1 = headers(1, request('POST'), Flag.None);
const BLOCK = headers(1, request()).subarray(9);

/** RFC 9113 sections 3.4, 4 and 6: what a frame alone can get wrong. */
const cases: H2Case[] = [
  {
    name: 'a preface that is none',
    send: [Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), settings()],
    expected: goaway('ProtocolError'),
    raw: true,
  },
  { name: 'a preface without SETTINGS', send: [PREFACE, GET1], expected: goaway('ProtocolError'), raw: true },
  {
    name: 'a preface with an acknowledgement',
    send: [PREFACE, frame(FrameType.Settings, Flag.Ack, 0)],
    expected: goaway('ProtocolError'),
    raw: true,
  },
  {
    name: 'HTTP/1.1 behind the preface',
    send: [PREFACE, Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    expected: goaway('FrameSizeError', 'ProtocolError'),
    raw: true,
  },
  {
    name: 'a second preface',
    send: [HELLO, PREFACE],
    expected: goaway('FrameSizeError', 'ProtocolError'),
    raw: true,
  },
  { name: 'DATA on stream 0', send: [data(0, 'x')], expected: goaway('ProtocolError') },
  {
    name: 'DATA with as much padding as frame',
    send: [POST1, frame(FrameType.Data, Flag.Padded, 1, '\x05abcd')],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'DATA with padding',
    send: [POST1, frame(FrameType.Data, Flag.Padded | Flag.EndStream, 1, '\x03abc\0\0\0')],
    expected: forwarded(1, 'POST / 3'),
  },
  {
    name: 'DATA of nothing but padding',
    send: [POST1, frame(FrameType.Data, Flag.Padded | Flag.EndStream, 1, '\x02\0\0')],
    expected: forwarded(1, 'POST / 0'),
  },
  {
    name: 'DATA in a frame that is too large',
    send: [POST1, data(1, 'x'.repeat(16_385))],
    expected: goaway('FrameSizeError'),
  },
  {
    name: 'DATA in the largest frame',
    send: [POST1, data(1, 'x'.repeat(16_384), true)],
    expected: forwarded(1, 'POST / 16384'),
  },
  {
    name: 'HEADERS in a frame that is too large',
    send: [frame(FrameType.Headers, 5, 1, 'x'.repeat(16_385))],
    expected: goaway('FrameSizeError'),
  },
  { name: 'HEADERS on stream 0', send: [headers(0, request())], expected: goaway('ProtocolError') },
  { name: 'HEADERS on an even stream', send: [headers(2, request())], expected: goaway('ProtocolError') },
  {
    name: 'HEADERS with padding',
    send: [
      frame(FrameType.Headers, 5 | Flag.Padded, 1, Buffer.concat([Buffer.from([4]), BLOCK, Buffer.alloc(4)])),
    ],
    expected: forwarded(1),
  },
  {
    name: 'HEADERS with too much padding',
    send: [frame(FrameType.Headers, 5 | Flag.Padded, 1, '\x08abcdefg')],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'HEADERS with a priority',
    send: [
      frame(FrameType.Headers, 5 | Flag.Priority, 1, Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), BLOCK])),
    ],
    expected: forwarded(1),
  },
  {
    name: 'HEADERS too short for its priority',
    send: [frame(FrameType.Headers, 5 | Flag.Priority, 1, 'abc')],
    expected: goaway('ProtocolError', 'FrameSizeError'),
  },
  {
    name: 'HEADERS that depend on themselves',
    send: [
      frame(FrameType.Headers, 5 | Flag.Priority, 1, Buffer.concat([Buffer.from([0, 0, 0, 1, 9]), BLOCK])),
    ],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'HEADERS with unknown flags',
    send: [frame(FrameType.Headers, 5 | 0x50, 1, BLOCK)],
    expected: forwarded(1),
  },
  {
    name: 'the reserved bit of a stream id',
    send: [frame(FrameType.Headers, 5, 0x8000_0001, BLOCK)],
    expected: forwarded(1),
  },
  {
    name: 'PRIORITY on stream 0',
    send: [frame(FrameType.Priority, 0, 0, '\0\0\0\x01\x05')],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'PRIORITY of another size',
    send: [frame(FrameType.Priority, 0, 1, '\0\0\0\x03')],
    expected: goaway('FrameSizeError'),
  },
  {
    name: 'PRIORITY on itself',
    send: [frame(FrameType.Priority, 0, 3, '\0\0\0\x03\x05')],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'PRIORITY of streams that are idle, open and closed',
    send: [
      frame(FrameType.Priority, 0, 99, '\0\0\0\x03\x05'),
      frame(FrameType.Priority, 0, 1, '\0\0\0\x03\x05'),
      GET1,
      frame(FrameType.Priority, 0, 1, '\0\0\0\x05\x05'),
    ],
    expected: forwarded(1),
  },
  {
    name: 'PRIORITY_UPDATE (RFC 9218)',
    send: [frame(16, 0, 0, Buffer.concat([u32(1), Buffer.from('u=1, i')])), GET1],
    expected: forwarded(1),
  },
  {
    name: 'RST_STREAM on stream 0',
    send: [frame(FrameType.ResetStream, 0, 0, u32(8))],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'RST_STREAM of another size',
    send: [POST1, frame(FrameType.ResetStream, 0, 1, 'abc')],
    expected: goaway('FrameSizeError'),
  },
  {
    name: 'RST_STREAM on an idle stream',
    send: [frame(FrameType.ResetStream, 0, 5, u32(8))],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'RST_STREAM on an even stream',
    send: [frame(FrameType.ResetStream, 0, 2, u32(8))],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'SETTINGS on a stream',
    send: [frame(FrameType.Settings, 0, 1)],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'SETTINGS that are no list',
    send: [frame(FrameType.Settings, 0, 0, '12345')],
    expected: goaway('FrameSizeError'),
  },
  {
    name: 'SETTINGS ACK with values',
    send: [frame(FrameType.Settings, Flag.Ack, 0, '123456')],
    expected: goaway('FrameSizeError'),
  },
  { name: 'SETTINGS_ENABLE_PUSH of 2', send: [settings([2, 2])], expected: goaway('ProtocolError') },
  {
    name: 'SETTINGS_INITIAL_WINDOW_SIZE of 2^31',
    send: [settings([4, 0x8000_0000])],
    expected: goaway('FlowControlError'),
  },
  {
    name: 'SETTINGS_MAX_FRAME_SIZE of 16383',
    send: [settings([5, 16_383])],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'SETTINGS_MAX_FRAME_SIZE of 2^24',
    send: [settings([5, 0x100_0000])],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'settings that nobody knows',
    send: [settings([0xff, 1], [0, 0], [0x1234, 0xffff_ffff]), GET1],
    expected: forwarded(1),
  },
  {
    name: 'settings in one frame, the last one counts',
    send: [settings([4, 1], [4, 65_535], [3, 0], [6, 1]), GET1],
    expected: forwarded(1),
  },
  {
    name: 'SETTINGS_HEADER_TABLE_SIZE of 0 and of 4 GiB',
    send: [settings([1, 0]), settings([1, 0xffff_ffff]), GET1],
    expected: forwarded(1),
  },
  {
    name: 'an acknowledgement of nothing',
    send: [frame(FrameType.Settings, Flag.Ack, 0), GET1],
    expected: forwarded(1),
  },
  {
    name: 'PUSH_PROMISE',
    send: [frame(FrameType.PushPromise, 4, 1, Buffer.concat([u32(2), BLOCK]))],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'PING on a stream',
    send: [frame(FrameType.Ping, 0, 1, '12345678')],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'PING of another size',
    send: [frame(FrameType.Ping, 0, 0, '1234567')],
    expected: goaway('FrameSizeError'),
  },
  {
    name: 'PING with an acknowledgement that nobody waits for',
    send: [frame(FrameType.Ping, Flag.Ack, 0, '12345678'), frame(FrameType.Ping, Flag.Ack, 0, 'draining')],
    expected: ignored,
  },
  {
    name: 'GOAWAY on a stream',
    send: [frame(FrameType.Goaway, 0, 1, u32(0, 0))],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'GOAWAY that is too short',
    send: [frame(FrameType.Goaway, 0, 0, u32(0))],
    expected: goaway('FrameSizeError'),
  },
  {
    name: 'WINDOW_UPDATE of another size',
    send: [frame(FrameType.WindowUpdate, 0, 0, 'abc')],
    expected: goaway('FrameSizeError'),
  },
  {
    name: 'WINDOW_UPDATE by 0 on the connection',
    send: [frame(FrameType.WindowUpdate, 0, 0, u32(0))],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'WINDOW_UPDATE by 0 on a stream',
    send: [POST1, frame(FrameType.WindowUpdate, 0, 1, u32(0))],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'WINDOW_UPDATE beyond 2^31-1 on the connection',
    send: [frame(FrameType.WindowUpdate, 0, 0, u32(0x7fff_ffff))],
    expected: goaway('FlowControlError'),
  },
  {
    name: 'WINDOW_UPDATE beyond 2^31-1 on a stream',
    send: [POST1, frame(FrameType.WindowUpdate, 0, 1, u32(0x7fff_ffff))],
    expected: reset(1, 'FlowControlError'),
  },
  {
    name: 'WINDOW_UPDATE beyond 2^31-1 in two steps',
    send: [
      POST1,
      frame(FrameType.WindowUpdate, 0, 1, u32(0x7fff_0000)),
      frame(FrameType.WindowUpdate, 0, 1, u32(1)),
    ],
    expected: reset(1, 'FlowControlError'),
  },
  {
    name: 'WINDOW_UPDATE on an idle stream',
    send: [frame(FrameType.WindowUpdate, 0, 7, u32(1))],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'a window that SETTINGS make too large',
    send: [POST1, frame(FrameType.WindowUpdate, 0, 1, u32(0x7fff_0000)), settings([4, 0x7fff_ffff])],
    expected: goaway('FlowControlError'),
  },
  {
    name: 'CONTINUATION without HEADERS',
    send: [frame(FrameType.Continuation, 4, 1, BLOCK)],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'CONTINUATION behind a whole block',
    send: [GET1, frame(FrameType.Continuation, 4, 1, BLOCK)],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'CONTINUATION on stream 0',
    send: [frame(FrameType.Headers, 1, 1, BLOCK), frame(FrameType.Continuation, 4, 0)],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'CONTINUATION of another stream',
    send: [frame(FrameType.Headers, 1, 1, BLOCK), frame(FrameType.Continuation, 4, 3)],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'PING within a field block',
    send: [frame(FrameType.Headers, 1, 1, BLOCK), frame(FrameType.Ping, 0, 0, '12345678')],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'DATA within a field block',
    send: [frame(FrameType.Headers, 1, 1, BLOCK), data(1, 'x')],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'an unknown frame within a field block',
    send: [frame(FrameType.Headers, 1, 1, BLOCK), frame(99, 0, 1)],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'HEADERS within a field block',
    send: [frame(FrameType.Headers, 1, 1, BLOCK), headers(1, request())],
    expected: goaway('ProtocolError'),
  },
  {
    name: 'a field block in ten pieces',
    send: [
      frame(FrameType.Headers, 1, 1, BLOCK.subarray(0, 9)),
      ...Array.from({ length: 9 }, (_, at) =>
        frame(
          FrameType.Continuation,
          at === 8 ? 4 : 0,
          1,
          at === 8 ? BLOCK.subarray(17) : BLOCK.subarray(9 + at, 10 + at),
        ),
      ),
    ],
    expected: forwarded(1),
  },
  {
    name: 'frames of types that nobody knows',
    send: [frame(11, 255, 0, 'x'), frame(255, 255, 77, 'y'.repeat(1000)), GET1],
    expected: forwarded(1),
  },
];

describeH2('frames over HTTP/2', cases);
