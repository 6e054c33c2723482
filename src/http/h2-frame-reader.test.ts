import { describe, expect, test } from 'bun:test';
import { array, assert, integer, property } from 'fast-check';

import { frame, settings, u32 } from '../../test/support/h2-frames.ts';
import { FrameReader } from './h2-frame-reader.ts';
import type { FrameSink } from './h2-frame-sink.ts';
import { Flag, FrameType, H2Error, MIN_MAX_FRAME, Setting } from './h2-protocol.ts';

/** Writes down what it is told; pieces of one DATA frame are joined. */
class Recorder implements FrameSink {
  readonly events: string[] = [];
  #data = '';

  onDataFrame(stream: number, length: number, endStream: boolean): void {
    this.events.push(`data ${stream} ${length}${endStream ? ' end' : ''}`);
    this.#data = '';
  }
  onDataBytes(bytes: Buffer, start: number, end: number): void {
    expect(end).toBeGreaterThan(start);
    this.#data += bytes.latin1Slice(start, end);
  }
  onDataFrameEnd(): void {
    this.events.push(`content ${JSON.stringify(this.#data)}`);
  }
  onFieldBlock(stream: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    this.events.push(`fields ${stream}${endStream ? ' end' : ''} ${bytes.latin1Slice(start, end)}`);
  }
  onPriority(stream: number, dependency: number): void {
    this.events.push(`priority ${stream} on ${dependency}`);
  }
  onReset(stream: number, error: number): void {
    this.events.push(`reset ${stream} ${error}`);
  }
  onSetting(id: number, value: number): void {
    this.events.push(`setting ${id}=${value}`);
  }
  onSettingsEnd(): void {
    this.events.push('settings');
  }
  onSettingsAck(): void {
    this.events.push('settings ack');
  }
  onPing(ack: boolean, data: Buffer, start: number): void {
    this.events.push(`ping${ack ? ' ack' : ''} ${data.latin1Slice(start, start + 8)}`);
  }
  onGoaway(lastStream: number, error: number): void {
    this.events.push(`goaway ${lastStream} ${error}`);
  }
  onWindowUpdate(stream: number, increment: number): void {
    this.events.push(`window ${stream} +${increment}`);
  }
  onIdleFrame(): void {
    this.events.push('idle');
  }
  onFrameError(error: number, reason: string): void {
    this.events.push(`error ${error} ${reason}`);
  }
}

const LIMITS = { blockBytes: 100, continuations: 3 };

function read(...pieces: readonly Uint8Array[]): string[] {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder, MIN_MAX_FRAME, LIMITS);
  reader.read(settings());
  recorder.events.length = 0;
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    reader.read(bytes);
    // Whoever keeps a reference sees this.
    bytes.fill(0x21);
  }
  return recorder.events;
}

const EVERYTHING: readonly Buffer[] = [
  settings([Setting.EnablePush, 0], [Setting.InitialWindowSize, 4_294_967_295]),
  frame(FrameType.Settings, Flag.Ack, 0),
  frame(FrameType.Headers, Flag.EndHeaders, 1, 'abc'),
  frame(
    FrameType.Headers,
    Flag.EndHeaders | Flag.Padded | Flag.Priority | Flag.EndStream,
    3,
    '\x02\x80\0\0\x01\x10xyz\0\0',
  ),
  frame(FrameType.Headers, 0, 5, 'one '),
  frame(FrameType.Continuation, 0, 5, 'two '),
  frame(FrameType.Continuation, 0, 5, ''),
  frame(FrameType.Continuation, Flag.EndHeaders, 5, 'three'),
  frame(FrameType.Data, 0, 1, 'hello'),
  frame(FrameType.Data, Flag.Padded, 1, '\x03padded\0\0\0'),
  frame(FrameType.Data, Flag.Padded, 1, '\0'),
  frame(FrameType.Data, 0, 1, ''),
  frame(FrameType.Data, Flag.EndStream | Flag.Padded, 1, '\x01\0'),
  frame(FrameType.Priority, 0, 7, '\0\0\0\x05\xff'),
  frame(FrameType.ResetStream, 0, 5, u32(0xffff_ffff)),
  frame(FrameType.Ping, 0, 0, '12345678'),
  frame(FrameType.Ping, Flag.Ack, 0, '87654321'),
  frame(FrameType.WindowUpdate, 0, 0, u32(0xffff_ffff)),
  frame(FrameType.WindowUpdate, 0, 0x8000_0003, u32(0)),
  frame(200, 255, 9, 'whatever'),
  frame(FrameType.Goaway, 0, 0, Buffer.concat([u32(7, 11), Buffer.from('why')])),
];

