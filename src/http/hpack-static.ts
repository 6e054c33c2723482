import { headerKind } from './hpack-kinds.ts';

/** The static table (RFC 7541 appendix A), in order from index 1. */
// oxfmt-ignore
const ENTRIES: readonly (readonly [name: string, value?: string])[] = [
  [':authority'], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'], [':scheme', 'http'],
  [':scheme', 'https'], [':status', '200'], [':status', '204'], [':status', '206'], [':status', '304'], [':status', '400'],
  [':status', '404'], [':status', '500'], ['accept-charset'], ['accept-encoding', 'gzip, deflate'], ['accept-language'],
  ['accept-ranges'], ['accept'], ['access-control-allow-origin'], ['age'], ['allow'], ['authorization'], ['cache-control'],
  ['content-disposition'], ['content-encoding'], ['content-language'], ['content-length'], ['content-location'],
  ['content-range'], ['content-type'], ['cookie'], ['date'], ['etag'], ['expect'], ['expires'], ['from'], ['host'],
  ['if-match'], ['if-modified-since'], ['if-none-match'], ['if-range'], ['if-unmodified-since'], ['last-modified'], ['link'],
  ['location'], ['max-forwards'], ['proxy-authenticate'], ['proxy-authorization'], ['range'], ['referer'], ['refresh'],
  ['retry-after'], ['server'], ['set-cookie'], ['strict-transport-security'], ['transfer-encoding'], ['user-agent'], ['vary'],
  ['via'], ['www-authenticate'],
];

/** Entries of the static table; the dynamic table follows. */
export const STATIC_COUNT: number = ENTRIES.length;

/** All entries as lines `name: value` and CRLF, one behind the other. */
export const staticLines: Buffer = Buffer.from(
  ENTRIES.map(([name, value = '']) => `${name}: ${value}\r\n`).join(''),
  'latin1',
);

/** By index: where the line starts, how long name and value are, and what kind of field it is. */
export const staticStart: Uint16Array = new Uint16Array(STATIC_COUNT + 1);
export const staticNameLength: Uint8Array = new Uint8Array(STATIC_COUNT + 1);
export const staticValueLength: Uint8Array = new Uint8Array(STATIC_COUNT + 1);
export const staticKind: Uint8Array = new Uint8Array(STATIC_COUNT + 1);

let start = 0;
for (const [at, [name, value = '']] of ENTRIES.entries()) {
  const index = at + 1;
  staticStart[index] = start;
  staticNameLength[index] = name.length;
  staticValueLength[index] = value.length;
  staticKind[index] = headerKind(staticLines, start, start + name.length);
  start += name.length + value.length + 4;
}
