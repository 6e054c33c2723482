import type { FrameWriter } from './h2-frame-writer.ts';
import { H2Error } from './h2-protocol.ts';
import type { H2ServerStream } from './h2-server-stream.ts';

/** Bytes: what a client may send ahead, of one request body and of all together. */
export interface BodyWindows {
  readonly stream: number;
  readonly connection: number;
}

/** What became of a piece of a request body that is not as it should be. */
export interface BodyReaderOwner {
  /** The stream that is open; undefined when there is none of that id. */
  openStream(id: number): H2ServerStream | undefined;
  /** DATA came on a stream that is not open. */
  onStrayData(id: number): void;
  onFrameError(error: number, reason: string): void;
  /** The client broke the rules on one stream. */
  streamError(stream: H2ServerStream, error: number): void;
  /** More or less came than Content-Length said. */
  brokenLength(stream: H2ServerStream): void;
  onBodyEnd(stream: H2ServerStream): void;
  /** A DATA frame had so little in it, and was not the last. */
  onLittleData(content: number): void;
}

/**
 * Request bodies of one connection (RFC 9113 sections 5.2, 6.1 and 8.1.1): the windows of the client, which open as the consumers take what has
 * come, and the lengths that were promised.
 */
export class BodyReader {
  readonly #owner: BodyReaderOwner;
  readonly #writer: FrameWriter;
  readonly windows: BodyWindows;
  /** Bytes that the client may still send on the connection. */
  #window: number;
  /** Bytes taken that the client was not told of. */
  #credit = 0;
  /** The DATA frame being read: its stream, unless it is of no interest; what of it was not given to the consumer; what was. */
  #stream: H2ServerStream | undefined = undefined;
  #left = 0;
  #content = 0;
  #ends = false;
  #stopped = false;

  constructor(owner: BodyReaderOwner, writer: FrameWriter, windows: BodyWindows) {
    this.#owner = owner;
    this.#writer = writer;
    this.windows = windows;
    this.#window = windows.connection;
  }

  onDataFrame(id: number, length: number, endStream: boolean): void {
    this.#stream = undefined;
    this.#left = length;
    this.#content = 0;
    this.#ends = endStream;
    this.#window -= length;
    if (this.#window < 0) {
      this.#owner.onFrameError(H2Error.FlowControlError, 'more DATA than the connection window');
      return;
    }
    const stream = this.#owner.openStream(id);
    if (stream === undefined) {
      this.#owner.onStrayData(id);
    } else if (stream.received) {
      this.#owner.streamError(stream, H2Error.StreamClosed);
    } else if ((stream.window -= length) < 0) {
      this.#owner.streamError(stream, H2Error.FlowControlError);
    } else {
      this.#stream = stream;
      if (!stream.paused) stream.timeBody(length);
    }
  }

  /** @param bodyBytes most bytes of a body */
  onDataBytes(bytes: Buffer, start: number, end: number, bodyBytes: number): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const length = end - start;
    this.#content += length;
    stream.bodyBytes += length;
    if (stream.bodyLeft >= 0 && (stream.bodyLeft -= length) < 0) {
      this.#owner.brokenLength(stream);
    } else if (stream.bodyBytes > bodyBytes && stream.request.upgrade === '') {
      stream.fail('request_body_too_large');
    } else {
      this.#left -= length;
      stream.onContent(bytes, start, end);
      this.#took(stream, length);
    }
  }

  onDataFrameEnd(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    // Padding, or all of it when nobody wants it.
    if (stream === undefined) this.giveBack(this.#left);
    else this.#took(stream, this.#left);
    if (!this.#ends) this.#owner.onLittleData(this.#content);
    else if (stream === undefined || stream.over) return;
    else if (stream.bodyLeft > 0) this.#owner.brokenLength(stream);
    else this.#owner.onBodyEnd(stream);
  }

  /** The consumer took bytes: the client may send as many more, unless the consumer holds back. */
  #took(stream: H2ServerStream, bytes: number): void {
    if (bytes === 0) return;
    if (!stream.over && stream.paused) {
      stream.withheld += bytes;
      return;
    }
    this.giveBack(bytes);
    if (!stream.over) this.#widen(stream, bytes);
  }

  /** Told in few frames: when half of a window is free again. */
  #widen(stream: H2ServerStream, bytes: number): void {
    stream.credit += bytes;
    if (stream.received || stream.credit < this.windows.stream / 2) return;
    stream.window += stream.credit;
    this.#writer.windowUpdate(stream.id, stream.credit);
    stream.credit = 0;
  }

  /** Bytes of the connection's window are free again. */
  giveBack(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit < this.windows.connection / 2 || this.#stopped) return;
    this.#window += this.#credit;
    this.#writer.windowUpdate(0, this.#credit);
    this.#credit = 0;
  }

  /** The consumer takes content again. */
  resumed(stream: H2ServerStream): void {
    const { withheld } = stream;
    stream.withheld = 0;
    this.#took(stream, withheld);
  }

  /** The request is whole, or over: what is withheld is of no concern any more. */
  release(stream: H2ServerStream): void {
    const { withheld } = stream;
    stream.withheld = 0;
    this.giveBack(withheld);
    if (stream.over && this.#stream === stream) this.#stream = undefined;
  }

  /** Nothing more is asked for. */
  stop(): void {
    this.#stopped = true;
  }
}
