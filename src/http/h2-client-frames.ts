import { Conduct } from './h2-conduct.ts';
import { EndpointSettings } from './h2-client-peer-settings.ts';
import type { H2EndpointStream } from './h2-client-stream.ts';
import type { EndpointStreams } from './h2-client-streams.ts';
import type { FrameSink } from './h2-frame-sink.ts';
import type { ConnectionOutput } from './h2-output.ts';
import { H2Error } from './h2-protocol.ts';
import { responseBlock, type ResponseMemo } from './h2-response.ts';

/** What an endpoint may send that is of no use: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty and unknown frames. */
const IDLE_FRAMES = { burst: 1000, perSecond: 100 };
const RESETS = { burst: 1000, perSecond: 100 };
/** The connection's own window is never what limits: streams have windows of their own, and one that is slow must not stop the others. */
const CONNECTION_CREDIT = 1 << 30;

/** Whose endpoint sends the frames. */
export interface EndpointFramesOwner {
  readonly output: ConnectionOutput;
  readonly memo: ResponseMemo;
  /** SETTINGS of the endpoint are in force. */
  onSettings(): void;
  onSettingsAck(): void;
  /** No stream above `lastStream` is served. */
  onGoaway(lastStream: number, error: number): void;
  /** The endpoint broke the rules for the connection. */
  onFrameError(error: number, reason: string): void;
}

/** What the frames of an endpoint do (RFC 9113 section 6). */
export class EndpointFrames implements FrameSink {
  readonly settings: EndpointSettings = new EndpointSettings();
  readonly #owner: EndpointFramesOwner;
  readonly #output: ConnectionOutput;
  readonly #streams: EndpointStreams;
  readonly #conduct = new Conduct(RESETS, IDLE_FRAMES);
  /** Bytes taken of the connection's window that the endpoint was not told of. */
  #credit = 0;
  /** Whose DATA is being read. */
  #reading: H2EndpointStream | undefined = undefined;
  #readingEnd = false;

  constructor(owner: EndpointFramesOwner, streams: EndpointStreams) {
    this.#owner = owner;
    this.#output = owner.output;
    this.#streams = streams;
  }

  /** A request is sent: it is good for some frames. */
  onRequest(): void {
    this.#conduct.onRequest(IDLE_FRAMES);
  }

  /** A stream is over: the rest of its DATA is for nobody. */
  forget(stream: H2EndpointStream): void {
    if (this.#reading === stream) this.#reading = undefined;
  }

  /** A frame of no use. Returns whether there may be another. */
  #mayIdle(): boolean {
    if (this.#conduct.mayControl(IDLE_FRAMES, this.#output.dataFrames)) return true;
    this.onFrameError(H2Error.EnhanceYourCalm, 'too many frames of no use');
    return false;
  }

  /** Whether the stream was opened; one that was not is an error of the connection. */
  #wasOpened(stream: number): boolean {
    if (this.#streams.wasOpened(stream)) return true;
    this.onFrameError(H2Error.ProtocolError, 'a frame on a stream that was not opened');
    return false;
  }

  onDataFrame(id: number, length: number, endStream: boolean): void {
    this.#credit += length;
    if (this.#credit > CONNECTION_CREDIT) {
      this.#output.writer.windowUpdate(0, this.#credit);
      this.#credit = 0;
    }
    const stream = this.#streams.get(id);
    this.#reading = stream;
    this.#readingEnd = endStream;
    if (length === 0 && !endStream && !this.#mayIdle()) return;
    if (stream !== undefined) stream.onFrame(length);
    else if (this.#wasOpened(id) && !this.#streams.mayStray(length))
      this.onFrameError(H2Error.FlowControlError, 'more than the windows of streams that were reset');
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    this.#reading?.onContent(bytes, start, end);
  }

  onDataFrameEnd(): void {
    const stream = this.#reading;
    this.#reading = undefined;
    stream?.onFrameEnd(this.#readingEnd);
  }

  onFieldBlock(id: number, endStream: boolean, block: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (!this.#wasOpened(id)) return;
      if (!this.#streams.mayStrayBlock()) {
        this.onFrameError(H2Error.EnhanceYourCalm, 'too many heads on streams that were reset');
        return;
      }
    }
    const decoded =
      stream === undefined
        ? responseBlock.skip(this.#owner.memo.decoder, block, start, end) === undefined
        : stream.onFields(endStream, block, start, end);
    if (!decoded) this.onFrameError(H2Error.CompressionError, 'a field block cannot be decoded');
  }

  onPriority(): void {
    this.#mayIdle();
  }

  onReset(id: number, error: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) stream.onReset(error);
    else this.#wasOpened(id);
  }

  onSetting(id: number, value: number): void {
    const refused = this.settings.apply(this.#output, this.#streams.all, id, value);
    if (refused !== undefined) this.onFrameError(refused.error, refused.reason);
  }

  onSettingsEnd(): void {
    if (!this.#mayIdle()) return;
    this.#output.writer.settingsAck();
    this.#owner.onSettings();
  }

  onSettingsAck(): void {
    this.#owner.onSettingsAck();
  }

  onPing(ack: boolean, data: Buffer, start: number): void {
    if (!ack && this.#mayIdle()) this.#output.writer.ping(true, data, start);
  }

  onGoaway(lastStream: number, error: number): void {
    this.#owner.onGoaway(lastStream, error);
  }

  onWindowUpdate(id: number, increment: number): void {
    if (!this.#mayIdle()) return;
    if (id === 0) {
      if (increment === 0) this.onFrameError(H2Error.ProtocolError, 'WINDOW_UPDATE of 0');
      else if (!this.#output.widen(increment))
        this.onFrameError(H2Error.FlowControlError, 'the window is too large');
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#wasOpened(id);
    else if (increment === 0) stream.fail('endpoint_protocol', 'WINDOW_UPDATE of 0', H2Error.ProtocolError);
    else if (!this.#output.widenStream(stream.out, increment))
      stream.fail('endpoint_protocol', 'the window is too large', H2Error.FlowControlError);
  }

  onIdleFrame(): void {
    this.#mayIdle();
  }

  onFrameError(error: number, reason: string): void {
    this.#owner.onFrameError(error, reason);
  }
}
