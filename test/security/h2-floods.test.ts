import { Flag, FrameType, H2Error } from '../../src/http/h2-protocol.ts';
import { data, headers, request } from '../support/h2-client.ts';
import { frame, settings, u32 } from '../support/h2-frames.ts';
import { describeH2, goaway, type H2Case } from './h2-suite.ts';

const CALM = goaway('EnhanceYourCalm');
const POST1 = headers(1, request('POST'), Flag.None);
const BLOCK = headers(1, request()).subarray(9);

function times(count: number, make: (index: number) => Uint8Array): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function id(index: number): number {
  return index * 2 + 1;
}

/** Known attacks: CVE-2019-9511 to -9518, CVE-2023-44487, CVE-2024-27316, CVE-2016-6581, CVE-2025-8671. */
const cases: H2Case[] = [
  {
    name: 'rapid reset',
    send: times(2000, (index) =>
      Buffer.concat([
        headers(id(index), request()),
        frame(FrameType.ResetStream, 0, id(index), u32(H2Error.Cancel)),
      ]),
    ),
    expected: CALM,
  },
  {
    name: 'rapid reset of requests with bodies',
    send: times(2000, (index) =>
      Buffer.concat([
        headers(id(index), request('POST'), Flag.None),
        frame(FrameType.ResetStream, 0, id(index), u32(H2Error.Cancel)),
      ]),
    ),
    expected: CALM,
  },
  {
    name: 'resets made by us: windows of 0 (MadeYouReset)',
    send: times(2000, (index) =>
      Buffer.concat([
        headers(id(index), request('POST'), Flag.None),
        frame(FrameType.WindowUpdate, 0, id(index), u32(0)),
      ]),
    ),
    expected: CALM,
  },
  {
    name: 'resets made by us: windows too large',
    send: times(2000, (index) =>
      Buffer.concat([
        headers(id(index), request('POST'), Flag.None),
        frame(FrameType.WindowUpdate, 0, id(index), u32(0x7fff_ffff)),
      ]),
    ),
    expected: CALM,
  },
  {
    name: 'resets made by us: DATA behind the end',
    send: times(2000, (index) => Buffer.concat([headers(id(index), request()), data(id(index), 'x')])),
    expected: CALM,
  },
  {
    name: 'resets made by us: malformed requests',
    send: times(2000, (index) => headers(id(index), request('GET', 'x'))),
    expected: CALM,
  },
  {
    name: 'resets made by us: wrong lengths',
    send: times(2000, (index) =>
      Buffer.concat([
        headers(id(index), request('POST', '/', [['content-length', '1']]), Flag.None),
        data(id(index), 'xx'),
      ]),
    ),
    expected: CALM,
  },
  {
    name: 'more streams than allowed, again and again',
    send: times(2000, (index) => headers(id(index), request('POST'), Flag.None)),
    expected: CALM,
  },
  {
    name: 'CONTINUATION without end',
    send: [
      frame(FrameType.Headers, 1, 1, BLOCK),
      ...times(10_000, () => frame(FrameType.Continuation, 0, 1, 'x'.repeat(100))),
    ],
    expected: CALM,
  },
  {
    name: 'CONTINUATION of nothing',
    send: [
      frame(FrameType.Headers, 1, 1, BLOCK),
      ...times(10_000, () => frame(FrameType.Continuation, 0, 1)),
    ],
    expected: CALM,
  },
  {
    name: 'CONTINUATION of large pieces',
    send: [
      frame(FrameType.Headers, 1, 1, BLOCK),
      ...times(20, () => frame(FrameType.Continuation, 0, 1, 'x'.repeat(16_384))),
    ],
    expected: CALM,
  },
  { name: 'PING', send: times(20_000, () => frame(FrameType.Ping, 0, 0, '12345678')), expected: CALM },
  {
    name: 'acknowledgements of PING',
    send: times(20_000, () => frame(FrameType.Ping, Flag.Ack, 0, '12345678')),
    expected: CALM,
  },
  { name: 'SETTINGS', send: times(20_000, () => settings([4, 65_535])), expected: CALM },
  { name: 'empty SETTINGS', send: times(20_000, () => settings()), expected: CALM },
  {
    name: 'acknowledgements of SETTINGS',
    send: times(20_000, () => frame(FrameType.Settings, Flag.Ack, 0)),
    expected: CALM,
  },
  {
    name: 'SETTINGS that move the windows of many streams',
    send: [
      ...times(90, (index) => headers(id(index), request('POST'), Flag.None)),
      ...times(20_000, (index) => settings([4, index % 2])),
    ],
    expected: CALM,
  },
  {
    name: 'PRIORITY',
    send: times(20_000, (index) =>
      frame(FrameType.Priority, 0, id(index % 100), u32(id(index % 100) + 200).toString('latin1') + '\x01'),
    ),
    expected: CALM,
  },
  {
    name: 'WINDOW_UPDATE of the connection',
    send: times(20_000, () => frame(FrameType.WindowUpdate, 0, 0, u32(1))),
    expected: CALM,
  },
  {
    name: 'WINDOW_UPDATE of a stream',
    send: [POST1, ...times(20_000, () => frame(FrameType.WindowUpdate, 0, 1, u32(1)))],
    expected: CALM,
  },
  {
    name: 'WINDOW_UPDATE of a closed stream',
    send: [
      POST1,
      frame(FrameType.ResetStream, 0, 1, u32(8)),
      ...times(20_000, () => frame(FrameType.WindowUpdate, 0, 1, u32(1))),
    ],
    expected: CALM,
  },
  {
    name: 'RST_STREAM of a closed stream',
    send: [POST1, ...times(20_000, () => frame(FrameType.ResetStream, 0, 1, u32(8)))],
    expected: CALM,
  },
  { name: 'empty DATA', send: [POST1, ...times(20_000, () => data(1, ''))], expected: CALM },
  {
    name: 'DATA of nothing but padding',
    send: [POST1, ...times(20_000, () => frame(FrameType.Data, Flag.Padded, 1, '\x04\0\0\0\0'))],
    expected: CALM,
  },
  { name: 'DATA byte by byte', send: [POST1, ...times(40_000, () => data(1, 'x'))], expected: CALM },
  { name: 'frames of unknown types', send: times(20_000, () => frame(77, 0, 0, 'x')), expected: CALM },
  { name: 'GOAWAY', send: times(20_000, () => frame(FrameType.Goaway, 0, 0, u32(0, 0))), expected: CALM },
  {
    // One field of 4000 bytes in the table, repeated 16 000 times: 64 MB from 20 KB.
    name: 'a field list that unpacks without end',
    send: [
      headers(
        1,
        Buffer.concat([BLOCK, Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 'b')]),
      ),
      frame(
        FrameType.Headers,
        Flag.EndHeaders | Flag.EndStream,
        3,
        Buffer.concat([BLOCK, Buffer.alloc(16_000, 0xbe)]),
      ),
    ],
    expected: CALM,
  },
];

describeH2('floods over HTTP/2', cases);
