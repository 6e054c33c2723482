import { LF } from './tables.ts';

/**
 * Bytes of a head that has not arrived whole. Parsing is tried again only when another line has ended, so that a peer who
 * sends byte by byte costs no more than the lines it sends.
 */
export class HeadBuffer {
  #bytes: Buffer | undefined = undefined;
  #length = 0;

  get empty(): boolean {
    return this.#length === 0;
  }

  get length(): number {
    return this.#length;
  }

  /** Keeps `from[start, end)` behind what is there. Returns whether it is worth parsing again: a line ended, or `limit` is passed. */
  append(from: Buffer, start: number, end: number, limit: number): boolean {
    const needed = this.#length + end - start;
    if (this.#bytes === undefined || this.#bytes.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(1024, needed * 2));
      this.#bytes?.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    from.copy(this.#bytes, this.#length, start, end);
    this.#length = needed;
    if (needed > limit) return true;
    const lineEnd = from.indexOf(LF, start);
    return lineEnd >= 0 && lineEnd < end;
  }

  /** Gives the bytes to the caller and forgets them. */
  take(): Buffer {
    const bytes = this.#bytes ?? Buffer.alloc(0);
    const { length } = bytes;
    const held = this.#length;
    this.#bytes = undefined;
    this.#length = 0;
    return held === length ? bytes : bytes.subarray(0, held);
  }
}
