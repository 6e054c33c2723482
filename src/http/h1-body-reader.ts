import type { Fields } from '../model/fields.ts';
import { Framing, type FramingKind } from '../model/message.ts';
import { type BodySink, ChunkedReader } from './chunked.ts';
import { dropForbiddenTrailers } from './trailer-rules.ts';

/** Reads bodies of HTTP/1.1, one after the other, each up to where its head says that it ends (RFC 9112 section 6.3). */
export class H1BodyReader {
  /** Bytes still to come of a body with a length; Infinity of one that ends with its connection. */
  left = 0;
  #chunked = false;
  /** Undefined until the first chunked body. */
  #chunks: ChunkedReader | undefined = undefined;

  /** A body begins. */
  begin(framing: FramingKind, contentLength: number): void {
    this.#chunked = framing === Framing.Chunked;
    this.left = framing === Framing.Length ? contentLength : Number.POSITIVE_INFINITY;
    if (this.#chunked) (this.#chunks ??= new ChunkedReader()).reset();
  }

  /** The end has been read. */
  get done(): boolean {
    return this.#chunked ? this.#chunks!.done : this.left === 0;
  }

  /**
   * Reads on from `bytes[start, end)`, giving content to `sink` piece by piece.
   * @returns the position behind what was read (`end`, or behind the body when `done`), or MALFORMED.
   */
  read(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    if (this.#chunked) return this.#chunks!.read(bytes, start, end, sink);
    const behind = start + Math.min(this.left, end - start);
    this.left -= behind - start;
    sink.onBodyPiece(bytes, start, behind);
    return behind;
  }

  /** Of a body that is done: what came behind it and may be passed on. */
  get trailers(): Fields | undefined {
    if (!this.#chunked) return undefined;
    const { trailers } = this.#chunks!;
    return dropForbiddenTrailers(trailers) ? trailers : undefined;
  }
}
