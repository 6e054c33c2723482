/** Byte classes of the HTTP grammar (RFC 9110 section 5.6.2, RFC 9112 sections 2 and 3), one byte of flags a byte. */

/** `tchar`: what methods and field names are made of. */
export const TOKEN: Uint8Array = new Uint8Array(256);
/** What a field value may hold: visible characters, blank, tab and obs-text; no control character. */
export const FIELD_VALUE: Uint8Array = new Uint8Array(256);
/** What a request target may hold: visible ASCII except `#`. */
export const TARGET: Uint8Array = new Uint8Array(256);
/** What a host name may hold: letters, digits, `-`, `.`, `_`, `~`. Stricter than RFC 3986: no percent, no sub-delims. */
export const HOST: Uint8Array = new Uint8Array(256);
/** Value of a hexadecimal digit; 255 for other bytes. */
export const HEX: Uint8Array = new Uint8Array(256).fill(255);

for (let byte = 0; byte < 256; byte++) {
  const char = String.fromCharCode(byte);
  if (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/.test(char)) TOKEN[byte] = 1;
  if (byte === 9 || (byte >= 32 && byte !== 127)) FIELD_VALUE[byte] = 1;
  if (byte > 32 && byte < 127 && char !== '#') TARGET[byte] = 1;
  if (/^[A-Za-z0-9\-._~]$/.test(char)) HOST[byte] = 1;
  if (/^[0-9A-Fa-f]$/.test(char)) HEX[byte] = Number.parseInt(char, 16);
}

export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COLON = 58;
