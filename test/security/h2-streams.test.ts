import { Flag, FrameType, H2Error } from '../../src/http/h2-protocol.ts';
import { data, headers, literals, request } from '../support/h2-client.ts';
import { frame, u32 } from '../support/h2-frames.ts';
import { describeH2, forwarded, goaway, type H2Case, reset } from './h2-suite.ts';

const POST1 = headers(1, request('POST'), Flag.None);
const RST1 = frame(FrameType.ResetStream, 0, 1, u32(H2Error.Cancel));

/** RFC 9113 sections 5 and 8.1: frames in states where they have no business. */
const cases: H2Case[] = [
  { name: 'DATA on an idle stream', send: [data(1, 'x')], expected: goaway('ProtocolError') },
  { name: 'DATA on an even stream', send: [data(2, 'x')], expected: goaway('ProtocolError') },
  {
    name: 'DATA behind the end of the request',
    send: [headers(1, request('PUT')), data(1, 'x')],
    expected: reset(1, 'StreamClosed'),
  },
  {
    name: 'HEADERS behind the end of the request',
    send: [headers(1, request('PUT')), headers(1, request())],
    expected: reset(1, 'StreamClosed'),
  },
  {
    name: 'DATA behind DATA with END_STREAM',
    send: [POST1, data(1, 'x', true), data(1, 'y', true)],
    expected: reset(1, 'StreamClosed'),
  },
  {
    name: 'trailers behind the end',
    send: [POST1, data(1, 'x', true), headers(1, [['x-t', 'y']])],
    expected: reset(1, 'StreamClosed'),
  },
  {
    name: 'DATA on a stream that the client has reset',
    send: [POST1, RST1, data(1, 'x')],
    expected: goaway('StreamClosed'),
  },
  {
    name: 'HEADERS on a stream that the client has reset',
    send: [POST1, RST1, headers(1, request())],
    expected: goaway('StreamClosed', 'ProtocolError'),
  },
  {
    name: 'a stream id lower than one before',
    send: [headers(5, request('POST'), Flag.None), headers(3, request())],
    expected: goaway('ProtocolError', 'StreamClosed'),
  },
  {
    name: 'RST_STREAM and WINDOW_UPDATE on a stream that is closed',
    send: [POST1, RST1, RST1, frame(FrameType.WindowUpdate, 0, 1, u32(1)), headers(3, request())],
    expected: forwarded(3),
  },
  { name: 'ids that leave some out', send: [headers(101, request())], expected: forwarded(101) },
  {
    name: 'DATA and trailers on a stream that was reset by us',
    send: [
      headers(1, request('POST', 'x'), Flag.None),
      data(1, 'x'),
      headers(1, [['x-t', 'y']]),
      headers(3, request()),
    ],
    expected: forwarded(3),
  },
  {
    name: 'a second HEADERS without END_STREAM',
    send: [POST1, headers(1, [['x-t', 'y']], Flag.None)],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'a pseudo-field in trailers',
    send: [POST1, data(1, 'x'), headers(1, [[':path', '/']])],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'a name in upper case in trailers',
    send: [POST1, data(1, 'x'), headers(1, [['X-T', 'y']])],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'connection-specific fields in trailers',
    send: [POST1, data(1, 'x'), headers(1, [['transfer-encoding', 'chunked']])],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'trailers',
    send: [POST1, data(1, 'abc'), headers(1, [['x-t', 'y']])],
    expected: forwarded(1, 'POST / 3'),
  },
  {
    name: 'an empty block of trailers',
    send: [POST1, data(1, 'abc'), headers(1, [])],
    expected: forwarded(1, 'POST / 3'),
  },
  {
    name: 'Content-Length and less DATA',
    send: [headers(1, request('POST', '/', [['content-length', '5']]), Flag.None), data(1, 'abcd', true)],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'Content-Length and more DATA',
    send: [headers(1, request('POST', '/', [['content-length', '5']]), Flag.None), data(1, 'abcdef', true)],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'Content-Length and more DATA, later',
    send: [
      headers(1, request('POST', '/', [['content-length', '5']]), Flag.None),
      data(1, 'abcde'),
      data(1, 'f', true),
    ],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'Content-Length and END_STREAM',
    send: [headers(1, request('POST', '/', [['content-length', '5']]))],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'Content-Length and trailers before its end',
    send: [
      headers(1, request('POST', '/', [['content-length', '5']]), Flag.None),
      data(1, 'abc'),
      headers(1, [['x-t', 'y']]),
    ],
    expected: reset(1, 'ProtocolError'),
  },
  {
    name: 'Content-Length that is right',
    send: [
      headers(1, request('POST', '/', [['content-length', '5']]), Flag.None),
      data(1, 'ab'),
      data(1, 'cde', true),
    ],
    expected: forwarded(1, 'POST / 5'),
  },
  {
    name: 'Content-Length of 0 and an empty DATA',
    send: [headers(1, request('POST', '/', [['content-length', '0']]), Flag.None), data(1, '', true)],
    expected: forwarded(1, 'POST / 0'),
  },
  {
    name: 'GET with a body',
    send: [headers(1, request('GET'), Flag.None), data(1, 'abc', true)],
    expected: forwarded(1, 'GET / 3'),
  },
  {
    name: 'HEAD with a body',
    send: [headers(1, request('DELETE'), Flag.None), data(1, 'abc', true)],
    expected: forwarded(1, 'DELETE / 3'),
  },
  {
    name: 'a block that does not decode: an index of 0',
    send: [frame(FrameType.Headers, 5, 1, '\x80')],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode: an index that is not there',
    send: [frame(FrameType.Headers, 5, 1, '\xff\x80\x01')],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode: an integer without end',
    send: [frame(FrameType.Headers, 5, 1, `\xff${'\xff'.repeat(20)}`)],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode: a string beyond its end',
    send: [frame(FrameType.Headers, 5, 1, '\x00\x05ab')],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode: Huffman with EOS',
    send: [frame(FrameType.Headers, 5, 1, '\x00\x84\xff\xff\xff\xff\x01a')],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode: Huffman with too much padding',
    send: [frame(FrameType.Headers, 5, 1, '\x00\x82\x1f\xff\x01a')],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode: a table larger than allowed',
    send: [
      frame(FrameType.Headers, 5, 1, Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), literals(request())])),
    ],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode: a change of the table behind a field',
    send: [frame(FrameType.Headers, 5, 1, Buffer.concat([literals(request()), Buffer.from([0x20])]))],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode, of trailers',
    send: [POST1, frame(FrameType.Headers, 5, 1, '\x80')],
    expected: goaway('CompressionError'),
  },
  {
    name: 'a block that does not decode, of a refused stream',
    send: [POST1, RST1, headers(3, request('POST', 'x'), Flag.None), frame(FrameType.Headers, 5, 3, '\x80')],
    expected: goaway('CompressionError'),
  },
  { name: 'an empty block', send: [frame(FrameType.Headers, 5, 1)], expected: reset(1, 'ProtocolError') },
];

describeH2('streams over HTTP/2', cases);
