/*
 * HTTP/3 is the runtime's own: QUIC, TLS, frames and QPACK. What comes through is a request with its body and a response with its
 * body; neither 1xx nor trailers nor tunnels do.
 */

/** One request, and the way back. */
export interface Http3Exchange {
  readonly method: string;
  /** `https://authority/path?query` as the runtime understood it. */
  readonly url: string;
  /** Lower-case names; several lines of one name are one line already. */
  readonly fields: Headers;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly hasBody: boolean;
  /** Output waits to be taken: hold back until `onDrain`. */
  readonly congested: boolean;
  /** Starts and holds back the request body. */
  resume(): void;
  pause(): void;
  /**
   * Sends the head of the response. A short body of known length leaves together with it, when it is whole: only then can the runtime tell
   * the length.
   * @param length Of the body; 0 for none, undefined when it is not known.
   */
  respond(status: number, fields: Headers, length: number | undefined): void;
  /** Sends a piece of the body; it is copied. */
  write(bytes: Buffer, start: number, end: number): void;
  end(): void;
  /**
   * Gives up. Before the head: a plain 502. Behind it the runtime has no way to reset the stream: it stays open without an end, so that
   * nobody takes what came for the whole, until the client leaves.
   */
  abort(): void;
}

/** What happens to it. */
export interface Http3Handler {
  onBody(bytes: Buffer): void;
  onBodyEnd(): void;
  onDrain(): void;
  /** The client gave it up, or its connection is gone. */
  onGone(): void;
}
