import { describe, expect, test } from 'bun:test';

import { splitFrames, told } from '../../test/support/h2-frames.ts';
import { MemoryNetwork, type MemoryPeer } from '../../test/support/memory-connection.ts';
import { runTurn } from '../net/turn.ts';
import { FrameWriter } from './h2-frame-writer.ts';
import {
  DEFAULT_WINDOW,
  Flag,
  FrameType,
  H2Error,
  MAX_MAX_FRAME,
  MAX_STREAM_ID,
  MAX_WINDOW,
  PREFACE,
  Setting,
} from './h2-protocol.ts';

function opened(): { peer: MemoryPeer; writer: FrameWriter } {
  const peer = new MemoryNetwork().peer();
  return { peer, writer: new FrameWriter(peer.connection) };
}

function frames(peer: MemoryPeer) {
  const { frames: all, rest } = splitFrames(Buffer.concat([...peer.writes]));
  expect(rest.length).toBe(0);
  return all;
}

describe('writing frames', () => {
  test('the numbers are those of the RFC', () => {
    expect(PREFACE.latin1Slice()).toBe('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect([DEFAULT_WINDOW, MAX_WINDOW, MAX_MAX_FRAME, MAX_STREAM_ID]).toEqual([
      65_535,
      2 ** 31 - 1,
      2 ** 24 - 1,
      2 ** 31 - 1,
    ]);
  });

  test('what is written in a turn leaves in one write', () => {
    const { peer, writer } = opened();
    runTurn(() => {
      writer.settings([
        [Setting.MaxConcurrentStreams, 100],
        [Setting.InitialWindowSize, MAX_WINDOW],
      ]);
      writer.settingsAck();
      writer.windowUpdate(0, 1_000_000);
      writer.ping(true, Buffer.from('..12345678'), 2);
      writer.data(1, Flag.None, Buffer.from('xhello'), 1, 6);
      writer.reset(3, H2Error.Cancel);
      writer.emptyData(1);
      writer.goaway(MAX_STREAM_ID, H2Error.NoError, 'bye');
    });
    expect(peer.writes.length).toBe(1);
    expect(frames(peer).map(told)).toEqual([
      'Settings',
      'Settings ack',
      'WindowUpdate 0 1000000',
      'Ping ack',
      'Data 1 "hello"',
      'ResetStream 3 Cancel',
      'Data 1 end ""',
      'Goaway 2147483647 NoError',
    ]);
    expect(frames(peer)[0]!.payload.toString('hex')).toBe('00030000006400047fffffff');
    expect(frames(peer)[3]!.payload.latin1Slice()).toBe('12345678');
  });

  test('the last frame of a stream can be marked afterwards, as long as it was not sent', () => {
    const { peer, writer } = opened();
    runTurn(() => {
      const at = writer.data(1, Flag.None, Buffer.from('a'), 0, 1);
      const { flushes } = writer;
      writer.data(3, Flag.None, Buffer.from('b'), 0, 1);
      expect(writer.endStreamAt(at, flushes)).toBe(true);
      writer.flush();
      expect(writer.endStreamAt(at, flushes)).toBe(false);
    });
    expect(frames(peer).map(told)).toEqual(['Data 1 end "a"', 'Data 3 "b"']);
  });

  test('a field block larger than a frame goes on in CONTINUATION', () => {
    for (const size of [0, 1, 9, 10, 11, 20, 21, 29, 100]) {
      const { peer, writer } = opened();
      const block = Buffer.from(Array.from({ length: size }, (_, index) => index));
      runTurn(() => {
        const out = writer.open(1000);
        const at = writer.beginHeaders(out, 5);
        out.line(block);
        const flags = writer.endHeaders(out, at, 5, false, 10);
        expect(writer.endStreamAt(flags, writer.flushes)).toBe(true);
      });
      const all = frames(peer);
      expect(Buffer.concat(all.map(({ payload }) => payload)).equals(block)).toBe(true);
      expect(all.map(({ type }) => type)).toEqual([
        FrameType.Headers,
        ...all.slice(1).map(() => FrameType.Continuation),
      ]);
      expect(all.length).toBe(Math.max(1, Math.ceil(size / 10)));
      expect(all.map(({ flags }) => (flags & Flag.EndHeaders) !== 0)).toEqual(
        all.map((_, index) => index === all.length - 1),
      );
      expect(all[0]!.flags & Flag.EndStream).toBe(1);
    }
  });

  test('much of it leaves early, nothing is lost, and a closed connection takes nothing', () => {
    const { peer, writer } = opened();
    const piece = Buffer.alloc(16_384, 'x');
    runTurn(() => {
      for (let count = 0; count < 20; count++) writer.data(1, Flag.None, piece, 0, piece.length);
      expect(peer.writes.length).toBe(2);
    });
    expect(frames(peer).length).toBe(20);
    peer.reset();
    runTurn(() => writer.emptyData(1));
    expect(frames(peer).length).toBe(20);
  });
});
