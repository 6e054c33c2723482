/** Continues a hash over bytes; of long values only both ends count. */
export function hashOf(bytes: Buffer, start: number, end: number, seed: number): number {
  let hash = seed;
  let at = start;
  if (end - start > 64) {
    for (const head = start + 16; at < head; at++) hash = Math.imul(hash, 31) + bytes[at]!;
    at = end - 48;
  }
  for (; at < end; at++) hash = Math.imul(hash, 31) + bytes[at]!;
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
}

/** Whether the `length` bytes at both places are the same. */
export function equalBytes(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): boolean {
  for (let index = length - 1; index >= 0; index--) if (a[aStart + index] !== b[bStart + index]) return false;
  return true;
}
