import { equalsIgnoringCase, Known, knownFieldId } from '../model/known-fields.ts';

const UNDERSCORE = 95;
const DASH = 45;
const X = 120;
const X_FORWARDED = Buffer.from('x-forwarded-', 'latin1');
/** Longer than every name that could be mistaken for one of ours. */
const LONGEST_ALIAS = 64;

/** Whether the name, with dashes for underscores, is one that the data path sets or acts on: a CGI would not tell them apart. */
export function isAlias(bytes: Buffer, start: number, end: number): boolean {
  let underscored = false;
  for (let at = start; at < end; at++) if (bytes[at] === UNDERSCORE) underscored = true;
  if (!underscored || end - start > LONGEST_ALIAS) return false;
  const dashed = Buffer.from(bytes.subarray(start, end));
  for (let at = 0; at < dashed.length; at++) if (dashed[at] === UNDERSCORE) dashed[at] = DASH;
  return knownFieldId(dashed, 0, dashed.length) !== Known.Other || isXForwarded(dashed, 0, dashed.length);
}

/** Whether the name is X-Forwarded- and something, known or not. */
export function isXForwarded(bytes: Buffer, start: number, end: number): boolean {
  return (
    (bytes[start]! | 32) === X &&
    end - start > X_FORWARDED.length &&
    equalsIgnoringCase(bytes, start, X_FORWARDED)
  );
}
