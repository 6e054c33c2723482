import type { EndpointStream } from '../http/streams.ts';
import type { Fields } from '../model/fields.ts';

/**
 * The part of a request body that is kept: until an endpoint is there to take it, and after that, up to a bound, for another
 * attempt.
 */
export class RequestBody {
  /** The whole request has been read. */
  ended = false;
  /** Body bytes read so far. */
  bytes = 0;
  /** Nothing that was read has been let go: another attempt can send the same body. */
  replayable = true;
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  #trailers: Fields | undefined = undefined;

  /** More is held than `limit`. */
  exceeds(limit: number): boolean {
    return this.#heldBytes > limit;
  }

  /** Takes a piece to hold. */
  hold(bytes: Buffer, start: number, end: number): void {
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)));
    this.#heldBytes += end - start;
  }

  end(trailers: Fields | undefined): void {
    this.ended = true;
    this.#trailers = trailers;
  }

  /** Sends what is held, and the end if it has come. */
  sendTo(stream: EndpointStream): void {
    for (const piece of this.#pieces) stream.sendBody(piece, 0, piece.length);
    if (this.ended) stream.sendEnd(this.#trailers);
  }

  /** Keeps nothing any more: no other attempt will need it. */
  release(): void {
    if (this.bytes > 0) this.replayable = false;
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#heldBytes = 0;
  }
}
