import { Known, knownFieldId } from '../model/known-fields.ts';
import { aliasesKnown } from './h1-fields.ts';
import { FIELD_VALUE, SP, TAB, TOKEN } from './tables.ts';

/**
 * What a decoded field is, beside the ids of `Known`: the pseudo-fields of RFC 9113 section 8.3 and RFC 8441 section 4, and
 * fields that must not be used.
 */
export const HeaderKind = {
  Method: 64,
  Scheme: 65,
  Authority: 66,
  Path: 67,
  Status: 68,
  Protocol: 69,
  /** A pseudo-field that nobody knows. */
  UnknownPseudo: 70,
  /** Name or value break RFC 9113 section 8.2.1: the message is malformed. */
  Malformed: 71,
  /** The name would be one of ours if its underscores were hyphens: left out, because some endpoints read both alike. */
  Alias: 72,
} as const;

const PSEUDO: ReadonlyMap<string, number> = new Map([
  [':method', HeaderKind.Method],
  [':scheme', HeaderKind.Scheme],
  [':authority', HeaderKind.Authority],
  [':path', HeaderKind.Path],
  [':status', HeaderKind.Status],
  [':protocol', HeaderKind.Protocol],
]);

const COLON = 58;

/** Kind of the name in `bytes[start, end)`: an id of `Known`, or one of `HeaderKind`. */
export function headerKind(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] === COLON) return PSEUDO.get(bytes.latin1Slice(start, end)) ?? HeaderKind.UnknownPseudo;
  if (start === end) return HeaderKind.Malformed;
  let underscore = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (TOKEN[byte] !== 1 || (byte >= 65 && byte <= 90)) return HeaderKind.Malformed;
    if (byte === 95) underscore = true;
  }
  const id = knownFieldId(bytes, start, end);
  return id === Known.Other && underscore && aliasesKnown(bytes, start, end) ? HeaderKind.Alias : id;
}

/** Whether the bytes may be a field value: no control characters, no blank at either end. */
export function isHeaderValue(bytes: Buffer, start: number, end: number): boolean {
  if (start === end) return true;
  const first = bytes[start]!;
  const last = bytes[end - 1]!;
  if (first === SP || first === TAB || last === SP || last === TAB) return false;
  for (let at = start; at < end; at++) if (FIELD_VALUE[bytes[at]!] !== 1) return false;
  return true;
}
