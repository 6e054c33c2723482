import { z } from 'zod';

import { quote } from './syntax.ts';

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};
/** Timers of the runtime hold less than 2^31 milliseconds. */
const LONGEST_MS = 24 * 86_400_000;

/** Milliseconds of `250ms`, `5s`, `1.5m`, `1h`, `2d` or `0`; undefined when it is none of them. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const unit = DURATION_MS[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** Writes milliseconds as a configuration would: `2s`, `1500ms`. */
export function formatDurationMs(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const unitMs = DURATION_MS[unit]!;
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

/** Bytes of `512B`, `64KiB`, `10MB`; undefined when it is none of them. */
export function parseSizeBytes(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|KB|MB|GB)$/.exec(text);
  const unit = SIZE_BYTES[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit);
}

function durationProblem(text: string, ms: number | undefined, zeroAllowed: boolean): string | undefined {
  if (ms === undefined) {
    return `${quote(text)} is not a duration; write a number and a unit, such as 250ms, 5s, 2m or 1h`;
  }
  if (ms === 0 && !zeroAllowed) return 'must be longer than 0';
  return ms > LONGEST_MS ? `${quote(text)} is too long; at most 24d` : undefined;
}

function durationSchema(zeroAllowed: boolean) {
  return z
    .union([z.string(), z.literal(0)], {
      error: (issue) =>
        typeof issue.input === 'number'
          ? `the number ${issue.input} has no unit; write ${issue.input}s or ${issue.input}ms`
          : 'expected a duration such as 250ms, 5s, 2m or 1h',
    })
    .transform((value, context) => {
      const written = String(value);
      const ms = parseDurationMs(written);
      const message = durationProblem(written, ms, zeroAllowed);
      if (ms !== undefined && message === undefined) return ms;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .meta({
      description: 'A number and a unit: `ms`, `s`, `m`, `h` or `d`.',
      pattern: String.raw`^(0|\d+(\.\d+)?(ms|s|m|h|d))$`,
      examples: ['250ms', '5s', '1h'],
    });
}

/** A duration in the file, milliseconds (a number) in the program. May be 0. */
export const duration = durationSchema(true);
/** A duration longer than 0. */
export const positiveDuration = durationSchema(false);

function sizeSchema(leastBytes: number, mostBytes = Number.MAX_SAFE_INTEGER) {
  return z
    .union([z.string(), z.number()], { error: 'expected a size such as 512B, 64KiB or 1MiB' })
    .transform((value, context) => {
      const bytes = typeof value === 'string' ? parseSizeBytes(value) : value;
      if (bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= leastBytes && bytes <= mostBytes)
        return bytes;
      context.addIssue({
        code: 'custom',
        message:
          bytes !== undefined && bytes >= 0 && bytes < leastBytes
            ? `must be at least ${leastBytes} bytes`
            : bytes !== undefined && bytes > mostBytes
              ? `must be at most ${mostBytes} bytes`
              : `${quote(String(value))} is not a size; write a number and a unit, such as 512B, 64KiB or 1MiB`,
      });
      return z.NEVER;
    })
    .meta({
      description: 'A number and a unit: `B`, `KiB`, `MiB`, `GiB` (powers of 1024) or `KB`, `MB`, `GB`.',
      pattern: String.raw`^(0|\d+(\.\d+)?([KMG]i?)?B)$`,
      examples: ['64KiB', '1MiB'],
    });
}

/** A size in the file, bytes (a number) in the program. May be 0. */
export const size = sizeSchema(0);
/** A size below which nothing useful fits: room for a short request line. */
export const headSize = sizeSchema(128);

/** A size of `leastBytes` to `mostBytes`. */
export function sizeBetween(leastBytes: number, mostBytes: number): ReturnType<typeof sizeSchema> {
  return sizeSchema(leastBytes, mostBytes);
}
