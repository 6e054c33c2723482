import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { hashBytes, hashString, mix32 } from './hash.ts';

describe('hashString', () => {
  // Vectors of the reference implementation (smhasher, MurmurHash3_x86_32).
  const vectors: readonly (readonly [text: string, seed: number, hash: number])[] = [
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['test', 0, 0xba6bd213],
    ['Hello, world!', 0, 0xc0363e43],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ];
  for (const [text, seed, hash] of vectors) {
    test(`of "${text}" with seed ${seed}`, () => expect(hashString(text, seed)).toBe(hash));
  }

  test('agrees with an independent implementation on any text and seed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(), (text, seed) => {
        expect(hashString(text, seed)).toBe(Bun.hash.murmur32v3(text, seed));
      }),
    );
  });

  test('of a string is that of its UTF-8 bytes, at every length', () => {
    for (let length = 0; length < 20; length++) {
      const text = 'é'.repeat(length % 3) + 'x'.repeat(length);
      expect(hashString(text)).toBe(hashBytes(new TextEncoder().encode(text)));
    }
  });
});

test('spreads consecutive addresses evenly over slots', () => {
  const slots = Array.from({ length: 16 }, () => 0);
  for (let host = 0; host < 16_000; host++) slots[hashString(`10.0.${host >> 8}.${host & 255}`) % 16]!++;
  // Standard deviation is 31 around 1000; five of them.
  for (const count of slots) expect(Math.abs(count - 1000)).toBeLessThan(155);
});

test('mix32 flips about half of the bits when one is flipped', () => {
  let flipped = 0;
  let trials = 0;
  for (let value = 1; value < 1_000_000; value += 9973) {
    for (let bit = 0; bit < 32; bit++, trials++) {
      let difference = (mix32(value) ^ mix32(value ^ (1 << bit))) >>> 0;
      for (; difference !== 0; difference &= difference - 1) flipped++;
    }
  }
  expect(flipped / trials / 32).toBeCloseTo(0.5, 2);
});
