import type { WrittenBytes } from './schema/send-expect.ts';

/** The bytes that a configuration wrote as text, hexadecimal or base64, by a grammar that the schema has checked. */
export function bytesOf(written: WrittenBytes): Buffer {
  if (typeof written === 'string') return Buffer.from(written);
  return 'hex' in written
    ? Buffer.from(written.hex.replaceAll(/\s/g, ''), 'hex')
    : Buffer.from(written.base64, 'base64');
}
