import type { BlockEffect } from './hpack-effect.ts';
import type { HpackDecoder } from './hpack-decoder.ts';

/** Blocks that are kept for one connection, a power of two. */
const SLOTS = 8;
/** Longer ones are not worth their memory: what repeats is short, because it lies in the table. */
const MAX_BLOCK_BYTES = 512;

/** A block that came more than once, and what it said. */
class KnownBlock<T> {
  readonly bytes: Buffer;
  readonly variant: number;
  readonly effect: BlockEffect;
  readonly meaning: T;

  constructor(bytes: Buffer, variant: number, effect: BlockEffect, meaning: T) {
    this.bytes = bytes;
    this.variant = variant;
    this.effect = effect;
    this.meaning = meaning;
  }

  is(block: Buffer, start: number, length: number, variant: number, version: number): boolean {
    const { bytes, effect } = this;
    if (bytes.length !== length || this.variant !== variant) return false;
    if (effect.version !== version && effect.version >= 0) return false;
    for (let index = 0; index < length; index++) if (bytes[index] !== block[start + index]) return false;
    return true;
  }
}

/**
 * The header blocks that a peer sends again and again, with what was made of them: whoever asks the same as before sends the same bytes, and
 * they mean the same as long as the dynamic table is the same, or is not named in them. A block is kept when it comes a second time, so that
 * blocks which differ each time cost no more than a look at them.
 */
export class BlockMemo<T> {
  readonly decoder: HpackDecoder;
  #last: KnownBlock<T> | undefined = undefined;
  #known: (KnownBlock<T> | undefined)[] | undefined = undefined;
  /** Hashes of blocks that came once. */
  readonly #seen = new Int32Array(SLOTS);
  /** Of the block that was asked for last. */
  #hash = 0;

  constructor(decoder: HpackDecoder) {
    this.decoder = decoder;
  }

  /**
   * What `block[start, end)` means if that is known. The table is then as if it had been decoded.
   * @param variant what else the meaning depends on
   */
  find(block: Buffer, start: number, end: number, variant: number): T | undefined {
    const decoder = this.decoder;
    const length = end - start;
    const { version } = decoder;
    let known = this.#last;
    if (known === undefined || !known.is(block, start, length, variant, version)) {
      this.#hash = length > MAX_BLOCK_BYTES ? 0 : hashOf(block, start, end) + variant;
      known = this.#known?.[this.#hash & (SLOTS - 1)];
      if (known === undefined || !known.is(block, start, length, variant, version)) return undefined;
      this.#last = known;
    }
    decoder.repeat(known.effect);
    return known.meaning;
  }

  /** The block that was asked for last was decoded: whether `learn` is worth while, because it came before. */
  get recurs(): boolean {
    if (this.#hash === 0) return false;
    const { effectVersion } = this.decoder;
    if (effectVersion === undefined) return false;
    // What names entries of the table is the same only in the same state of it.
    const mark = Math.imul(effectVersion + 2, 0x9e3779b1) ^ this.#hash;
    const slot = this.#hash & (SLOTS - 1);
    if (this.#seen[slot] === mark) return true;
    this.#seen[slot] = mark;
    return false;
  }

  /** Keeps what `block[start, end)`, decoded last, means. */
  learn(block: Buffer, start: number, end: number, variant: number, meaning: T): void {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    block.copy(bytes, 0, start, end);
    const known = new KnownBlock(bytes, variant, this.decoder.effect(), meaning);
    this.#known ??= Array.from({ length: SLOTS });
    this.#known[this.#hash & (SLOTS - 1)] = known;
    this.#last = known;
  }
}

function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = Math.imul(hash, 31) + bytes[at]!;
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) & 0x3fff_ffff) + 1;
}
