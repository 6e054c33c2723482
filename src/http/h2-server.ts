import { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import type { H2Abuse } from '../model/h2-stats.ts';
import { RequestHead } from '../model/message.ts';
import type { CloseCause, Connection, ConnectionHandler } from '../net/connection.ts';
import type { Origin } from '../net/origin.ts';
import { Deadline } from '../net/timer-wheel.ts';
import { atBatchEnd, type BatchTask } from '../net/turn.ts';
import { Conduct, TINY_DATA } from './h2-conduct.ts';
import { FrameReader, type FrameSink } from './h2-frame-reader.ts';
import { ConnectionOutput } from './h2-output.ts';
import {
  DEFAULT_WINDOW,
  H2Error,
  MAX_MAX_FRAME,
  MAX_STREAM_ID,
  MAX_WINDOW,
  MIN_MAX_FRAME,
  PREFACE,
  Setting,
} from './h2-protocol.ts';
import { H2ServerStream, ignoring } from './h2-server-stream.ts';
import type { H2ServerSettings } from './h2-settings.ts';
import { StreamTable } from './h2-stream-table.ts';
import type { ServerSettings } from './h1-server.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { failureReply, replyHead } from './local-reply.ts';
import { dropForbiddenTrailers } from './trailer-rules.ts';

/** Streams that we have reset are remembered, for frames that were on their way; this many. */
const REMEMBERED_RESETS = 64;
/** How long is waited for the answer to the PING behind the first GOAWAY, milliseconds (RFC 9113 section 6.8). */
const GOAWAY_MS = 1000;
/** How long is read on after the connection was ended, so that the last frames are not lost to a reset, milliseconds. */
const LINGER_MS = 2000;
/** CONTINUATION frames of one field block. */
const MAX_CONTINUATIONS = 32;
const DRAIN_PING = Buffer.from('draining', 'latin1');
/** Heads kept for requests to come, and how large they may be, bytes. */
const SPARE_HEADS = 256;
const MAX_SPARE_BYTES = 8192;
/** Stream objects that a connection keeps for streams to come. */
const SPARE_STREAMS = 32;

/** How a connection comes to its end. */
const Life = {
  Open: 0,
  /** GOAWAY was sent that only warns. */
  Warned: 1,
  /** GOAWAY names the last stream that is served. */
  Leaving: 2,
  /** Nothing is served any more; what still comes is thrown away. */
  Linger: 3,
  Over: 4,
} as const;
type LifeState = (typeof Life)[keyof typeof Life];

const Time = { None: 0, Idle: 1, Frame: 2, Send: 3 } as const;
type TimeKind = (typeof Time)[keyof typeof Time];

/** Trailers are looked at within the call. */
const trailers = new Fields();

/** The front of HTTP/2 (RFC 9113): one client connection, its requests side by side. */
export class H2ServerConnection implements ConnectionHandler, FrameSink, BatchTask {
  readonly origin: Origin;
  readonly secure: boolean;
  context: unknown;
  readonly output: ConnectionOutput;
  readonly #connection: Connection;
  #settings: ServerSettings;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #streams = new StreamTable<H2ServerStream>();
  readonly #spare: H2ServerStream[] = [];
  /** Streams that ended in this batch; somebody may still hold them. */
  #ended: H2ServerStream[] = [];
  readonly #conduct: Conduct;
  readonly #deadline: Deadline;
  #time: TimeKind = Time.None;
  #drainDeadline: Deadline | undefined = undefined;
  #ageDeadline: Deadline | undefined = undefined;
  #life: LifeState = Life.Open;
  /** Bytes of the preface that came. */
  #preface = 0;
  #lastStream = 0;
  /** Streams above this are not served any more. */
  #lastServed = MAX_STREAM_ID;
  #requests = 0;
  #window: number;
  /** Bytes taken that the client was not told of. */
  #credit = 0;
  /** Ids of streams that we have reset lately. */
  readonly #resets: number[] = [];
  #nextReset = 0;
  /** The DATA frame being read. */
  #data: H2ServerStream | undefined = undefined;
  #dataLeft = 0;
  #dataContent = 0;
  #dataEnds = false;
  #stalledBytes = 0;

  /** @param settings have `http2` */
  constructor(connection: Connection, settings: ServerSettings) {
    const h2 = settings.http2!;
    this.#connection = connection;
    this.#settings = settings;
    this.origin = connection;
    // Who ended TLS for us and is trusted says so.
    this.secure = connection.tls !== undefined || connection.proxied?.tls?.secure === true;
    this.context = settings.contextOf(connection, this.secure);
    this.output = new ConnectionOutput(connection);
    this.#reader = new FrameReader(this, h2.maxFrameSize, {
      blockBytes: settings.headerBytes + MIN_MAX_FRAME,
      continuations: MAX_CONTINUATIONS,
    });
    this.#decoder = new HpackDecoder(h2.headerTableSize, settings.headerBytes);
    this.#window = h2.initialConnectionWindow;
    this.#conduct = new Conduct(h2.resets, h2.controlFrames);
    this.#deadline = new Deadline(settings.wheel, this);
    h2.stats.connected();
    this.#greet(h2);
    this.#startTime(Time.Idle);
    if (h2.maxConnectionAge !== undefined) {
      this.#ageDeadline = new Deadline(settings.wheel, { onDeadline: () => this.drain() });
      this.#ageDeadline.start(h2.maxConnectionAge);
    }
  }

  #greet(h2: H2ServerSettings): void {
    const { writer } = this.output;
    const values: (readonly [number, number])[] = [
      [Setting.MaxConcurrentStreams, h2.maxConcurrentStreams],
      [Setting.InitialWindowSize, h2.initialStreamWindow],
      [Setting.MaxHeaderListSize, this.#settings.headerBytes],
      [Setting.NoRfc7540Priorities, 1],
    ];
    if (h2.maxFrameSize !== MIN_MAX_FRAME) values.push([Setting.MaxFrameSize, h2.maxFrameSize]);
    if (h2.headerTableSize !== 4096) values.push([Setting.HeaderTableSize, h2.headerTableSize]);
    if (h2.webSocket) values.push([Setting.EnableConnectProtocol, 1]);
    writer.settings(values);
    if (h2.initialConnectionWindow > DEFAULT_WINDOW)
      writer.windowUpdate(0, h2.initialConnectionWindow - DEFAULT_WINDOW);
  }

  get timeouts(): ServerSettings['timeouts'] {
    return this.#settings.timeouts;
  }

  get #h2(): H2ServerSettings {
    return this.#settings.http2!;
  }

  /** Nothing is being served. */
  get idle(): boolean {
    return this.#streams.size === 0;
  }

  // ---- reading ----

  onData(bytes: Buffer): void {
    if (this.#life >= Life.Linger) return;
    if (this.#preface === PREFACE.length) this.#reader.read(bytes);
    else this.#readPreface(bytes);
    this.#setTime();
  }

  #readPreface(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#preface < PREFACE.length) {
      if (bytes[at] !== PREFACE[this.#preface]) {
        this.onFrameError(H2Error.ProtocolError, 'this is not the preface');
        return;
      }
      at++;
      this.#preface++;
    }
    if (at < bytes.length) this.#reader.read(bytes.subarray(at));
  }

  // ---- HEADERS ----

  onFieldBlock(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#onTrailers(stream, endStream, bytes, start, end);
    else if ((id & 1) === 0) this.onFrameError(H2Error.ProtocolError, 'HEADERS on an even stream');
    else if (id > this.#lastStream) this.#onRequest(id, endStream, bytes, start, end);
    else if (!this.#wasReset(id)) this.onFrameError(H2Error.StreamClosed, 'HEADERS on a closed stream');
    else if (this.#skip(bytes, start, end)) this.#control('control_flood');
  }

  /** Decodes a block that is not used. False when that is not possible. */
  #skip(bytes: Buffer, start: number, end: number): boolean {
    const error = this.#h2.reader.skip(this.#decoder, bytes, start, end);
    if (error === undefined) return true;
    this.onFrameError(H2Error.CompressionError, error);
    return false;
  }

  #onRequest(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    this.#lastStream = id;
    if (this.#settings.successor !== undefined) this.#follow();
    const { maxConcurrentStreams, stats, reader } = this.#h2;
    if (id > this.#lastServed) {
      // It knows, or will know, that these are not served (section 6.8).
      this.#skip(bytes, start, end);
      return;
    }
    if (this.#streams.size >= maxConcurrentStreams) {
      if (!this.#skip(bytes, start, end)) return;
      stats.streamRefused();
      this.#sendReset(id, H2Error.RefusedStream);
      this.#mayReset();
      return;
    }
    const head = this.#settings.heads.pop() ?? new RequestHead();
    const error = reader.readHead(this.#decoder, bytes, start, end, head, endStream);
    if (error !== undefined) {
      this.onFrameError(H2Error.CompressionError, error);
      return;
    }
    this.#conduct.onRequest(this.#h2.controlFrames);
    const stream = this.#open(id, head, endStream);
    if (reader.malformed) {
      this.#settings.handler.onRefused(stream, 'request_malformed');
      this.#streamError(stream, H2Error.ProtocolError);
    } else if (this.#decoder.listBytes > this.#settings.headerBytes * 8) {
      this.#abuse('field_list_bomb');
    } else {
      this.#serve(stream, reader.failure);
    }
  }

  #open(id: number, head: RequestHead, endStream: boolean): H2ServerStream {
    const { stats, initialStreamWindow } = this.#h2;
    const stream = this.#spare.pop() ?? new H2ServerStream(this, head, this.#settings.wheel);
    stream.begin(id, head, endStream, initialStreamWindow, this.output.initialWindow);
    this.#streams.add(stream);
    stats.streamOpened();
    return stream;
  }

  #serve(stream: H2ServerStream, failure: FailureCode | undefined): void {
    const { handler, bodyBytes, requestsPerConnection } = this.#settings;
    const refusal =
      failure ?? (stream.request.contentLength > bodyBytes ? 'request_body_too_large' : undefined);
    if (refusal !== undefined) {
      this.#refuse(stream, refusal);
      return;
    }
    const consumer = handler.onRequest(stream);
    if (!stream.responded && !stream.over) stream.consumer = consumer;
    if (++this.#requests >= requestsPerConnection || this.#settings.draining) this.drain();
  }

  /** Answers a request that never reached the handler. */
  #refuse(stream: H2ServerStream, code: FailureCode): void {
    const reply = failureReply(code);
    stream.sendHead(replyHead(reply));
    if (stream.request.method !== 'HEAD') stream.sendBody(reply.body, 0, reply.body.length);
    this.#settings.handler.onRefused(stream, code);
    stream.sendEnd(undefined);
  }

  /** A reload changed how clients are served. */
  #follow(): void {
    while (this.#settings.successor !== undefined) this.#settings = this.#settings.successor;
    this.context = this.#settings.contextOf(this.#connection, this.secure);
  }

  #onTrailers(stream: H2ServerStream, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const { reader } = this.#h2;
    const error = reader.readTrailers(this.#decoder, bytes, start, end, trailers);
    if (error !== undefined) this.onFrameError(H2Error.CompressionError, error);
    else if (stream.received) this.#streamError(stream, H2Error.StreamClosed);
    else if (!endStream || reader.malformed) this.#streamError(stream, H2Error.ProtocolError);
    else if (stream.bodyLeft > 0) this.#brokenLength(stream);
    else this.#endOfRequest(stream, dropForbiddenTrailers(trailers) ? trailers : undefined);
  }

  // ---- DATA ----

  onDataFrame(id: number, length: number, endStream: boolean): void {
    this.#data = undefined;
    this.#dataLeft = length;
    this.#dataContent = 0;
    this.#dataEnds = endStream;
    this.#window -= length;
    if (this.#window < 0) {
      this.onFrameError(H2Error.FlowControlError, 'more DATA than the connection window');
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (id > this.#lastStream || (id & 1) === 0)
        this.onFrameError(H2Error.ProtocolError, 'DATA on an idle stream');
      else if (id <= this.#lastServed && !this.#wasReset(id))
        this.onFrameError(H2Error.StreamClosed, 'DATA on a closed stream');
    } else if (stream.received) {
      this.#streamError(stream, H2Error.StreamClosed);
    } else if ((stream.window -= length) < 0) {
      this.#streamError(stream, H2Error.FlowControlError);
    } else {
      this.#data = stream;
      if (!stream.paused) stream.timeBody();
    }
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    const stream = this.#data;
    if (stream === undefined) return;
    const length = end - start;
    this.#dataContent += length;
    this.#dataLeft -= length;
    stream.bodyBytes += length;
    if (stream.bodyLeft >= 0 && (stream.bodyLeft -= length) < 0) {
      this.#dataLeft += length;
      this.#brokenLength(stream);
    } else if (stream.bodyBytes > this.#settings.bodyBytes && stream.request.upgrade === '') {
      this.#dataLeft += length;
      stream.fail('request_body_too_large');
    } else {
      stream.onContent(bytes, start, end);
      this.#took(stream, length);
    }
  }

  onDataFrameEnd(): void {
    const stream = this.#data;
    this.#data = undefined;
    // Padding, or all of it when nobody wants it.
    if (stream !== undefined) this.#took(stream, this.#dataLeft);
    else this.#takeBack(this.#dataLeft);
    if (!this.#dataEnds && this.#dataContent < TINY_DATA) {
      if (this.#dataContent === 0) this.#control('empty_data_flood');
      else if (!this.#conduct.mayDrip(this.#h2.controlFrames)) this.#abuse('empty_data_flood');
    }
    if (this.#dataEnds && stream !== undefined && !stream.over) {
      if (stream.bodyLeft > 0) this.#brokenLength(stream);
      else this.#endOfRequest(stream, undefined);
    }
  }

  /** Section 8.1.1: Content-Length is not the sum of the DATA frames. */
  #brokenLength(stream: H2ServerStream): void {
    const { consumer } = stream;
    stream.consumer = ignoring;
    this.#streamError(stream, H2Error.ProtocolError);
    if (!stream.responded) consumer.onRequestFailed('request_framing');
  }

  #endOfRequest(stream: H2ServerStream, fields: Fields | undefined): void {
    stream.received = true;
    stream.stopTime();
    this.#takeBack(stream.withheld);
    stream.withheld = 0;
    if (!stream.responded) stream.consumer.onRequestEnd(fields);
    if (stream.out.ended && !stream.over) this.finished(stream);
  }

  /** The consumer took bytes: the client may send as many more, unless the consumer holds back. */
  #took(stream: H2ServerStream, bytes: number): void {
    if (bytes === 0) return;
    if (stream.over) {
      this.#takeBack(bytes);
    } else if (stream.paused) {
      stream.withheld += bytes;
    } else {
      this.#takeBack(bytes);
      this.#widen(stream, bytes);
    }
  }

  #widen(stream: H2ServerStream, bytes: number): void {
    stream.credit += bytes;
    if (stream.received || stream.credit < this.#h2.initialStreamWindow / 2) return;
    stream.window += stream.credit;
    this.output.writer.windowUpdate(stream.id, stream.credit);
    stream.credit = 0;
  }

  #takeBack(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit < this.#h2.initialConnectionWindow / 2 || this.#life >= Life.Linger) return;
    this.#window += this.#credit;
    this.output.writer.windowUpdate(0, this.#credit);
    this.#credit = 0;
  }

  /** The consumer takes content again. */
  resumed(stream: H2ServerStream): void {
    const { withheld } = stream;
    stream.withheld = 0;
    if (withheld > 0) this.#took(stream, withheld);
  }

  // ---- the other frames ----

  onPriority(stream: number, dependency: number): void {
    if (stream === dependency) this.onFrameError(H2Error.ProtocolError, 'a stream depends on itself');
    else this.#control('priority_flood');
  }

  onReset(id: number): void {
    if (id > this.#lastStream || (id & 1) === 0) {
      this.onFrameError(H2Error.ProtocolError, 'RST_STREAM on an idle stream');
      return;
    }
    const stream = this.#streams.get(id);
    this.#h2.stats.resetReceived();
    if (stream === undefined) {
      this.#control('control_flood');
      return;
    }
    const { consumer, responded } = stream;
    this.#close(stream);
    if (!responded) consumer.onRequestFailed('client_closed');
    this.#mayReset();
  }

  onSetting(id: number, value: number): void {
    const { output } = this;
    switch (id) {
      case Setting.HeaderTableSize:
        output.encoder.setPeerTableSize(value);
        break;
      case Setting.EnablePush:
        if (value > 1) this.onFrameError(H2Error.ProtocolError, 'SETTINGS_ENABLE_PUSH is neither 0 nor 1');
        break;
      case Setting.InitialWindowSize:
        if (value > MAX_WINDOW)
          this.onFrameError(H2Error.FlowControlError, 'SETTINGS_INITIAL_WINDOW_SIZE is too large');
        else if (!output.setInitialWindow(value, this.#streams.all))
          this.onFrameError(H2Error.FlowControlError, 'the window of a stream is too large');
        break;
      case Setting.MaxFrameSize:
        if (value < MIN_MAX_FRAME || value > MAX_MAX_FRAME)
          this.onFrameError(H2Error.ProtocolError, 'SETTINGS_MAX_FRAME_SIZE is out of range');
        else output.maxFrame = value;
        break;
      default:
        // Section 6.5.2: what is not known is ignored.
        break;
    }
  }

  onSettingsEnd(): void {
    if (this.#life >= Life.Linger) return;
    this.output.writer.settingsAck();
    this.#control('settings_flood');
  }

  onSettingsAck(): void {
    this.#control('settings_flood');
  }

  onPing(ack: boolean, data: Buffer, start: number): void {
    if (!ack) this.output.writer.ping(true, data, start);
    else if (this.#life === Life.Warned && DRAIN_PING.compare(data, start, start + 8) === 0) this.#leave();
    this.#control('ping_flood');
  }

  onGoaway(): void {
    // It will open no more streams; those that are open are served.
    this.#control('control_flood');
  }

  onWindowUpdate(id: number, increment: number): void {
    if (id === 0) {
      if (increment === 0) this.onFrameError(H2Error.ProtocolError, 'WINDOW_UPDATE by 0');
      else if (!this.output.widen(increment))
        this.onFrameError(H2Error.FlowControlError, 'the window of the connection is too large');
    } else if (id > this.#lastStream || (id & 1) === 0) {
      this.onFrameError(H2Error.ProtocolError, 'WINDOW_UPDATE on an idle stream');
    } else {
      const stream = this.#streams.get(id);
      if (stream !== undefined && increment === 0) this.#streamError(stream, H2Error.ProtocolError);
      else if (stream !== undefined && !this.output.widenStream(stream.out, increment))
        this.#streamError(stream, H2Error.FlowControlError);
    }
    this.#control('window_flood');
  }

  onIdleFrame(): void {
    this.#control('control_flood');
  }

  /** A frame that carries nothing of a request. */
  #control(abuse: H2Abuse): void {
    if (this.#life >= Life.Linger) return;
    if (!this.#conduct.mayControl(this.#h2.controlFrames, this.output.dataFrames)) this.#abuse(abuse);
  }

  // ---- streams end ----

  /** Both sides of the exchange have said all; a client that is still sending is told to stop (section 8.1). */
  finished(stream: H2ServerStream): void {
    if (stream.over) return;
    if (!stream.received) {
      this.#sendReset(stream.id, H2Error.NoError);
    }
    this.#close(stream);
  }

  /** The response cannot be completed. */
  abortStream(stream: H2ServerStream): void {
    this.#resetStream(stream, H2Error.InternalError);
  }

  cancelStream(stream: H2ServerStream): void {
    this.#resetStream(stream, H2Error.Cancel);
  }

  #resetStream(stream: H2ServerStream, error: number): void {
    if (stream.over) return;
    this.#sendReset(stream.id, error);
    this.#close(stream);
  }

  #sendReset(id: number, error: number): void {
    if (this.#life >= Life.Linger) return;
    this.output.writer.reset(id, error);
    this.#h2.stats.resetSent();
    this.#resets[this.#nextReset] = id;
    this.#nextReset = (this.#nextReset + 1) % REMEMBERED_RESETS;
  }

  #wasReset(id: number): boolean {
    return this.#resets.includes(id);
  }

  /** The client broke the rules on one stream: what is done for it ends at once, and counts as a reset of its own (CVE-2025-8671). */
  #streamError(stream: H2ServerStream, error: number): void {
    const { consumer, responded, id } = stream;
    this.#sendReset(id, error);
    this.#close(stream);
    if (!responded) consumer.onRequestFailed('http2_error');
    this.#mayReset();
  }

  #mayReset(): void {
    if (this.#life < Life.Linger && !this.#conduct.mayReset(this.#h2.resets)) this.#abuse('rapid_reset');
  }

  /** The client does not read what it asked for. */
  tooSlow(stream: H2ServerStream): void {
    const { consumer, responded } = stream;
    this.#resetStream(stream, H2Error.Cancel);
    if (!responded) consumer.onRequestFailed('client_too_slow');
  }

  #close(stream: H2ServerStream): void {
    if (stream.over) return;
    if (this.#data === stream) this.#data = undefined;
    this.#takeBack(stream.withheld);
    stream.withheld = 0;
    this.#streams.remove(stream);
    stream.end();
    this.#h2.stats.streamClosed();
    if (this.#ended.push(stream) === 1) atBatchEnd(this);
    if (this.#streams.size === 0) this.#onIdle();
  }

  /** Streams that ended are free for others. */
  onBatchEnd(): void {
    const { heads } = this.#settings;
    const ended = this.#ended;
    for (const stream of ended) {
      const { request } = stream;
      if (heads.length < SPARE_HEADS && request.fields.storeBytes <= MAX_SPARE_BYTES) heads.push(request);
      if (this.#spare.length < SPARE_STREAMS) this.#spare.push(stream);
    }
    ended.length = 0;
  }

  // ---- the end of the connection ----

  #onIdle(): void {
    if (this.#life === Life.Leaving) this.#linger();
    else this.#setTime();
  }

  /**
   * Takes no further requests, in two steps (section 6.8): a warning first, so that requests which are on their way are served; the real end when the client
   * has had time to hear it.
   */
  drain(): void {
    if (this.#life !== Life.Open) return;
    this.#life = Life.Warned;
    const { writer } = this.output;
    writer.goaway(MAX_STREAM_ID, H2Error.NoError, '');
    writer.ping(false, DRAIN_PING, 0);
    this.#drainDeadline = new Deadline(this.#settings.wheel, { onDeadline: () => this.#leave() });
    this.#drainDeadline.start(GOAWAY_MS);
  }

  #leave(): void {
    if (this.#life !== Life.Warned) return;
    this.#life = Life.Leaving;
    this.#drainDeadline?.cancel();
    this.#lastServed = this.#lastStream;
    this.output.writer.goaway(this.#lastStream, H2Error.NoError, '');
    if (this.#streams.size === 0) this.#linger();
  }

  /** The client broke the protocol. */
  onFrameError(error: number, reason: string): void {
    if (this.#life >= Life.Linger) return;
    if (error === H2Error.EnhanceYourCalm) {
      this.#h2.stats.abused('field_block_flood');
    } else this.#h2.stats.protocolError();
    this.#end(error, reason);
  }

  #abuse(abuse: H2Abuse): void {
    if (this.#life >= Life.Linger) return;
    this.#h2.stats.abused(abuse);
    this.#end(H2Error.EnhanceYourCalm, abuse);
  }

  /** GOAWAY, and nothing is served any more. */
  #end(error: number, reason: string): void {
    this.output.writer.goaway(this.#lastStream, error, reason);
    this.#linger();
    this.#failAll('http2_error');
  }

  #failAll(code: FailureCode): void {
    while (this.#streams.size > 0) {
      const stream = this.#streams.all[0]!;
      const { consumer, responded } = stream;
      this.#close(stream);
      if (!responded) consumer.onRequestFailed(code);
    }
  }

  /** Sends FIN and reads on for a while. */
  #linger(): void {
    if (this.#life >= Life.Linger) return;
    this.#life = Life.Linger;
    this.#reader.stop();
    this.#cancelTimes();
    this.output.writer.flush();
    this.#connection.shutdown();
    if (this.#connection.readEnded && !this.output.congested) this.#over();
    else this.#deadline.start(this.output.congested ? this.timeouts.send : LINGER_MS);
  }

  #over(): void {
    if (this.#life === Life.Over) return;
    this.#life = Life.Over;
    this.#reader.stop();
    this.#cancelTimes();
    this.output.writer.flush();
    this.#connection.close();
  }

  #cancelTimes(): void {
    this.#deadline.cancel();
    this.#drainDeadline?.cancel();
    this.#ageDeadline?.cancel();
  }

  /** Ends what is being served. */
  cut(): void {
    for (const stream of this.#streams.all.slice()) if (!stream.over) stream.consumer.onCut();
    if (this.#streams.size === 0 && this.#life < Life.Linger) {
      this.output.writer.goaway(this.#lastStream, H2Error.NoError, '');
      this.#linger();
    }
  }

  /** The connection is gone. */
  recycle(): void {
    this.#h2.stats.disconnected();
  }

  // ---- time ----

  #startTime(kind: TimeKind): void {
    this.#time = kind;
    const { timeouts } = this.#settings;
    if (kind === Time.Idle) this.#deadline.start(timeouts.idle);
    else if (kind === Time.Frame) this.#deadline.start(timeouts.requestHead);
    else if (kind === Time.Send) this.#deadline.start(timeouts.send);
    else this.#deadline.stop();
  }

  /** What is waited for now. */
  #setTime(): void {
    if (this.#life >= Life.Linger || this.#time === Time.Send) return;
    const incomplete = this.#reader.incomplete || this.#preface < PREFACE.length;
    if (incomplete && this.#preface > 0) {
      if (this.#time !== Time.Frame) this.#startTime(Time.Frame);
    } else if (this.#streams.size === 0) {
      this.#startTime(Time.Idle);
    } else if (this.#time !== Time.None) {
      this.#startTime(Time.None);
    }
  }

  onDeadline(): void {
    if (this.#life >= Life.Linger) {
      this.#over();
    } else if (this.#time === Time.Send) {
      this.#onSendDeadline();
    } else if (this.#time === Time.Frame) {
      this.#abuse('slow_frame');
    } else if (this.#streams.size === 0) {
      this.output.writer.goaway(this.#lastStream, H2Error.NoError, '');
      this.#linger();
    }
  }

  #onSendDeadline(): void {
    const waiting = this.#connection.bufferedBytes;
    if (waiting < this.#stalledBytes) {
      this.#stalledBytes = waiting;
      this.#startTime(Time.Send);
      return;
    }
    this.#h2.stats.abused('slow_reader');
    this.#life = Life.Over;
    this.#cancelTimes();
    this.#failAll('client_too_slow');
    this.#connection.reset();
  }

  // ---- events of the connection ----

  onEnd(): void {
    if (this.#life >= Life.Linger) {
      if (!this.output.congested) this.#over();
      return;
    }
    for (const stream of this.#streams.all.slice()) {
      if (stream.over) continue;
      const { consumer, responded } = stream;
      if (stream.received) {
        consumer.onClientEnd();
      } else {
        this.#close(stream);
        if (!responded) consumer.onRequestFailed('client_closed');
      }
    }
    this.#life = Math.max(this.#life, Life.Leaving) as LifeState;
    if (this.#streams.size === 0) this.#linger();
  }

  onCongested(): void {
    if (this.#life >= Life.Linger) return;
    this.#stalledBytes = this.#connection.bufferedBytes;
    this.#startTime(Time.Send);
    // Who does not take what we say is not listened to.
    this.#connection.pause();
    for (const stream of this.#streams.all) if (!stream.responded) stream.consumer.onClientCongested();
  }

  onDrain(): void {
    if (this.#life >= Life.Linger) {
      if (this.#connection.readEnded) this.#over();
      else this.#deadline.start(LINGER_MS);
      return;
    }
    this.#time = Time.None;
    this.#connection.resume();
    this.output.pump();
    if (this.output.congested) return;
    for (const stream of this.#streams.all.slice()) {
      if (!stream.over && !stream.responded && stream.out.pendingBytes === 0) stream.consumer.onClientDrain();
    }
    this.#setTime();
  }

  onClose(_cause: CloseCause): void {
    if (this.#life === Life.Over) return;
    this.#life = Life.Over;
    this.#reader.stop();
    this.#cancelTimes();
    this.#failAll('client_closed');
  }
}
