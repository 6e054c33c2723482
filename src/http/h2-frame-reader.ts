import { BlockCollector, type BlockLimits } from './h2-block-collector.ts';
import { tellControlFrame } from './h2-control-frames.ts';
import type { FrameSink } from './h2-frame-sink.ts';
import { Flag, FRAME_HEADER, FrameType, H2Error } from './h2-protocol.ts';
import { uint31, uint32 } from './h2-uint.ts';

const NO_BYTES = Buffer.alloc(0);
const IN_FRAMES = -1;

/**
 * Takes frames out of bytes as they come (RFC 9113 sections 4 and 6). DATA is handed on piece by piece without a copy; other
 * frames are small and handed on whole, copied only when they arrive in pieces. Checks everything that a frame alone can tell:
 * sizes, reserved stream ids, padding, order of CONTINUATION.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrame: number;
  readonly #block: BlockCollector;
  #stopped = false;
  /** Nothing has come yet: the first frame of a peer is SETTINGS (section 3.4). */
  #first = true;
  /** The beginning of a frame that has not arrived whole. */
  #held: Buffer = NO_BYTES;
  #heldBytes = 0;
  /** Content and padding still to come of the DATA frame being read; IN_FRAMES when none is. */
  #contentLeft = IN_FRAMES;
  #paddingLeft = 0;

  /** @param maxFrame Largest payload taken, bytes: our SETTINGS_MAX_FRAME_SIZE. */
  constructor(sink: FrameSink, maxFrame: number, limits: BlockLimits) {
    this.#sink = sink;
    this.#maxFrame = maxFrame;
    this.#block = new BlockCollector(limits);
  }

  /** Part of a frame, or of a field block, has come, and the rest has not. DATA does not count. */
  get incomplete(): boolean {
    return this.#heldBytes > 0 || this.#block.stream !== 0;
  }

  /** Reads nothing more; what was handed in is thrown away. */
  stop(): void {
    this.#stopped = true;
    this.#held = NO_BYTES;
    this.#heldBytes = 0;
    this.#block.drop();
  }

  /** Reads `bytes`, which follow those of the call before. */
  read(bytes: Buffer): void {
    const end = bytes.length;
    let at = 0;
    while (at < end && !this.#stopped) {
      if (this.#contentLeft !== IN_FRAMES) at = this.#readContent(bytes, at, end);
      else if (this.#heldBytes > 0) at = this.#completeHeld(bytes, at, end);
      else {
        const behind = this.#readFrame(bytes, at, end);
        if (behind === at) {
          this.#hold(bytes, at, end);
          return;
        }
        at = behind;
      }
    }
  }

  /** Reads the frame at `at`. Returns the position behind it (DATA: behind what is before its content), or `at` when it is not whole. */
  #readFrame(bytes: Buffer, at: number, end: number): number {
    if (end - at < FRAME_HEADER) return at;
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const stream = uint31(bytes, at + 5);
    if (length > this.#maxFrame) return this.#fail(H2Error.FrameSizeError, 'frame larger than allowed', end);
    if (this.#block.stream !== 0 && (type !== FrameType.Continuation || stream !== this.#block.stream))
      return this.#fail(H2Error.ProtocolError, 'a field block was interrupted', end);
    if (this.#first && (type !== FrameType.Settings || (flags & Flag.Ack) !== 0))
      return this.#fail(H2Error.ProtocolError, 'the first frame is not SETTINGS', end);
    this.#first = false;
    const from = at + FRAME_HEADER;
    if (type === FrameType.Data) return this.#beginData(bytes, from, end, stream, flags, length);
    if (end - from < length) return at;
    this.#dispatch(bytes, from, from + length, type, flags, stream);
    return from + length;
  }

  #fail(error: number, reason: string, end: number): number {
    this.stop();
    this.#sink.onFrameError(error, reason);
    return end;
  }

  // ---- frames in pieces ----

  #hold(bytes: Buffer, start: number, end: number): void {
    const needed = this.#heldBytes + end - start;
    if (this.#held.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(64, needed));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes = needed;
  }

  /** Adds to the frame that is held no more than it needs. */
  #completeHeld(bytes: Buffer, at: number, end: number): number {
    const held = this.#heldBytes;
    if (held < FRAME_HEADER) {
      const take = Math.min(FRAME_HEADER - held, end - at);
      this.#hold(bytes, at, at + take);
      return this.#readHeld(at + take);
    }
    const length = (this.#held[0]! << 16) | (this.#held[1]! << 8) | this.#held[2]!;
    // Of DATA only the pad length is waited for.
    const wanted = FRAME_HEADER + (this.#held[3] === FrameType.Data ? 1 : length);
    if (this.#held.length < wanted) {
      const grown = Buffer.allocUnsafe(wanted);
      this.#held.copy(grown, 0, 0, held);
      this.#held = grown;
    }
    const take = Math.min(wanted - held, end - at);
    this.#hold(bytes, at, at + take);
    return held + take < wanted ? at + take : this.#readHeld(at + take);
  }

  /** Reads what is held, if that is enough. Returns `at`. */
  #readHeld(at: number): number {
    const held = this.#held;
    const length = this.#heldBytes;
    if (length < FRAME_HEADER) return at;
    this.#heldBytes = 0;
    const behind = this.#readFrame(held, 0, length);
    if (behind > 0) this.#held = NO_BYTES;
    else this.#heldBytes = length;
    return at;
  }

  // ---- DATA ----

  #beginData(
    bytes: Buffer,
    from: number,
    end: number,
    stream: number,
    flags: number,
    length: number,
  ): number {
    if (stream === 0) return this.#fail(H2Error.ProtocolError, 'DATA on stream 0', end);
    const padded = (flags & Flag.Padded) !== 0;
    if (padded && length === 0) return this.#fail(H2Error.FrameSizeError, 'no room for the pad length', end);
    if (padded && from === end) return from - FRAME_HEADER;
    const padding = padded ? bytes[from]! : 0;
    if (padded && padding >= length) return this.#fail(H2Error.ProtocolError, 'more padding than frame', end);
    this.#contentLeft = padded ? length - 1 - padding : length;
    this.#paddingLeft = padding;
    this.#sink.onDataFrame(stream, length, (flags & Flag.EndStream) !== 0);
    if (!this.#stopped && this.#contentLeft === 0 && padding === 0) this.#endData();
    return padded ? from + 1 : from;
  }

  #readContent(bytes: Buffer, start: number, end: number): number {
    let at = start;
    const content = Math.min(this.#contentLeft, end - at);
    if (content > 0) {
      this.#contentLeft -= content;
      this.#sink.onDataBytes(bytes, at, at + content);
      if (this.#stopped) return end;
      at += content;
    }
    if (this.#contentLeft > 0) return at;
    const padding = Math.min(this.#paddingLeft, end - at);
    this.#paddingLeft -= padding;
    if (this.#paddingLeft === 0) this.#endData();
    return at + padding;
  }

  #endData(): void {
    this.#contentLeft = IN_FRAMES;
    this.#sink.onDataFrameEnd();
  }

  // ---- the others ----

  #dispatch(bytes: Buffer, start: number, end: number, type: number, flags: number, stream: number): void {
    switch (type) {
      case FrameType.Headers:
        this.#beginBlock(bytes, start, end, flags, stream);
        break;
      case FrameType.Continuation:
        this.#continueBlock(bytes, start, end, flags);
        break;
      case FrameType.Settings:
        this.#readSettings(bytes, start, end, flags, stream);
        break;
      default: {
        const fault = tellControlFrame(this.#sink, bytes, start, end, type, flags, stream);
        if (fault !== undefined) this.#fail(fault.error, fault.reason, end);
      }
    }
  }

  #readSettings(bytes: Buffer, start: number, end: number, flags: number, stream: number): void {
    const length = end - start;
    const ack = (flags & Flag.Ack) !== 0;
    if (stream !== 0) this.#fail(H2Error.ProtocolError, 'SETTINGS on a stream', end);
    else if (ack && length !== 0) this.#fail(H2Error.FrameSizeError, 'SETTINGS ACK with values', end);
    else if (length % 6 !== 0) this.#fail(H2Error.FrameSizeError, 'SETTINGS is not a list of values', end);
    else if (ack) this.#sink.onSettingsAck();
    else {
      for (let at = start; at < end && !this.#stopped; at += 6)
        this.#sink.onSetting((bytes[at]! << 8) | bytes[at + 1]!, uint32(bytes, at + 2));
      if (!this.#stopped) this.#sink.onSettingsEnd();
    }
  }

  #beginBlock(bytes: Buffer, start: number, end: number, flags: number, stream: number): void {
    if (stream === 0) {
      this.#fail(H2Error.ProtocolError, 'HEADERS on stream 0', end);
      return;
    }
    let from = start;
    let to = end;
    const prioritised = (flags & Flag.Priority) !== 0;
    if ((flags & Flag.Padded) !== 0) {
      if (from === to) {
        this.#fail(H2Error.FrameSizeError, 'no room for the pad length', end);
        return;
      }
      to -= bytes[from++]!;
    }
    if (prioritised) from += 5;
    if (from > to) {
      this.#fail(H2Error.ProtocolError, 'more padding than frame', end);
      return;
    }
    const endsStream = (flags & Flag.EndStream) !== 0;
    if (prioritised) {
      this.#sink.onPriority(stream, uint31(bytes, from - 5));
      if (this.#stopped) return;
    }
    if ((flags & Flag.EndHeaders) !== 0) {
      this.#sink.onFieldBlock(stream, endsStream, bytes, from, to);
      return;
    }
    this.#block.begin(stream, endsStream);
    this.#collect(bytes, from, to);
  }

  #continueBlock(bytes: Buffer, start: number, end: number, flags: number): void {
    const stream = this.#block.stream;
    if (stream === 0) {
      this.#fail(H2Error.ProtocolError, 'CONTINUATION without HEADERS', end);
      return;
    }
    if (!this.#block.mayContinue()) {
      this.#fail(H2Error.EnhanceYourCalm, 'CONTINUATION without end', end);
      return;
    }
    if (start === end) this.#sink.onIdleFrame();
    if (this.#stopped || !this.#collect(bytes, start, end) || (flags & Flag.EndHeaders) === 0) return;
    const { endsStream, sizeBytes } = this.#block;
    this.#sink.onFieldBlock(stream, endsStream, this.#block.take(), 0, sizeBytes);
  }

  /** Adds to the block. Returns false when it has become too large. */
  #collect(bytes: Buffer, start: number, end: number): boolean {
    if (this.#block.add(bytes, start, end)) return true;
    this.#fail(H2Error.EnhanceYourCalm, 'the field block is too large', end);
    return false;
  }
}
