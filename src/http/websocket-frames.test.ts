import { expect, test } from 'bun:test';

import { array, assert, boolean, constantFrom, integer, oneof, property, record } from 'fast-check';

import { CloseCode, closeFrame, FrameTracker } from './websocket-frames.ts';

/** A frame as RFC 6455 section 5.2 has it, with the shortest length unless `wide` says how wide. */
function frame(opcode: number, length: number, masked: boolean, wide: 0 | 2 | 8): Buffer {
  const head = [0x80 | opcode];
  const mask = masked ? 128 : 0;
  const width = wide > 0 ? wide : length < 126 ? 0 : length < 65_536 ? 2 : 8;
  head.push(mask | (width === 0 ? length : width === 2 ? 126 : 127));
  const extended = Buffer.alloc(8);
  extended.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([
    Buffer.from(head),
    extended.subarray(8 - width),
    Buffer.alloc(masked ? 4 : 0, 0x88),
    Buffer.alloc(length, 0x88),
  ]);
}

const frames = array(
  record({
    opcode: constantFrom(0, 1, 2, 9, 10),
    length: oneof(integer({ min: 0, max: 130 }), constantFrom(65_535, 65_536, 70_000)),
    masked: boolean(),
    wide: constantFrom(0 as const, 8 as const),
  }),
  { minLength: 1, maxLength: 8 },
);

test('however the bytes are cut, every end of a frame is found, and no other', () => {
  assert(
    property(frames, array(integer({ min: 1, max: 40_000 }), { maxLength: 20 }), (list, cuts) => {
      const pieces = list.map(({ opcode, length, masked, wide }) => frame(opcode, length, masked, wide));
      const ends = new Set<number>();
      let total = 0;
      for (const { length } of pieces) ends.add((total += length));
      const bytes = Buffer.concat(pieces);
      const tracker = new FrameTracker();
      const found = new Set<number>();
      let at = 0;
      let cut = 0;
      while (at < bytes.length) {
        const end = Math.min(bytes.length, at + (cuts[cut++ % Math.max(1, cuts.length)] ?? bytes.length));
        while (at < end) {
          at = tracker.follow(bytes, at, end, true);
          if (tracker.atBoundary) found.add(at);
        }
      }
      expect(found).toEqual(ends);
      expect(tracker.closeSeen).toBe(false);
    }),
  );
});

test('without a stop it follows to the end', () => {
  const tracker = new FrameTracker();
  const bytes = Buffer.concat([frame(1, 5, false, 0), frame(2, 7, true, 0), Buffer.from([0x82])]);
  expect(tracker.follow(bytes, 0, bytes.length, false)).toBe(bytes.length);
  expect(tracker.atBoundary).toBe(false);
});

test('a Close frame is seen', () => {
  const tracker = new FrameTracker();
  const bytes = closeFrame(CloseCode.GoingAway);
  tracker.follow(bytes, 0, bytes.length, false);
  expect(tracker.closeSeen).toBe(true);
  expect(tracker.atBoundary).toBe(true);
});

test('Close frames, masked and not', () => {
  expect(closeFrame(CloseCode.GoingAway)).toEqual(Buffer.from([0x88, 2, 0x03, 0xe9]));
  expect(closeFrame(CloseCode.ServiceRestart, new Uint8Array([1, 2, 3, 4]))).toEqual(
    Buffer.from([0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xf4 ^ 2]),
  );
});
