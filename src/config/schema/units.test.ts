import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import {
  duration,
  formatDurationMs,
  parseDurationMs,
  parseSizeBytes,
  positiveDuration,
  size,
} from './units.ts';

describe('durations', () => {
  test.each([
    ['0', 0],
    ['250ms', 250],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
  ] as const)('%s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
    expect(duration.parse(text)).toBe(ms);
  });

  test.each(['', '5', '5 s', '-5s', '+5s', '5S', '.5s', '5.s', '1e3s', '5s5ms', '5min'])(
    '%p is none',
    (text) => {
      expect(parseDurationMs(text)).toBeUndefined();
      expect(duration.safeParse(text).success).toBe(false);
    },
  );

  test('0 may be written without quotes, and only where it means something', () => {
    expect(duration.parse(0)).toBe(0);
    expect(positiveDuration.safeParse(0).success).toBe(false);
    expect(positiveDuration.safeParse('0ms').success).toBe(false);
    expect(duration.safeParse(5).success).toBe(false);
  });

  test('fit in a timer', () => {
    expect(duration.parse('24d')).toBeLessThan(2 ** 31);
    expect(duration.safeParse('25d').success).toBe(false);
  });

  test('are written so that they are read back', () => {
    fc.assert(
      fc.property(fc.nat(24 * 86_400_000), (ms) => {
        expect(parseDurationMs(formatDurationMs(ms))).toBe(ms);
      }),
    );
  });
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['512B', 512],
    ['64KiB', 65_536],
    ['1.5MiB', 1_572_864],
    ['2GiB', 2 ** 31],
    ['10KB', 10_000],
    ['1MB', 1_000_000],
    ['1GB', 1_000_000_000],
  ] as const)('%s', (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes);
    expect(size.parse(text)).toBe(bytes);
  });

  test.each(['', '5', '5k', '5kb', '-5B', '5 B', '5TiB', '1e3B'])('%p is none', (text) => {
    expect(size.safeParse(text).success).toBe(false);
  });

  test('a bare number is bytes', () => {
    expect(size.parse(512)).toBe(512);
    for (const wrong of [-1, 1.5, Number.NaN, 2 ** 60]) expect(size.safeParse(wrong).success).toBe(false);
  });
});
