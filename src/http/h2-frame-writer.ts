import type { Connection } from '../net/connection.ts';
import { OutBuffer } from '../net/out-buffer.ts';
import { atBatchEnd, type BatchTask } from '../net/turn.ts';
import { Flag, FRAME_HEADER, FrameType } from './h2-protocol.ts';

/** Usual size of a buffer in which frames are collected, bytes: sent early when it is full. */
const BUFFER_BYTES = 144 * 1024;
/** Buffers kept for connections that are silent now. */
const MAX_SPARE = 16;

const spare: OutBuffer[] = [];

function uint32(out: OutBuffer, value: number): void {
  const { bytes, length } = out;
  bytes[length] = value >>> 24;
  bytes[length + 1] = value >>> 16;
  bytes[length + 2] = value >>> 8;
  bytes[length + 3] = value;
  out.length = length + 4;
}

/**
 * Writes frames (RFC 9113 sections 4 and 6). All that is written to a connection within a batch, by however many streams, leaves in one
 * write. Nothing is sent on a closed connection.
 */
export class FrameWriter implements BatchTask {
  /** Counts the writes, so that who remembers a place in the buffer can tell whether it is still there. */
  #flushes = 0;
  readonly #connection: Connection;
  #out: OutBuffer | undefined = undefined;
  #asked = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get flushes(): number {
    return this.#flushes;
  }

  /** The buffer with at least `room` bytes free, for who puts frames together himself. */
  open(room: number): OutBuffer {
    let out = this.#out;
    if (out !== undefined && out.room < room) {
      this.flush();
      out = this.#out;
    }
    if (out === undefined) {
      out = spare.pop() ?? new OutBuffer(BUFFER_BYTES);
      out.reserve(room);
      this.#out = out;
    }
    if (!this.#asked) {
      this.#asked = true;
      atBatchEnd(this);
    }
    return out;
  }

  /** Writes a frame header; the caller appends `length` bytes, for which there is room. Returns where its flags lie. */
  header(out: OutBuffer, length: number, type: number, flags: number, stream: number): number {
    const { bytes, length: at } = out;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = stream >>> 24;
    bytes[at + 6] = stream >>> 16;
    bytes[at + 7] = stream >>> 8;
    bytes[at + 8] = stream;
    out.length = at + FRAME_HEADER;
    return at + 4;
  }

  /** One DATA frame with `bytes[start, end)`. Returns where its flags lie, for `endStreamAt`. */
  data(stream: number, flags: number, bytes: Buffer, start: number, end: number): number {
    const length = end - start;
    const out = this.open(FRAME_HEADER + length);
    const at = this.header(out, length, FrameType.Data, flags, stream);
    out.copy(bytes, start, end);
    return at;
  }

  /** Begins HEADERS: the caller puts the block behind what is there and calls `endHeaders` with what this returned. */
  beginHeaders(out: OutBuffer, stream: number): number {
    return this.header(out, 0, FrameType.Headers, Flag.None, stream) - 4;
  }

  /**
   * Ends HEADERS: everything behind the header at `at` is the block. What is more than `maxFrame` bytes goes into CONTINUATION frames; for
   * their headers there must be room.
   * @returns where the flags of HEADERS lie, for `endStreamAt`.
   */
  endHeaders(out: OutBuffer, at: number, stream: number, endStream: boolean, maxFrame: number): number {
    const { bytes } = out;
    const start = at + FRAME_HEADER;
    const end = out.length;
    const frames = Math.max(1, Math.ceil((end - start) / maxFrame));
    // From the last to the first, each moves behind by the headers that are in front of it.
    for (let frame = frames - 1; frame >= 0; frame--) {
      const from = start + frame * maxFrame;
      const to = Math.min(from + maxFrame, end);
      const moved = from + frame * FRAME_HEADER;
      if (frame > 0) bytes.copyWithin(moved, from, to);
      const flags = (frame === frames - 1 ? Flag.EndHeaders : 0) | (frame === 0 && endStream ? 1 : 0);
      out.length = moved - FRAME_HEADER;
      this.header(out, to - from, frame === 0 ? FrameType.Headers : FrameType.Continuation, flags, stream);
    }
    out.length = end + (frames - 1) * FRAME_HEADER;
    return at + 4;
  }

  /**
   * Makes the frame whose flags lie at `at` the last of its stream. False when it has been sent already, that is, when `flushes` is not what it
   * was.
   */
  endStreamAt(at: number, flushes: number): boolean {
    if (flushes !== this.#flushes || this.#out === undefined) return false;
    this.#out.bytes[at]! |= Flag.EndStream;
    return true;
  }

  /** DATA without content: ends a stream whose last frame is on its way. */
  emptyData(stream: number): void {
    this.header(this.open(FRAME_HEADER), 0, FrameType.Data, Flag.EndStream, stream);
  }

  reset(stream: number, error: number): void {
    const out = this.open(FRAME_HEADER + 4);
    this.header(out, 4, FrameType.ResetStream, Flag.None, stream);
    uint32(out, error);
  }

  windowUpdate(stream: number, increment: number): void {
    const out = this.open(FRAME_HEADER + 4);
    this.header(out, 4, FrameType.WindowUpdate, Flag.None, stream);
    uint32(out, increment);
  }

  /** @param values Pairs of id and value. */
  settings(values: readonly (readonly [id: number, value: number])[]): void {
    const length = values.length * 6;
    const out = this.open(FRAME_HEADER + length);
    this.header(out, length, FrameType.Settings, Flag.None, 0);
    for (const [id, value] of values) {
      out.bytes[out.length++] = id >>> 8;
      out.bytes[out.length++] = id;
      uint32(out, value);
    }
  }

  settingsAck(): void {
    this.header(this.open(FRAME_HEADER), 0, FrameType.Settings, Flag.Ack, 0);
  }

  /** `data` has 8 bytes from `start`. */
  ping(ack: boolean, data: Buffer, start: number): void {
    const out = this.open(FRAME_HEADER + 8);
    this.header(out, 8, FrameType.Ping, ack ? Flag.Ack : Flag.None, 0);
    out.copy(data, start, start + 8);
  }

  /** @param reason For people who look at it; short. */
  goaway(lastStream: number, error: number, reason: string): void {
    const out = this.open(FRAME_HEADER + 8 + reason.length);
    this.header(out, 8 + reason.length, FrameType.Goaway, Flag.None, 0);
    uint32(out, lastStream);
    uint32(out, error);
    out.text(reason);
  }

  /** Gives the connection what was collected. */
  flush(): void {
    const out = this.#out;
    if (out === undefined) return;
    this.#out = undefined;
    this.#flushes++;
    const { length } = out;
    out.length = 0;
    if (!this.#connection.closed) {
      this.#connection.write(out.bytes, 0, length);
      // What is small was copied, what is large was sent: the buffer is free either way.
      this.#connection.flush();
    }
    if (out.bytes.length === BUFFER_BYTES && spare.length < MAX_SPARE) spare.push(out);
  }

  onBatchEnd(): void {
    this.#asked = false;
    this.flush();
  }
}
