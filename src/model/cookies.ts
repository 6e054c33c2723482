import { type Fields, fieldName } from './fields.ts';

const COOKIE = fieldName('cookie');
const TAB = 9;
const SPACE = 32;
const SEMICOLON = 59;
const EQUALS = 61;

/** A cookie name prepared for comparison. Cookie names are case-sensitive. */
export function cookieName(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

function startsWith(bytes: Buffer, at: number, end: number, name: Buffer): boolean {
  if (end - at <= name.length || bytes[at + name.length] !== EQUALS) return false;
  for (let index = 0; index < name.length; index++) {
    if (bytes[at + index] !== name[index]) return false;
  }
  return true;
}

/**
 * Value of the first cookie of that name (RFC 6265 section 5.4), over all Cookie lines, exactly as it stands there.
 * Costs nothing without a Cookie line and allocates only the value that it found.
 */
export function cookieValue(fields: Fields, name: Buffer): string | undefined {
  for (let line = fields.indexOf(COOKIE); line >= 0; line = fields.indexOf(COOKIE, line + 1)) {
    const bytes = fields.bytes;
    const end = fields.at[line * 4 + 3]!;
    let at = fields.at[line * 4 + 2]!;
    while (at < end) {
      const byte = bytes[at];
      if (byte === SPACE || byte === TAB || byte === SEMICOLON) {
        at++;
        continue;
      }
      const found = startsWith(bytes, at, end, name);
      const start = at;
      while (at < end && bytes[at] !== SEMICOLON) at++;
      if (found) return bytes.latin1Slice(start + name.length + 1, at).trimEnd();
    }
  }
  return undefined;
}
