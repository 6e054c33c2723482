/**
 * Reads numbers and vectors (bytes with their length before them) in network order and never beyond its end: what is not there
 * reads as 0 or empty, and `failed` says so. Nothing is copied and nothing is allocated by a length that is only claimed.
 */
export class BytesReader {
  /** More was asked for than there was. */
  failed = false;
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    if (!this.#has(1)) return 0;
    return this.#bytes[this.#at++]!;
  }

  u16(): number {
    if (!this.#has(2)) return 0;
    const value = this.#bytes.readUInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  u32(): number {
    if (!this.#has(4)) return 0;
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  skip(length: number): void {
    if (this.#has(length)) this.#at += length;
  }

  /** A vector whose length is one byte. */
  vector8(): BytesReader {
    return this.#part(this.u8());
  }

  /** A vector whose length is two bytes. */
  vector16(): BytesReader {
    return this.#part(this.u16());
  }

  /** A copy of what is left. */
  rest(): Buffer {
    const bytes = Buffer.from(this.#bytes.subarray(this.#at, this.#end));
    this.#at = this.#end;
    return bytes;
  }

  /** What is left as text, one character a byte. */
  latin1(): string {
    const text = this.#bytes.latin1Slice(this.#at, this.#end);
    this.#at = this.#end;
    return text;
  }

  #part(length: number): BytesReader {
    const start = this.#at;
    this.skip(length);
    return new BytesReader(this.#bytes, start, this.#at);
  }

  #has(length: number): boolean {
    if (length <= this.left) return true;
    this.failed = true;
    this.#at = this.#end;
    return false;
  }
}
