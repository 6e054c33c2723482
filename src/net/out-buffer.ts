/**
 * Where a message is put together before it is written in one piece. The caller makes sure that there is room
 * (`Connection.open`); nothing here checks.
 */
export class OutBuffer {
  bytes: Buffer;
  /** Bytes that wait to be written. */
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes that still fit. */
  get room(): number {
    return this.bytes.length - this.length;
  }

  /** Makes sure that an empty buffer holds `room` bytes. A message may be larger than what is usual; the next one may be so too. */
  reserve(room: number): void {
    if (this.bytes.length < room) this.bytes = Buffer.allocUnsafeSlow(room);
  }

  /** Appends `from[start, end)`. */
  copy(from: Buffer, start: number, end: number): void {
    from.copy(this.bytes, this.length, start, end);
    this.length += end - start;
  }

  /** Appends a whole ready-made piece. */
  line(piece: Buffer): void {
    piece.copy(this.bytes, this.length);
    this.length += piece.length;
  }

  /** Appends CRLF. */
  crlf(): void {
    this.bytes[this.length] = 13;
    this.bytes[this.length + 1] = 10;
    this.length += 2;
  }

  /** Appends text, one byte a character. */
  text(text: string): void {
    this.length += this.bytes.latin1Write(text, this.length);
  }
}
