import type { FailureCode } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import type { CloseCause, Connection, ConnectionHandler } from '../net/connection.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import { atBatchEnd, type BatchTask } from '../net/turn.ts';
import { H2EndpointStream, STREAM_WINDOW } from './h2-client-stream.ts';
import { Conduct } from './h2-conduct.ts';
import { FrameReader, type FrameSink } from './h2-frame-reader.ts';
import { ConnectionOutput } from './h2-output.ts';
import {
  DEFAULT_WINDOW,
  H2Error,
  h2ErrorName,
  MAX_MAX_FRAME,
  MAX_STREAM_ID,
  MAX_WINDOW,
  MIN_MAX_FRAME,
  PREFACE,
  Setting,
} from './h2-protocol.ts';
import { headListBytes, writeRequestHead } from './h2-request-head.ts';
import { responseBlock, ResponseMemo } from './h2-response.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { MAX_INTERIM } from './h1-client.ts';
import { MAX_RESPONSE_HEAD } from './h1-response.ts';
import { StreamTable } from './h2-stream-table.ts';

/** Who keeps connections of HTTP/2 to an endpoint. */
export interface H2ConnectionOwner {
  /** The endpoint has said what it allows: streams may be opened. */
  onReady(connection: H2EndpointConnection): void;
  /** It ended before that. */
  onUnready(connection: H2EndpointConnection, code: FailureCode, detail: string): void;
  /** A stream has ended, or more are allowed. */
  onRoom(connection: H2EndpointConnection): void;
  /** The connection is gone. Called once, unless `onUnready` was. */
  onGone(connection: H2EndpointConnection): void;
}

/** How connections of HTTP/2 behave: milliseconds and counts. Read whenever needed. */
export interface H2ClientSettings {
  readonly response: number;
  readonly responseBody: number;
  readonly idle: number;
  /** For the endpoint's SETTINGS to arrive. */
  readonly connect: number;
  /** Streams at a time, at most. */
  readonly streams: number;
  /** Silence after which a PING is sent; 0 for never. */
  readonly pingInterval: number;
  /** How long an answer to PING may take. */
  readonly pingTimeout: number;
}

const HEADER_TABLE_BYTES = 4096;
/** A field block of a response: HEADERS and CONTINUATION, compressed. */
const BLOCK_LIMITS = { blockBytes: MAX_RESPONSE_HEAD, continuations: 16 };
/** What an endpoint may send that is of no use: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty and unknown frames. */
const IDLE_FRAMES = { burst: 1000, perSecond: 100 };
const RESETS = { burst: 1000, perSecond: 100 };
/** How long the endpoint may take to acknowledge our SETTINGS, milliseconds. */
const SETTINGS_ACK_MS = 10_000;
/** The connection's own window is never what limits: streams have windows of their own, and one that is slow must not stop the others. */
const CONNECTION_CREDIT = 1 << 30;
const MAX_SPARE_STREAMS = 128;
/** Field blocks of one response at most: interim heads, the head, trailers. */
const MAX_BLOCKS = MAX_INTERIM + 2;
const PING_DATA = Buffer.from('pointsmn', 'latin1');
const HTTP1 = Buffer.from('HTTP/', 'latin1');

/** The back of HTTP/2: one connection to an endpoint, many exchanges at a time (RFC 9113). */
export class H2EndpointConnection implements ConnectionHandler, FrameSink, BatchTask {
  readonly openedMs: number;
  readonly output: ConnectionOutput;
  readonly memo: ResponseMemo = new ResponseMemo(new HpackDecoder(HEADER_TABLE_BYTES, MAX_RESPONSE_HEAD));
  readonly timeouts: H2ClientSettings;
  readonly #connection: Connection;
  readonly #owner: H2ConnectionOwner;
  readonly #wheel: TimerWheel;
  readonly #secure: boolean;
  readonly #reader: FrameReader;
  readonly #conduct = new Conduct(RESETS, IDLE_FRAMES);
  readonly #streams = new StreamTable<H2EndpointStream>();
  readonly #spare: H2EndpointStream[] = [];
  /** Closes it when nobody uses it. */
  readonly #idle: Deadline;
  /** Ends it when SETTINGS, their acknowledgement or an answer to PING does not come. */
  readonly #watch: Deadline;
  /** Asks whether anybody is there. */
  readonly #silence: Deadline;
  /** Streams handed out that have not ended. */
  #open = 0;
  #nextId = 1;
  /** Exchanges begun on it. */
  #exchanges = 0;
  /** Exchanges that came to a good end. */
  answered = 0;
  /** Pieces read. */
  #reads = 0;
  #ready = false;
  #acknowledged = false;
  /** A PING waits for its answer: no new streams until anything comes. */
  #suspected = false;
  /** No new streams: it ends with the last one. */
  #draining = false;
  #over = false;
  #peerStreams = Number.POSITIVE_INFINITY;
  #connectProtocol = false;
  /** The largest field list that the endpoint takes, bytes. */
  #peerListBytes = Number.POSITIVE_INFINITY;
  /** Bytes taken of the connection's window that the endpoint was not told of. */
  #credit = 0;
  /** Whose DATA is being read. */
  #reading: H2EndpointStream | undefined = undefined;
  #readingEnd = false;
  /** What may still come on streams that we have reset, because the endpoint had not heard of it: content in bytes, and field blocks. */
  #strayBytes = 0;
  #strayBlocks = 0;

