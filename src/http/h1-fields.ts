import type { Fields } from '../model/fields.ts';
import { Known, knownFieldId } from '../model/known-fields.ts';
import { COLON, CR, FIELD_VALUE, LF, SP, TAB, TOKEN } from './tables.ts';

/** Results of a parser that are not a position. */
export const NEED_MORE = -1;
export const MALFORMED = -2;
export const TOO_MANY = -3;

/**
 * Parses field lines up to and including the empty line (RFC 9112 sections 5 and 6.3), adding them to `fields`.
 * Strict: lines end with CRLF, no folding, no blank before the colon, no control characters. Names that spell one of
 * ours with underscores are marked dropped, because some endpoints read both alike.
 * @returns the position behind the empty line, or NEED_MORE, MALFORMED, TOO_MANY (more than `maxCount` lines).
 */
export function parseFieldLines(
  bytes: Buffer,
  start: number,
  end: number,
  fields: Fields,
  maxCount: number,
): number {
  let at = start;
  for (;;) {
    if (at >= end) return NEED_MORE;
    if (bytes[at] === CR) {
      if (at + 1 >= end) return NEED_MORE;
      return bytes[at + 1] === LF ? at + 2 : MALFORMED;
    }
    const nameStart = at;
    let underscore = false;
    let byte = bytes[at]!;
    while (TOKEN[byte] === 1) {
      if (byte === 95) underscore = true;
      if (++at >= end) return NEED_MORE;
      byte = bytes[at]!;
    }
    if (byte !== COLON || at === nameStart) return MALFORMED;
    const nameEnd = at;
    if (++at >= end) return NEED_MORE;
    byte = bytes[at]!;
    while (byte === SP || byte === TAB) {
      if (++at >= end) return NEED_MORE;
      byte = bytes[at]!;
    }
    const valueStart = at;
    while (FIELD_VALUE[byte] === 1) {
      if (++at >= end) return NEED_MORE;
      byte = bytes[at]!;
    }
    if (byte !== CR) return MALFORMED;
    if (at + 1 >= end) return NEED_MORE;
    if (bytes[at + 1] !== LF) return MALFORMED;
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === TAB)) valueEnd--;
    at += 2;
    if (fields.count === maxCount) return TOO_MANY;
    const canonical = valueStart === nameEnd + 2 && bytes[nameEnd + 1] === SP && valueEnd === at - 2;
    fields.push(knownFieldId(bytes, nameStart, nameEnd), nameStart, nameEnd, valueStart, valueEnd, canonical);
    if (underscore && aliasesKnown(bytes, nameStart, nameEnd)) fields.drop(fields.count - 1);
  }
}

/** Whether the name would be one of ours if its underscores were hyphens. */
export function aliasesKnown(bytes: Buffer, start: number, end: number): boolean {
  const name = Buffer.from(bytes.latin1Slice(start, end).replaceAll('_', '-'), 'latin1');
  return knownFieldId(name, 0, name.length) !== Known.Other;
}
