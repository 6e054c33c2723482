import { COLON, HOST, SP, TAB } from './tables.ts';

/** Calls `each` with every element of a comma-separated list, lower case, empty ones left out (RFC 9110 section 5.6.1). */
export function forEachToken(value: string, each: (token: string) => void): void {
  if (!value.includes(',')) {
    const token = value.trim().toLowerCase();
    if (token !== '') each(token);
    return;
  }
  for (const element of value.split(',')) {
    const token = element.trim().toLowerCase();
    if (token !== '') each(token);
  }
}

/** Whether a Content-Length value is written the one way: without leading zeros. */
export function isPlainLength(bytes: Buffer, start: number, end: number): boolean {
  return bytes[start] !== 48 || end - start === 1;
}

/**
 * The number in a Content-Length value: digits only, at most 2^53 - 1.
 * @returns -1 when it is anything else (a sign, a list, blanks within, hexadecimal, too large).
 */
export function parseContentLength(bytes: Buffer, start: number, end: number): number {
  if (start === end || end - start > 16) return -1;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/**
 * Whether the bytes are a host with an optional port (RFC 9110 section 7.2): a name, an IPv4 address, or an IPv6
 * address in brackets. No user information, no list, no percent-encoding.
 */
export function isAuthority(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  if (bytes[at] === 91) {
    at++;
    const from = at;
    while (at < end && isIpv6Byte(bytes[at]!)) at++;
    if (at - from < 2 || at >= end || bytes[at] !== 93) return false;
    at++;
  } else {
    while (at < end && HOST[bytes[at]!] === 1) at++;
    if (at === start) return false;
  }
  if (at === end) return true;
  if (bytes[at] !== COLON) return false;
  const portStart = ++at;
  let port = 0;
  while (at < end) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    at++;
  }
  return at > portStart && at - portStart <= 5 && port <= 65_535;
}

function isIpv6Byte(byte: number): boolean {
  return (
    byte === COLON ||
    byte === 46 ||
    (byte >= 48 && byte <= 57) ||
    (byte >= 65 && byte <= 70) ||
    (byte >= 97 && byte <= 102)
  );
}

/** Whether the bytes are exactly `word` (lower case) in any case, blanks around it ignored. */
export function isWord(bytes: Buffer, start: number, end: number, word: string): boolean {
  let from = start;
  let to = end;
  while (from < to && (bytes[from] === SP || bytes[from] === TAB)) from++;
  while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === TAB)) to--;
  if (to - from !== word.length) return false;
  for (let index = 0; index < word.length; index++) {
    const byte = bytes[from + index]!;
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== word.charCodeAt(index)) return false;
  }
  return true;
}
