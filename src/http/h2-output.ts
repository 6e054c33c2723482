import { fieldLine, Fields } from '../model/fields.ts';
import type { Connection } from '../net/connection.ts';
import { FrameWriter } from './h2-frame-writer.ts';
import { HeadStart } from './h2-head-start.ts';
import { HeadWriter } from './h2-head-writer.ts';
import type { StreamOutput } from './h2-stream-output.ts';
import { DEFAULT_WINDOW, FRAME_HEADER, MAX_WINDOW, MIN_MAX_FRAME } from './h2-protocol.ts';

/** Content of one DATA frame at most: a larger one would keep the other streams waiting. */
const MAX_PIECE = MIN_MAX_FRAME;
/** Entries of the queue that are over, before it is cleaned up. */
const SWEEP = 64;

/** Filled for each response anew. */
const responseStart = new HeadStart();
/** Has none. */
const TRAILERS = new HeadStart();

/**
 * What the streams of one connection send (RFC 9113 section 5.2): within the windows and frame size of the peer, as long as the kernel
 * takes it, a frame of each stream in turn when they have to wait. What cannot be sent is copied and kept; who sends is held back
 * then, so that a stream keeps no more than one piece.
 */
export class ConnectionOutput {
  readonly writer: FrameWriter;
  readonly heads: HeadWriter;
  /** Window of new streams. */
  initialWindow: number = DEFAULT_WINDOW;
  window: number = DEFAULT_WINDOW;
  /** DATA frames sent. */
  dataFrames = 0;
  readonly #connection: Connection;
  /** Streams that wait for the connection, in turn. */
  readonly #queue: StreamOutput[] = [];
  #next = 0;
  #pumping = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.writer = new FrameWriter(connection);
    this.heads = new HeadWriter(this.writer);
  }

  /** The kernel does not take what we write. */
  get congested(): boolean {
    return this.#connection.bufferedBytes > 0;
  }

  /** Sends HEADERS of a request. */
  sendRequest(stream: StreamOutput, first: HeadStart, fields: Fields, endStream: boolean): void {
    this.heads.write(stream, first, fields, endStream);
    if (endStream) this.#ended(stream);
  }

  /**
   * Sends HEADERS of a response.
   * @param contentLength is told although it is not among the fields; -1 for nothing
   */
  sendResponse(stream: StreamOutput, status: number, fields: Fields, contentLength: number): void {
    if (stream.ended) return;
    responseStart.status = status;
    responseStart.contentLength = contentLength;
    this.heads.write(stream, responseStart, fields, false);
  }

  /** Sends content, or keeps it until it can be sent. Returns whether all of it was sent. */
  send(stream: StreamOutput, bytes: Buffer, start: number, end: number): boolean {
    if (stream.ended || stream.endPending || start === end) return true;
    let at = start;
    if (stream.pendingBytes === 0 && this.#next === this.#queue.length)
      at = this.#sendNow(stream, bytes, start, end);
    if (at === end || stream.ended) return true;
    stream.hold(bytes, at, end);
    this.#enqueue(stream);
    return false;
  }

  /** Ends the stream behind what waits; trailers are valid until this returns. */
  end(stream: StreamOutput, trailers: Fields | undefined): void {
    if (stream.ended || stream.endPending) return;
    if (stream.pendingBytes > 0) {
      stream.endPending = true;
      if (trailers !== undefined) stream.trailers = copyOf(trailers);
      return;
    }
    this.#end(stream, trailers);
  }

  #end(stream: StreamOutput, trailers: Fields | undefined): void {
    if (trailers !== undefined) {
      this.heads.write(stream, TRAILERS, trailers, true);
    } else if (!this.writer.endStreamAt(stream.flagsAt, stream.flushes)) {
      this.writer.emptyData(stream.id);
      stream.wireBytes += FRAME_HEADER;
    }
    this.#ended(stream);
  }

  #ended(stream: StreamOutput): void {
    stream.ended = true;
    stream.endPending = false;
    stream.owner.onOutputEnd();
  }

  /** As much as windows, frame size and kernel allow. Returns the position behind. */
  #sendNow(stream: StreamOutput, bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.congested && !stream.ended) {
      const piece = this.#piece(stream, end - at);
      if (piece <= 0) break;
      this.#data(stream, bytes, at, at + piece);
      at += piece;
    }
    return at;
  }

  #piece(stream: StreamOutput, bytes: number): number {
    return Math.min(bytes, stream.window, this.window, MAX_PIECE);
  }

  #data(stream: StreamOutput, bytes: Buffer, start: number, end: number): void {
    const { writer } = this;
    const length = end - start;
    stream.window -= length;
    this.window -= length;
    stream.sentBytes += length;
    stream.wireBytes += length + FRAME_HEADER;
    this.dataFrames++;
    stream.flagsAt = writer.data(stream.id, 0, bytes, start, end);
    stream.flushes = writer.flushes;
  }

  #enqueue(stream: StreamOutput): void {
    if (stream.queued || stream.window <= 0 || stream.pendingBytes === 0) return;
    stream.queued = true;
    this.#queue.push(stream);
  }

  /** Sends what waits, a frame of each stream in turn, until it is all sent or cannot be. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const queue = this.#queue;
    while (this.#next < queue.length && this.window > 0 && !this.congested) {
      const stream = queue[this.#next++]!;
      stream.queued = false;
      if (stream.ended || stream.pendingBytes === 0 || stream.window <= 0) continue;
      const { piece, offset } = stream;
      const length = this.#piece(stream, piece.length - offset);
      this.#data(stream, piece, offset, offset + length);
      stream.taken(length);
      if (stream.pendingBytes > 0) this.#enqueue(stream);
      else this.#drained(stream);
      if (this.#next >= SWEEP) this.#sweep();
    }
    if (this.#next === queue.length) this.#sweep();
    this.#pumping = false;
  }

  #sweep(): void {
    this.#queue.splice(0, this.#next);
    this.#next = 0;
  }

  #drained(stream: StreamOutput): void {
    if (!stream.endPending) {
      stream.owner.onOutputDrain();
      return;
    }
    const { trailers } = stream;
    stream.trailers = undefined;
    stream.endPending = false;
    this.#end(stream, trailers);
  }

  /** Gives a reset. Nothing follows on that stream. */
  reset(stream: StreamOutput, error: number): void {
    stream.close();
    this.writer.reset(stream.id, error);
  }

  /** The peer takes more on the connection. False when it says more than a window can hold. */
  widen(increment: number): boolean {
    this.window += increment;
    if (this.window > MAX_WINDOW) return false;
    this.pump();
    return true;
  }

  /** ... on a stream. */
  widenStream(stream: StreamOutput, increment: number): boolean {
    stream.window += increment;
    if (stream.window > MAX_WINDOW) return false;
    this.#enqueue(stream);
    this.pump();
    return true;
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE changed: so does the window of every open stream (section 6.9.2). */
  setInitialWindow(bytes: number, streams: Iterable<{ readonly out: StreamOutput }>): boolean {
    const difference = bytes - this.initialWindow;
    this.initialWindow = bytes;
    for (const { out } of streams) {
      out.window += difference;
      if (out.window > MAX_WINDOW) return false;
      this.#enqueue(out);
    }
    this.pump();
    return true;
  }
}

/** Fields that live on when those of the codec are gone. */
function copyOf(fields: Fields): Fields {
  const copy = new Fields();
  for (const line of fields.written()) {
    const colon = line.indexOf(':');
    copy.add(fieldLine(line.slice(0, colon), line.slice(colon + 2)));
  }
  return copy;
}
