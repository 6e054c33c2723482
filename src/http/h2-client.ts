import type { FailureCode } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import type { CloseCause, Connection, ConnectionHandler } from '../net/connection.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import { atBatchEnd, type BatchTask } from '../net/turn.ts';
import { EndpointFrames, type EndpointFramesOwner } from './h2-client-frames.ts';
import type { H2ClientSettings } from './h2-client-settings.ts';
import { H2EndpointStream } from './h2-client-stream.ts';
import { EndpointStreams } from './h2-client-streams.ts';
import { EndpointWatch, type WatchedConnection } from './h2-client-watch.ts';
import { FrameReader } from './h2-frame-reader.ts';
import { ConnectionOutput } from './h2-output.ts';
import {
  DEFAULT_WINDOW,
  H2Error,
  h2ErrorName,
  MAX_WINDOW,
  MIN_MAX_FRAME,
  PREFACE,
  Setting,
} from './h2-protocol.ts';
import { writeRequestHead } from './h2-request-head.ts';
import { STREAM_WINDOW } from './h2-response-window.ts';
import { ResponseMemo } from './h2-response.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { MAX_RESPONSE_HEAD } from './h1-response.ts';
import { CERTIFICATE_REFUSED } from './streams.ts';

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

const HEADER_TABLE_BYTES = 4096;
/** A field block of a response: HEADERS and CONTINUATION, compressed. */
const BLOCK_LIMITS = { blockBytes: MAX_RESPONSE_HEAD, continuations: 16 };
const HTTP1 = Buffer.from('HTTP/', 'latin1');

/** The back of HTTP/2: one connection to an endpoint, many exchanges at a time (RFC 9113). */
export class H2EndpointConnection
  implements ConnectionHandler, EndpointFramesOwner, WatchedConnection, BatchTask
{
  readonly openedMs: number;
  readonly output: ConnectionOutput;
  readonly memo: ResponseMemo = new ResponseMemo(new HpackDecoder(HEADER_TABLE_BYTES, MAX_RESPONSE_HEAD));
  readonly timeouts: H2ClientSettings;
  readonly #connection: Connection;
  readonly #owner: H2ConnectionOwner;
  readonly #wheel: TimerWheel;
  readonly #secure: boolean;
  readonly #reader: FrameReader;
  readonly #frames: EndpointFrames;
  readonly #streams: EndpointStreams;
  readonly #watch: EndpointWatch;
  /** Closes it when nobody uses it. */
  readonly #idle: Deadline;
  /** Exchanges that came to a good end. */
  answered = 0;
  /** Pieces read. */
  #reads = 0;
  /** No new streams: it ends with the last one. */
  #draining = false;
  #over = false;

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
    this.#streams = new EndpointStreams(this.output);
    this.#frames = new EndpointFrames(this, this.#streams);
    this.#reader = new FrameReader(this.#frames, MIN_MAX_FRAME, BLOCK_LIMITS);
    this.#idle = new Deadline(wheel, { onDeadline: () => this.retire() });
    this.#watch = new EndpointWatch(this, wheel);
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
    this.#watch.begin();
  }

  // ---- what the owner asks ----

  /** Streams that may be opened now. */
  get room(): number {
    if (!this.#watch.ready || this.#draining || this.#watch.suspected) return 0;
    return Math.min(this.timeouts.streams, this.#frames.settings.maxStreams) - this.#streams.busy;
  }

  get busy(): boolean {
    return this.#streams.busy > 0;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why the endpoint would not take this request; undefined when it would. */
  objection(head: RequestHead): FailureCode | undefined {
    return this.#frames.settings.objection(head);
  }

  /** A stream for one exchange; there is room. Its `sendRequest` follows at once. */
  open(): H2EndpointStream {
    this.#streams.busy++;
    this.#idle.stop();
    return this.#streams.spare() ?? new H2EndpointStream(this, this.#wheel);
  }

  /** Takes no new streams, and ends with the last one. */
  drain(): void {
    if (this.#over) return;
    this.#draining = true;
    if (this.#streams.busy === 0) this.retire();
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
    this.#streams.begin(stream);
    if (this.#streams.exhausted) this.#draining = true;
    stream.readsBefore = this.#reads;
    this.#frames.onRequest();
    writeRequestHead(this.output, stream.out, head, this.#secure, endStream);
  }

  /** A stream is over. `error`: what the endpoint is told with RST_STREAM; -1 for nothing. */
  end(stream: H2EndpointStream, error: number): void {
    this.#frames.forget(stream);
    this.#streams.end(stream, this.#over ? -1 : error);
    if (this.#over) return;
    if (this.#streams.busy === 0) {
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
    this.#streams.recycle(stream);
  }

  /** A stream has waited in vain. If nothing else came either, the endpoint may be gone. */
  suspect(stream: H2EndpointStream): void {
    if (stream.readsBefore === this.#reads) this.#watch.ask();
  }

  // ---- events of the connection ----

  onData(bytes: Buffer): void {
    this.#reads++;
    if (this.#watch.onData()) this.#owner.onRoom(this);
    if (
      !this.#watch.ready &&
      bytes.length >= HTTP1.length &&
      bytes.compare(HTTP1, 0, HTTP1.length, 0, HTTP1.length) === 0
    )
      this.onFrameError(H2Error.ProtocolError, 'the endpoint answers in HTTP/1');
    else this.#reader.read(bytes);
  }

  onEnd(): void {
    this.#lose('connect_failed', 'the endpoint closed the connection', 'closed');
  }

  onClose(cause: CloseCause): void {
    if (cause === 'refused') this.#lose('tls_alert', CERTIFICATE_REFUSED, cause);
    else this.#lose('connect_failed', 'the endpoint closed the connection', cause);
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
    if (!this.#watch.ready) {
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
  onFrameError(error: number, reason: string): void {
    if (this.#over) return;
    const detail = `${h2ErrorName(error)}: ${reason}`;
    this.output.writer.goaway(0, error, reason);
    this.#finish();
    this.#connection.close();
    if (!this.#watch.ready) {
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
  }

  onSilent(code: FailureCode, detail: string): void {
    this.#lose(code, detail, 'error');
  }

  // ---- what the frames say of the connection ----

  onSettings(): void {
    if (this.#watch.ready) {
      this.#owner.onRoom(this);
      return;
    }
    this.#watch.onSettings();
    this.#idle.start(this.timeouts.idle);
    this.#owner.onReady(this);
  }

  onSettingsAck(): void {
    this.#watch.onSettingsAck();
  }

  onGoaway(lastStream: number, error: number): void {
    this.#draining = true;
    const detail = `GOAWAY ${h2ErrorName(error)}`;
    for (const stream of this.#streams.all.slice())
      if (stream.id > lastStream) stream.fail('endpoint_goaway', detail, -1);
    if (this.#streams.busy === 0) this.retire();
  }
}