const TOLD = [
  'setting 2=0',
  'setting 4=4294967295',
  'settings',
  'settings ack',
  'fields 1 abc',
  'priority 3 on 1',
  'fields 3 end xyz',
  'idle',
  'fields 5 one two three',
  'data 1 5',
  'content "hello"',
  'data 1 10',
  'content "padded"',
  'data 1 1',
  'content ""',
  'data 1 0',
  'content ""',
  'data 1 2 end',
  'content ""',
  'priority 7 on 5',
  'reset 5 4294967295',
  'ping 12345678',
  'ping ack 87654321',
  'window 0 +2147483647',
  'window 3 +0',
  'idle',
  'goaway 7 11',
];

describe('frames', () => {
  test('every type is told, in order', () => {
    expect(read(Buffer.concat(EVERYTHING))).toEqual(TOLD);
  });

  test('byte by byte they mean the same', () => {
    const bytes = Buffer.concat(EVERYTHING);
    expect(read(...Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(TOLD);
  });

  test('in any pieces they mean the same', () => {
    const bytes = Buffer.concat(EVERYTHING);
    assert(
      property(array(integer({ min: 0, max: bytes.length }), { maxLength: 40 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(read(...pieces)).toEqual(TOLD);
      }),
    );
  });

  test('nothing is read behind an error', () => {
    const bad = frame(FrameType.Ping, 0, 1, '12345678');
    const events = read(Buffer.concat([bad, bad]), frame(FrameType.Ping, 0, 0, '12345678'));
    expect(events).toEqual([`error ${H2Error.ProtocolError} PING on a stream`]);
  });

  test('a reader says whether it waits for the rest of something', () => {
    const reader = new FrameReader(new Recorder(), MIN_MAX_FRAME, LIMITS);
    reader.read(settings());
    expect(reader.incomplete).toBe(false);
    reader.read(frame(FrameType.Headers, 0, 1, 'abc'));
    expect(reader.incomplete).toBe(true);
    reader.read(frame(FrameType.Continuation, Flag.EndHeaders, 1, 'abc'));
    expect(reader.incomplete).toBe(false);
    reader.read(Buffer.from([0]));
    expect(reader.incomplete).toBe(true);
  });
});

const WRONG: readonly [what: string, bytes: Buffer, error: number][] = [
  ['a frame larger than allowed', frame(FrameType.Data, 0, 1, '', 16_385), H2Error.FrameSizeError],
  ['DATA on stream 0', frame(FrameType.Data, 0, 0, 'x'), H2Error.ProtocolError],
  [
    'DATA with as much padding as frame',
    frame(FrameType.Data, Flag.Padded, 1, '\x04abc'),
    H2Error.ProtocolError,
  ],
  ['padded DATA without pad length', frame(FrameType.Data, Flag.Padded, 1), H2Error.FrameSizeError],
  ['HEADERS on stream 0', frame(FrameType.Headers, Flag.EndHeaders, 0, 'x'), H2Error.ProtocolError],
  [
    'HEADERS with too much padding',
    frame(FrameType.Headers, Flag.EndHeaders | Flag.Padded, 1, '\x04abc'),
    H2Error.ProtocolError,
  ],
  [
    'padded HEADERS without pad length',
    frame(FrameType.Headers, Flag.EndHeaders | Flag.Padded, 1),
    H2Error.FrameSizeError,
  ],
  [
    'HEADERS without room for the priority',
    frame(FrameType.Headers, Flag.EndHeaders | Flag.Priority, 1, 'abcd'),
    H2Error.ProtocolError,
  ],
  ['PRIORITY on stream 0', frame(FrameType.Priority, 0, 0, '12345'), H2Error.ProtocolError],
  ['PRIORITY of another size', frame(FrameType.Priority, 0, 1, '1234'), H2Error.FrameSizeError],
  ['RST_STREAM on stream 0', frame(FrameType.ResetStream, 0, 0, u32(0)), H2Error.ProtocolError],
  ['RST_STREAM of another size', frame(FrameType.ResetStream, 0, 1, 'abc'), H2Error.FrameSizeError],
  ['SETTINGS on a stream', frame(FrameType.Settings, 0, 1), H2Error.ProtocolError],
  ['SETTINGS that are no list', frame(FrameType.Settings, 0, 0, '12345'), H2Error.FrameSizeError],
  ['SETTINGS ACK with values', frame(FrameType.Settings, Flag.Ack, 0, '123456'), H2Error.FrameSizeError],
  ['PUSH_PROMISE', frame(FrameType.PushPromise, Flag.EndHeaders, 1, u32(2)), H2Error.ProtocolError],
  ['PING on a stream', frame(FrameType.Ping, 0, 1, '12345678'), H2Error.ProtocolError],
  ['PING of another size', frame(FrameType.Ping, 0, 0, '1234567'), H2Error.FrameSizeError],
  ['GOAWAY on a stream', frame(FrameType.Goaway, 0, 1, u32(0, 0)), H2Error.ProtocolError],
  ['GOAWAY that is too short', frame(FrameType.Goaway, 0, 0, u32(0)), H2Error.FrameSizeError],
  ['WINDOW_UPDATE of another size', frame(FrameType.WindowUpdate, 0, 0, 'abc'), H2Error.FrameSizeError],
  ['CONTINUATION without HEADERS', frame(FrameType.Continuation, Flag.EndHeaders, 1), H2Error.ProtocolError],
  [
    'another frame within a field block',
    Buffer.concat([frame(FrameType.Headers, 0, 1), frame(FrameType.Ping, 0, 0, '12345678')]),
    H2Error.ProtocolError,
  ],
  [
    'an unknown frame within a field block',
    Buffer.concat([frame(FrameType.Headers, 0, 1), frame(99, 0, 1)]),
    H2Error.ProtocolError,
  ],
  [
    'CONTINUATION of another stream',
    Buffer.concat([frame(FrameType.Headers, 0, 1), frame(FrameType.Continuation, Flag.EndHeaders, 3)]),
    H2Error.ProtocolError,
  ],
  [
    'more CONTINUATION than allowed',
    Buffer.concat([
      frame(FrameType.Headers, 0, 1),
      ...Array.from({ length: 4 }, () => frame(FrameType.Continuation, 0, 1, 'x')),
    ]),
    H2Error.EnhanceYourCalm,
  ],
  [
    'a field block larger than allowed',
    Buffer.concat([
      frame(FrameType.Headers, 0, 1, 'x'.repeat(60)),
      frame(FrameType.Continuation, 4, 1, 'x'.repeat(41)),
    ]),
    H2Error.EnhanceYourCalm,
  ],
];

describe('framing errors', () => {
  test('the first frame is SETTINGS, and no acknowledgement', () => {
    for (const first of [frame(FrameType.Ping, 0, 0, '12345678'), frame(FrameType.Settings, Flag.Ack, 0)]) {
      const recorder = new Recorder();
      new FrameReader(recorder, MIN_MAX_FRAME, LIMITS).read(first);
      expect(recorder.events).toEqual([`error ${H2Error.ProtocolError} the first frame is not SETTINGS`]);
    }
  });

  test.each(WRONG)('%s', (_what, bytes, error) => {
    const last = read(bytes).at(-1)!;
    expect(last).toStartWith(`error ${error} `);
    expect(read(...Array.from(bytes, (byte) => Buffer.from([byte]))).at(-1)).toBe(last);
  });
});
