import { Fields } from '../model/fields.ts';
import { MALFORMED, NEED_MORE, parseFieldLines, TOO_MANY } from './h1-fields.ts';
import { ChunkExtensions } from './chunk-extensions.ts';
import { HeadBuffer } from './head-buffer.ts';
import { CR, HEX, LF } from './tables.ts';

/** What a body reader calls. */
export interface BodySink {
  /** A piece of the content: `bytes[start, end)`. */
  onBodyPiece(bytes: Buffer, start: number, end: number): void;
}

/** Bytes of chunk extensions in a whole body; they are dropped, and real ones are rare. */
const MAX_EXTENSION_BYTES = 4096;
/** Bytes of a trailer section. */
const MAX_TRAILER_BYTES = 8192;
const MAX_TRAILER_LINES = 50;
/** Hexadecimal digits of a chunk size: 2^52 at most. */
const MAX_SIZE_DIGITS = 13;

const State = {
  Size: 0,
  Extension: 1,
  SizeLf: 2,
  Data: 3,
  DataCr: 4,
  DataLf: 5,
  Trailers: 6,
  Done: 7,
} as const;
type StateName = (typeof State)[keyof typeof State];

/**
 * Reads a chunked body (RFC 9112 section 7.1) from pieces of any size: strict line ends, no sign or prefix in sizes,
 * extensions checked, bounded and dropped, trailers bounded.
 */
export class ChunkedReader {
  /** The trailer section, once `done`. */
  readonly trailers = new Fields();
  #state: StateName = State.Size;
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  readonly #extensions = new ChunkExtensions();
  /** A trailer section that has not arrived whole. */
  readonly #held = new HeadBuffer();

  get done(): boolean {
    return this.#state === State.Done;
  }

  /** Begins a new body. */
  reset(): void {
    this.#state = State.Size;
    this.#size = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
    if (!this.#held.empty) this.#held.take();
    this.trailers.reset(this.trailers.bytes);
  }

  /**
   * Reads on from `bytes[start, end)`, giving content to `sink` piece by piece.
   * @returns the position behind what was read (`end`, or behind the body when `done`), or MALFORMED.
   */
  read(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case State.Size: {
          const digit = HEX[bytes[at]!]!;
          if (digit !== 255) {
            if (++this.#digits > MAX_SIZE_DIGITS) return MALFORMED;
            this.#size = this.#size * 16 + digit;
            at++;
            break;
          }
          if (this.#digits === 0) return MALFORMED;
          this.#digits = 0;
          this.#extensions.reset();
          this.#state = State.Extension;
          break;
        }
        case State.Extension:
          if (!this.#extensionByte(bytes[at]!)) return MALFORMED;
          at++;
          break;
        case State.SizeLf:
          if (bytes[at] !== LF) return MALFORMED;
          at++;
          this.#state = this.#size === 0 ? State.Trailers : State.Data;
          break;
        case State.Data: {
          const take = Math.min(this.#size, end - at);
          this.#size -= take;
          if (this.#size === 0) this.#state = State.DataCr;
          sink.onBodyPiece(bytes, at, at + take);
          at += take;
          break;
        }
        case State.DataCr:
          if (bytes[at] !== CR) return MALFORMED;
          at++;
          this.#state = State.DataLf;
          break;
        case State.DataLf:
          if (bytes[at] !== LF) return MALFORMED;
          at++;
          this.#state = State.Size;
          break;
        case State.Trailers:
          return this.#readTrailers(bytes, at, end);
        case State.Done:
          return at;
      }
    }
    return at;
  }

  /** One byte behind the size, up to CR. */
  #extensionByte(byte: number): boolean {
    if (byte === CR && this.#extensions.complete) {
      this.#state = State.SizeLf;
      return true;
    }
    return ++this.#extensionBytes <= MAX_EXTENSION_BYTES && this.#extensions.take(byte);
  }

  #readTrailers(bytes: Buffer, start: number, end: number): number {
    const earlier = this.#held.length;
    let section = bytes;
    let from = start;
    let to = end;
    if (earlier > 0) {
      if (!this.#held.append(bytes, start, end, MAX_TRAILER_BYTES)) return end;
      section = this.#held.take();
      from = 0;
      to = section.length;
    }
    this.trailers.reset(section);
    const behind = parseFieldLines(section, from, to, this.trailers, MAX_TRAILER_LINES);
    if (behind === MALFORMED || behind === TOO_MANY) return MALFORMED;
    if ((behind === NEED_MORE ? to : behind) - from > MAX_TRAILER_BYTES) return MALFORMED;
    if (behind === NEED_MORE) {
      this.#held.append(section, from, to, MAX_TRAILER_BYTES);
      return end;
    }
    this.#state = State.Done;
    // Trailers may be asked for after the bytes they came in are gone.
    if (this.trailers.count > 0 && section === bytes) this.trailers.keep(from, behind);
    return start + (behind - from) - earlier;
  }
}
