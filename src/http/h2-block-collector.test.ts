import { expect, test } from 'bun:test';

import { BlockCollector } from './h2-block-collector.ts';

const LIMITS = { blockBytes: 3000, continuations: 2 };

test('pieces are put together, and the next block begins anew', () => {
  const collector = new BlockCollector(LIMITS);
  for (const stream of [1, 3]) {
    collector.begin(stream, stream === 3);
    expect([collector.stream, collector.endsStream]).toEqual([stream, stream === 3]);
    const pieces = ['a', 'b'.repeat(1500), 'c'].map((text) => Buffer.from(`.${text}.${stream}`));
    for (const piece of pieces) expect(collector.add(piece, 1, piece.length)).toBe(true);
    const { sizeBytes } = collector;
    expect(collector.take().latin1Slice(0, sizeBytes)).toBe(
      `a.${stream}${'b'.repeat(1500)}.${stream}c.${stream}`,
    );
    expect(collector.stream).toBe(0);
  }
});

test('a block has a limit of bytes, and one of CONTINUATION frames', () => {
  const collector = new BlockCollector(LIMITS);
  for (const stream of [1, 3]) {
    collector.begin(stream, false);
    expect(collector.add(Buffer.alloc(3000), 0, 3000)).toBe(true);
    expect(collector.add(Buffer.alloc(1), 0, 1)).toBe(false);
    expect([1, 2, 3].map(() => collector.mayContinue())).toEqual([true, true, false]);
  }
});
