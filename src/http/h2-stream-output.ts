import type { Fields } from '../model/fields.ts';
import { keepOutput } from '../net/kept-output.ts';

/** Whose output it is. */
export interface StreamOutputOwner {
  /** What had to wait has been sent. */
  onOutputDrain(): void;
  /** The frame with END_STREAM has been written. */
  onOutputEnd(): void;
}

/** What one stream sends: its window, and what waits for it. Used again for other streams. */
export class StreamOutput {
  id = 0;
  /** Bytes that the peer takes; negative after it has made its window smaller. */
  window = 0;
  pendingBytes = 0;
  /** Content sent, bytes. */
  sentBytes = 0;
  /** Frames of it were sent, headers included, bytes. */
  wireBytes = 0;
  /** END_STREAM is sent, or the stream was reset. */
  ended = true;
  /** Waits in the queue of the connection. */
  queued = false;
  /** The end follows what is pending. */
  endPending = false;
  trailers: Fields | undefined = undefined;
  /** Where the flags of its last frame lie, and after how many flushes. */
  flagsAt = -1;
  flushes = -1;
  readonly owner: StreamOutputOwner;
  #pieces: Buffer[] = [];
  #first = 0;
  #offset = 0;

  constructor(owner: StreamOutputOwner) {
    this.owner = owner;
  }

  begin(id: number, window: number): void {
    this.id = id;
    this.window = window;
    this.sentBytes = 0;
    this.wireBytes = 0;
    this.ended = false;
    this.queued = false;
    this.flagsAt = -1;
    this.flushes = -1;
  }

  /** Nothing more is sent. */
  close(): void {
    this.ended = true;
    this.endPending = false;
    this.trailers = undefined;
    if (this.pendingBytes > 0) keepOutput(-this.pendingBytes);
    this.pendingBytes = 0;
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#first = 0;
    this.#offset = 0;
  }

  hold(bytes: Buffer, start: number, end: number): void {
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)));
    this.pendingBytes += end - start;
    keepOutput(end - start);
  }

  /** What waits first. */
  get piece(): Buffer {
    return this.#pieces[this.#first]!;
  }

  get offset(): number {
    return this.#offset;
  }

  /** `bytes` of the first piece were sent. */
  taken(bytes: number): void {
    this.pendingBytes -= bytes;
    keepOutput(-bytes);
    this.#offset += bytes;
    if (this.#offset < this.piece.length) return;
    this.#offset = 0;
    this.#first++;
    if (this.#first < this.#pieces.length) return;
    this.#pieces = [];
    this.#first = 0;
  }
}
