import { expect, test } from 'bun:test';

import { crc32c } from './crc32c.ts';

/** RFC 3720 appendix B.4. */
const VECTORS: readonly (readonly [what: string, bytes: Uint8Array, crc: number])[] = [
  ['32 bytes of zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones', new Uint8Array(32).fill(255), 0x62a8ab43],
  ['counting up', Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ['counting down', Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
  ['the usual digits', new TextEncoder().encode('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(), 0],
];

for (const [what, bytes, crc] of VECTORS) {
  test(what, () => {
    expect(crc32c(bytes, 0, bytes.length)).toBe(crc);
    const within = Uint8Array.from([9, ...bytes, 9]);
    expect(crc32c(within, 1, within.length - 1)).toBe(crc);
  });
}