  constructor(
    connection: Connection,
    owner: H2ConnectionOwner,
    settings: H2ClientSettings,
    wheel: TimerWheel,
    secure: boolean,
    nowMs: number,
  ) {
    this.#connection = connection;
    this.#owner = owner;
    this.timeouts = settings;
    this.#wheel = wheel;
    this.#secure = secure;
    this.openedMs = nowMs;
    this.output = new ConnectionOutput(connection);
    this.#reader = new FrameReader(this, MIN_MAX_FRAME, BLOCK_LIMITS);
    this.#idle = new Deadline(wheel, { onDeadline: () => this.retire() });
    this.#watch = new Deadline(wheel, { onDeadline: () => this.#onWatch() });
    this.#silence = new Deadline(wheel, { onDeadline: () => this.#ask() });
    if (secure && connection.tls?.alpn !== 'h2') atBatchEnd(this);
    else this.#greet();
  }

  /** The handshake of TLS did not agree on HTTP/2. */
  onBatchEnd(): void {
    this.#lose('connect_failed', 'the endpoint does not offer h2 (ALPN)', 'closed');
  }

  #greet(): void {
    const { writer } = this.output;
    writer.open(PREFACE.length).line(PREFACE);
    writer.settings([
      [Setting.EnablePush, 0],
      [Setting.InitialWindowSize, STREAM_WINDOW],
      [Setting.MaxHeaderListSize, MAX_RESPONSE_HEAD],
    ]);
    writer.windowUpdate(0, MAX_WINDOW - DEFAULT_WINDOW);
    this.#watch.start(this.timeouts.connect);
  }

  // ---- what the owner asks ----

  /** Streams that may be opened now. */
  get room(): number {
    if (!this.#ready || this.#draining || this.#suspected) return 0;
    return Math.min(this.timeouts.streams, this.#peerStreams) - this.#open;
  }

  get busy(): boolean {
    return this.#open > 0;
  }

  /**
   * Why the endpoint would not take this request; undefined when it would. Some close the connection on a head that is larger than they have
   * said, and with it what others have under way.
   */
  objection(head: RequestHead): FailureCode | undefined {
    if (head.upgrade !== '' && !this.#connectProtocol) return 'endpoint_upgrade';
    if (this.#peerListBytes === Number.POSITIVE_INFINITY || headListBytes(head) <= this.#peerListBytes)
      return undefined;
    return 'request_head_too_large';
  }

  /** A stream for one exchange; there is room. Its `sendRequest` follows at once. */
  open(): H2EndpointStream {
    this.#open++;
    this.#idle.stop();
    return this.#spare.pop() ?? new H2EndpointStream(this, this.#wheel);
  }

  /** Takes no new streams, and ends with the last one. */
  drain(): void {
    if (this.#over) return;
    this.#draining = true;
    if (this.#open === 0) this.retire();
  }

  /** Ends in good order; there is no stream. */
  retire(): void {
    if (this.#over) return;
    this.output.writer.goaway(0, H2Error.NoError, '');
    this.#finish();
    this.#connection.close();
    this.#owner.onGone(this);
  }

  /** Fails the exchanges that the endpoint has not begun to answer. */
  failUnanswered(code: FailureCode, detail: string): void {
    for (const stream of this.#streams.all.slice()) stream.failUnanswered(code, detail);
  }

  // ---- what streams ask ----

  /** Sends the head of a request. */
  begin(stream: H2EndpointStream, head: RequestHead, endStream: boolean): void {
    stream.id = this.#nextId;
    this.#nextId += 2;
    if (this.#nextId > MAX_STREAM_ID) this.#draining = true;
    stream.reused = this.#exchanges++ > 0;
    stream.readsBefore = this.#reads;
    stream.out.begin(stream.id, this.output.initialWindow);
    this.#streams.add(stream);
    this.#conduct.onRequest(IDLE_FRAMES);
    writeRequestHead(this.output, stream.out, head, this.#secure, endStream);
  }

  /** A stream is over. `error`: what the endpoint is told with RST_STREAM; -1 for nothing. */
  end(stream: H2EndpointStream, error: number): void {
    if (this.#reading === stream) this.#reading = undefined;
    this.#open--;
    if (stream.id > 0) {
      this.#streams.remove(stream);
      if (error >= 0 && !this.#over) {
        this.#strayBytes += Math.max(0, stream.windowLeft);
        this.#strayBlocks += MAX_BLOCKS;
        this.output.reset(stream.out, error);
      } else stream.out.close();
      stream.id = 0;
    }
    if (this.#over) return;
    if (this.#open === 0) {
      if (this.#draining) {
        this.retire();
        return;
      }
      this.#idle.start(this.timeouts.idle);
    }
    if (!this.#draining) this.#owner.onRoom(this);
  }

  /** Nobody has a stream that is over any longer: it may serve again. */
  recycle(stream: H2EndpointStream): void {
    if (this.#spare.length < MAX_SPARE_STREAMS) this.#spare.push(stream);
  }

  /** A stream has waited in vain. If nothing else came either, the endpoint may be gone. */
  suspect(stream: H2EndpointStream): void {
    if (stream.readsBefore === this.#reads) this.#ask();
  }

  #ask(): void {
    if (this.#suspected || this.#over || !this.#ready) return;
    this.#suspected = true;
    this.output.writer.ping(false, PING_DATA, 0);
    this.#watch.start(this.timeouts.pingTimeout);
  }

  #onWatch(): void {
    if (!this.#ready) this.#lose('connect_timeout', 'no SETTINGS from the endpoint', 'error');
    else if (this.#suspected) this.#lose('endpoint_reset', 'no answer to PING', 'error');
    else if (!this.#acknowledged) this.#fail(H2Error.SettingsTimeout, 'SETTINGS not acknowledged');
  }

  // ---- events of the connection ----

  onData(bytes: Buffer): void {
    this.#reads++;
    if (this.timeouts.pingInterval > 0) this.#silence.start(this.timeouts.pingInterval);
    if (this.#suspected) {
      this.#suspected = false;
      if (this.#acknowledged) this.#watch.stop();
      else this.#watch.start(SETTINGS_ACK_MS);
      this.#owner.onRoom(this);
    }
    if (
      !this.#ready &&
      bytes.length >= HTTP1.length &&
      bytes.compare(HTTP1, 0, HTTP1.length, 0, HTTP1.length) === 0
    )
      this.#fail(H2Error.ProtocolError, 'the endpoint answers in HTTP/1');
    else this.#reader.read(bytes);
  }

  onEnd(): void {
    this.#lose('connect_failed', 'the endpoint closed the connection', 'closed');
  }

  onClose(cause: CloseCause): void {
    this.#lose('connect_failed', 'the endpoint closed the connection', cause);
  }

  onCongested(): void {}

  onDrain(): void {
    this.output.pump();
  }

  /** The connection is gone, and with it all that was on it. */
  #lose(code: FailureCode, detail: string, cause: CloseCause): void {
    if (this.#over) return;
    this.#finish();
    if (cause === 'error') this.#connection.reset();
    else this.#connection.close();
    if (!this.#ready) {
      this.#owner.onUnready(this, code, detail);
      return;
    }
    this.#owner.onGone(this);
    for (const stream of this.#streams.all.slice()) {
      const stale = this.answered > 0 && stream.readsBefore === this.#reads;
      stream.onConnectionLost(cause, stale);
    }
  }

  /** The endpoint broke the rules for the connection: it is told, and nothing of the connection can be used. */
  #fail(error: number, reason: string): void {
    if (this.#over) return;
    const detail = `${h2ErrorName(error)}: ${reason}`;
    this.output.writer.goaway(0, error, reason);
    this.#finish();
    this.#connection.close();
    if (!this.#ready) {
      this.#owner.onUnready(this, 'connect_failed', detail);
      return;
    }
    this.#owner.onGone(this);
    for (const stream of this.#streams.all.slice()) stream.fail('endpoint_protocol', detail, -1);
  }

  #finish(): void {
    this.#over = true;
    this.#reader.stop();
    this.output.writer.flush();
    this.#idle.cancel();
    this.#watch.cancel();
    this.#silence.cancel();
  }

  // ---- frames ----

  /** A frame of no use. Returns whether there may be another. */
  #mayIdle(): boolean {
    if (this.#conduct.mayControl(IDLE_FRAMES, this.output.dataFrames)) return true;
    this.#fail(H2Error.EnhanceYourCalm, 'too many frames of no use');
    return false;
  }

  /** Whether the stream was opened; one that was not is an error of the connection. */
  #wasOpened(stream: number): boolean {
    if (stream < this.#nextId && (stream & 1) === 1) return true;
    this.#fail(H2Error.ProtocolError, 'a frame on a stream that was not opened');
    return false;
  }

  onDataFrame(id: number, length: number, endStream: boolean): void {
    this.#credit += length;
    if (this.#credit > CONNECTION_CREDIT) {
      this.output.writer.windowUpdate(0, this.#credit);
      this.#credit = 0;
    }
    const stream = this.#streams.get(id);
    this.#reading = stream;
    this.#readingEnd = endStream;
    if (length === 0 && !endStream && !this.#mayIdle()) return;
    if (stream !== undefined) stream.onFrame(length);
    else if (this.#wasOpened(id) && (this.#strayBytes -= length) < 0)
      this.#fail(H2Error.FlowControlError, 'more than the windows of streams that were reset');
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
      if (this.#strayBlocks-- <= 0) {
        this.#fail(H2Error.EnhanceYourCalm, 'too many heads on streams that were reset');
        return;
      }
    }
    const decoded =
      stream === undefined
        ? responseBlock.skip(this.memo.decoder, block, start, end) === undefined
        : stream.onFields(endStream, block, start, end);
    if (!decoded) this.#fail(H2Error.CompressionError, 'a field block cannot be decoded');
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
    switch (id) {
      case Setting.HeaderTableSize:
        this.output.heads.encoder.setPeerTableSize(value);
        break;
      case Setting.EnablePush:
        if (value !== 0) this.#fail(H2Error.ProtocolError, 'ENABLE_PUSH by a server');
        break;
      case Setting.MaxConcurrentStreams:
        this.#peerStreams = value;
        break;
      case Setting.InitialWindowSize:
        if (value > MAX_WINDOW || !this.output.setInitialWindow(value, this.#streams.all))
          this.#fail(H2Error.FlowControlError, 'INITIAL_WINDOW_SIZE is too large');
        break;
      case Setting.MaxFrameSize:
        if (value < MIN_MAX_FRAME || value > MAX_MAX_FRAME)
          this.#fail(H2Error.ProtocolError, 'MAX_FRAME_SIZE is out of range');
        else this.output.heads.maxFrame = value;
        break;
      case Setting.MaxHeaderListSize:
        this.#peerListBytes = value;
        break;
      case Setting.EnableConnectProtocol:
        if (value > 1 || (value === 0 && this.#connectProtocol))
          this.#fail(H2Error.ProtocolError, 'ENABLE_CONNECT_PROTOCOL is out of range');
        else this.#connectProtocol = value === 1;
        break;
      default:
        break;
    }
  }

  onSettingsEnd(): void {
    if (!this.#mayIdle()) return;
    this.output.writer.settingsAck();
    if (this.#ready) {
      this.#owner.onRoom(this);
      return;
    }
    this.#ready = true;
    if (!this.#acknowledged) this.#watch.start(SETTINGS_ACK_MS);
    this.#idle.start(this.timeouts.idle);
    this.#owner.onReady(this);
  }

  onSettingsAck(): void {
    this.#acknowledged = true;
    if (this.#ready && !this.#suspected) this.#watch.stop();
  }

  onPing(ack: boolean, data: Buffer, start: number): void {
    if (!ack && this.#mayIdle()) this.output.writer.ping(true, data, start);
  }

  onGoaway(lastStream: number, error: number): void {
    this.#draining = true;
    const detail = `GOAWAY ${h2ErrorName(error)}`;
    for (const stream of this.#streams.all.slice())
      if (stream.id > lastStream) stream.fail('endpoint_goaway', detail, -1);
    if (this.#open === 0) this.retire();
  }

  onWindowUpdate(id: number, increment: number): void {
    if (!this.#mayIdle()) return;
    if (id === 0) {
      if (increment === 0) this.#fail(H2Error.ProtocolError, 'WINDOW_UPDATE of 0');
      else if (!this.output.widen(increment)) this.#fail(H2Error.FlowControlError, 'the window is too large');
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#wasOpened(id);
    else if (increment === 0) stream.fail('endpoint_protocol', 'WINDOW_UPDATE of 0', H2Error.ProtocolError);
    else if (!this.output.widenStream(stream.out, increment))
      stream.fail('endpoint_protocol', 'the window is too large', H2Error.FlowControlError);
  }

  onIdleFrame(): void {
    this.#mayIdle();
  }

  onFrameError(error: number, reason: string): void {
    this.#fail(error, reason);
  }
}
