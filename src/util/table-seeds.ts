import type { Random } from './random.ts';

/** Bytes at the beginning of the memory of a hash table, for its seeds. */
export const SEED_BYTES = 16;

/** Makes memory, all 0, ready for a hash table: two secret seeds, so that nobody knows which keys share a place. */
export function seedTable(memory: Uint8Array, random: Random): void {
  const seeds = new Int32Array(memory.buffer, memory.byteOffset, 2);
  for (let index = 0; index < 2; index++) seeds[index] = (random.next() * 0x1_0000_0000) | 0;
}
