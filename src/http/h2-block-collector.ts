/** How much a field block may be, compressed. */
export interface BlockLimits {
  /** Bytes of HEADERS and CONTINUATION frames together. */
  readonly blockBytes: number;
  /** CONTINUATION frames of one block. */
  readonly continuations: number;
}

const NO_BYTES = Buffer.alloc(0);

/** Puts a field block together that comes in more than one frame: HEADERS and CONTINUATION (RFC 9113 section 6.10). */
export class BlockCollector {
  /** Whose block is being collected; 0 while none is. */
  stream = 0;
  endsStream = false;
  /** What has come of it. */
  sizeBytes = 0;
  readonly #limits: BlockLimits;
  #bytes: Buffer = NO_BYTES;
  #continuations = 0;

  constructor(limits: BlockLimits) {
    this.#limits = limits;
  }

  begin(stream: number, endsStream: boolean): void {
    this.stream = stream;
    this.endsStream = endsStream;
    this.sizeBytes = 0;
    this.#continuations = 0;
  }

  /** Another CONTINUATION has come. Returns whether it is not one too many. */
  mayContinue(): boolean {
    return ++this.#continuations <= this.#limits.continuations;
  }

  /** Adds a copy of `bytes[start, end)`. Returns false when the block has become too large. */
  add(bytes: Buffer, start: number, end: number): boolean {
    const needed = this.sizeBytes + end - start;
    if (needed > this.#limits.blockBytes) return false;
    if (this.#bytes.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(1024, needed * 2));
      this.#bytes.copy(grown, 0, 0, this.sizeBytes);
      this.#bytes = grown;
    }
    bytes.copy(this.#bytes, this.sizeBytes, start, end);
    this.sizeBytes = needed;
    return true;
  }

  /** The block is whole: its first `sizeBytes` bytes. */
  take(): Buffer {
    const bytes = this.#bytes;
    this.stream = 0;
    this.#bytes = NO_BYTES;
    return bytes;
  }

  /** What was collected is for nobody. */
  drop(): void {
    this.#bytes = NO_BYTES;
  }
}
