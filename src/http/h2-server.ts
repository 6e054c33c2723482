import { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import type { H2Abuse } from '../model/h2-stats.ts';
import { RequestHead } from '../model/message.ts';
import type { CloseCause, Connection, ConnectionHandler } from '../net/connection.ts';
import type { Origin } from '../net/origin.ts';
import { atBatchEnd, type BatchTask } from '../net/turn.ts';
import { BodyReader, type BodyReaderOwner } from './h2-body-reader.ts';
import { Conduct, TINY_DATA } from './h2-conduct.ts';
import { Awaits, ConnectionTime } from './h2-connection-time.ts';
import { FrameReader, type FrameSink } from './h2-frame-reader.ts';
import { Goodbye, type GoodbyeOwner } from './h2-goodbye.ts';
import { ConnectionOutput } from './h2-output.ts';
import { applyPeerSetting, ownSettings } from './h2-peer-settings.ts';
import { DEFAULT_WINDOW, H2Error, MAX_STREAM_ID, MIN_MAX_FRAME, PREFACE } from './h2-protocol.ts';
import { ResetMemory } from './h2-reset-memory.ts';
import { H2ServerStream } from './h2-server-stream.ts';
import { ignoring } from './ignoring-consumer.ts';
import type { H2ServerSettings } from './h2-settings.ts';
import { StreamTable } from './h2-stream-table.ts';
import type { ServerSettings } from './h1-server.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { BlockMemo } from './hpack-memo.ts';
import { failureReply, replyHead } from './local-reply.ts';
import { dropForbiddenTrailers } from './trailer-rules.ts';

/** CONTINUATION frames of one field block. */
const MAX_CONTINUATIONS = 32;
/** Heads kept for requests to come, and how large they may be, bytes. */
const SPARE_HEADS = 256;
const MAX_SPARE_BYTES = 8192;
/** Stream objects kept for streams to come. */
const SPARE_STREAMS = 1024;

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

/** Trailers are looked at within the call. */
const trailers = new Fields();

/** The front of HTTP/2 (RFC 9113): one client connection, its requests side by side. */
export class H2ServerConnection
  implements ConnectionHandler, FrameSink, BodyReaderOwner, GoodbyeOwner, BatchTask
{
  place = -1;
  readonly origin: Origin;
  readonly secure: boolean;
  context: unknown;
  readonly output: ConnectionOutput;
  readonly #connection: Connection;
  #settings: ServerSettings;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  /** Request heads that came before. */
  #memo: BlockMemo<RequestHead>;
  readonly #streams = new StreamTable<H2ServerStream>();
  /** Streams that ended in this batch; somebody may still hold them. */
  #ended: H2ServerStream[] = [];
  readonly #conduct: Conduct;
  readonly #time: ConnectionTime;
  readonly #goodbye: Goodbye;
  #life: LifeState = Life.Open;
  /** Bytes of the preface that came. */
  #preface = 0;
  #lastStream = 0;
  /** Streams above this are not served any more. */
  #lastServed = MAX_STREAM_ID;
  #requests = 0;
  readonly #resets = new ResetMemory();
  readonly #bodies: BodyReader;

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
    this.#memo = new BlockMemo(this.#decoder);
    this.#bodies = new BodyReader(this, this.output.writer, {
      stream: h2.initialStreamWindow,
      connection: h2.initialConnectionWindow,
    });
    this.#conduct = new Conduct(h2.resets, h2.controlFrames);
    this.#time = new ConnectionTime(settings.wheel, this);
    h2.stats.connected();
    this.output.writer.settings(ownSettings(h2, settings.headerBytes));
    if (h2.initialConnectionWindow > DEFAULT_WINDOW)
      this.output.writer.windowUpdate(0, h2.initialConnectionWindow - DEFAULT_WINDOW);
    this.#time.await(Awaits.Request, settings.timeouts);
    this.#goodbye = new Goodbye(this.output.writer, this);
    if (h2.maxConnectionAge !== undefined) this.#goodbye.after(settings.wheel, h2.maxConnectionAge);
  }

  get timeouts(): ServerSettings['timeouts'] {
    return this.#settings.timeouts;
  }

  get bodyPace(): ServerSettings['bodyPace'] {
    return this.#settings.bodyPace;
  }

  get #h2(): H2ServerSettings {
    return this.#settings.http2!;
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
    else if (!this.#resets.has(id)) this.onFrameError(H2Error.StreamClosed, 'HEADERS on a closed stream');
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
    const error = reader.readHead(this.#memo, bytes, start, end, head, endStream);
    if (error !== undefined) {
      this.onFrameError(H2Error.CompressionError, error);
      return;
    }
    this.#conduct.onRequest(this.#h2.controlFrames);
    const stream = this.#open(id, head, endStream);
    if (reader.malformed) {
      this.#settings.handler.onRefused(stream, 'request_malformed');
      this.streamError(stream, H2Error.ProtocolError);
    } else if (this.#decoder.listBytes > this.#settings.headerBytes * 8) {
      this.#abuse('field_list_bomb');
    } else {
      this.#serve(stream, reader.failure);
    }
  }

  #open(id: number, head: RequestHead, endStream: boolean): H2ServerStream {
    const { stats, spareStreams } = this.#h2;
    const stream = spareStreams.pop() ?? new H2ServerStream(this.#settings.wheel);
    stream.begin(this, id, head, endStream, this.#bodies.windows.stream, this.output.initialWindow);
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
    // Other limits may hold for what was in order.
    this.#memo = new BlockMemo(this.#decoder);
  }

  #onTrailers(stream: H2ServerStream, endStream: boolean, bytes: Buffer, start: number, end: number): void {
    const { reader } = this.#h2;
    const error = reader.readTrailers(this.#decoder, bytes, start, end, trailers);
    if (error !== undefined) this.onFrameError(H2Error.CompressionError, error);
    else if (stream.received) this.streamError(stream, H2Error.StreamClosed);
    else if (!endStream || reader.malformed) this.streamError(stream, H2Error.ProtocolError);
    else if (stream.bodyLeft > 0) this.brokenLength(stream);
    else this.#endOfRequest(stream, dropForbiddenTrailers(trailers) ? trailers : undefined);
  }

  // ---- DATA ----

  onDataFrame(id: number, length: number, endStream: boolean): void {
    this.#bodies.onDataFrame(id, length, endStream);
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    this.#bodies.onDataBytes(bytes, start, end, this.#settings.bodyBytes);
  }

  onDataFrameEnd(): void {
    this.#bodies.onDataFrameEnd();
  }

  openStream(id: number): H2ServerStream | undefined {
    return this.#streams.get(id);
  }

  onStrayData(id: number): void {
    if (id > this.#lastStream || (id & 1) === 0)
      this.onFrameError(H2Error.ProtocolError, 'DATA on an idle stream');
    else if (id <= this.#lastServed && !this.#resets.has(id))
      this.onFrameError(H2Error.StreamClosed, 'DATA on a closed stream');
  }

  onLittleData(content: number): void {
    if (content === 0) this.#control('empty_data_flood');
    else if (content < TINY_DATA && !this.#conduct.mayDrip(this.#h2.controlFrames))
      this.#abuse('empty_data_flood');
  }

  brokenLength(stream: H2ServerStream): void {
    const { consumer } = stream;
    stream.consumer = ignoring;
    this.streamError(stream, H2Error.ProtocolError);
    if (!stream.responded) consumer.onRequestFailed('request_framing');
  }

  onBodyEnd(stream: H2ServerStream): void {
    this.#endOfRequest(stream, undefined);
  }

  #endOfRequest(stream: H2ServerStream, fields: Fields | undefined): void {
    stream.received = true;
    stream.stopTime();
    this.#bodies.release(stream);
    if (!stream.responded) stream.consumer.onRequestEnd(fields);
    if (stream.out.ended && !stream.over) this.finished(stream);
  }

  /** The consumer takes content again. */
  resumed(stream: H2ServerStream): void {
    this.#bodies.resumed(stream);
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
    const refused = applyPeerSetting(this.output, this.#streams.all, id, value);
    if (refused !== undefined) this.onFrameError(refused.error, refused.reason);
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
    else if (this.#goodbye.isHeard(data, start)) this.onWarned();
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
      if (stream !== undefined && increment === 0) this.streamError(stream, H2Error.ProtocolError);
      else if (stream !== undefined && !this.output.widenStream(stream.out, increment))
        this.streamError(stream, H2Error.FlowControlError);
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
    this.#resets.add(id);
  }

  /** The client broke the rules on one stream: what is done for it ends at once, and counts as a reset of its own (CVE-2025-8671). */
  streamError(stream: H2ServerStream, error: number): void {
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
    this.#streams.remove(stream);
    stream.end();
    this.#bodies.release(stream);
    this.#h2.stats.streamClosed();
    if (this.#ended.push(stream) === 1) atBatchEnd(this);
    if (this.#streams.size === 0) this.#onIdle();
  }

  /** Streams that ended are free for others. */
  onBatchEnd(): void {
    const { heads } = this.#settings;
    const { spareStreams } = this.#h2;
    const ended = this.#ended;
    for (const stream of ended) {
      const { request } = stream;
      if (heads.length < SPARE_HEADS && request.fields.storeBytes <= MAX_SPARE_BYTES) heads.push(request);
      stream.forget();
      if (spareStreams.length < SPARE_STREAMS) spareStreams.push(stream);
    }
    ended.length = 0;
  }

  // ---- the end of the connection ----

  #onIdle(): void {
    if (this.#life === Life.Leaving) this.#linger();
    else this.#setTime();
  }

  /** Takes no further requests; those that are on their way are served. */
  drain(): void {
    if (this.#life !== Life.Open) return;
    this.#life = Life.Warned;
    this.#goodbye.warn(this.#settings.wheel);
  }

  /** No request behind this one is served any more. */
  onWarned(): void {
    if (this.#life !== Life.Warned) return;
    this.#life = Life.Leaving;
    this.#goodbye.cancel();
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
    this.#bodies.stop();
    this.#cancelTimes();
    this.output.writer.flush();
    this.#connection.shutdown();
    if (this.#connection.readEnded && !this.output.congested) this.#over();
    else this.#awaitEnd();
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
    this.#time.cancel();
    this.#goodbye.cancel();
  }

  /** Ends what is being served. */
  cut(): void {
    for (const stream of this.#streams.all.slice()) if (!stream.over) stream.consumer.onCut();
    if (this.#streams.size === 0 && this.#life < Life.Linger) this.#goAway();
  }

  /** The connection is gone. */
  recycle(): void {
    this.#h2.stats.disconnected();
  }

  // ---- time ----

  /** What is waited for now. */
  #setTime(): void {
    if (this.#life >= Life.Linger || this.#time.awaits === Awaits.Room) return;
    const begun = this.#preface > 0 && this.#preface < PREFACE.length;
    if (begun || this.#reader.incomplete) this.#time.await(Awaits.Frame, this.timeouts);
    else this.#time.await(this.#streams.size === 0 ? Awaits.Request : Awaits.Nothing, this.timeouts);
  }

  /** Everything was said: the client has its time to take it, and to close. */
  #awaitEnd(): void {
    if (this.output.congested) this.#time.awaitRoom(this.#connection.bufferedBytes, this.timeouts);
    else this.#time.await(Awaits.End, this.timeouts);
  }

  onDeadline(): void {
    const { awaits } = this.#time;
    if (awaits === Awaits.Room && this.#time.goesOn(this.#connection.bufferedBytes, this.timeouts)) return;
    if (this.#life >= Life.Linger) this.#over();
    else if (awaits === Awaits.Room) this.#cutSlowReader();
    else if (awaits === Awaits.Frame) this.#abuse('slow_frame');
    else if (this.#streams.size === 0) this.#goAway();
  }

  #cutSlowReader(): void {
    this.#h2.stats.abused('slow_reader');
    this.#life = Life.Over;
    this.#cancelTimes();
    this.#failAll('client_too_slow');
    this.#connection.reset();
  }

  /** Nothing is under way: the last word, and the end. */
  #goAway(): void {
    this.output.writer.goaway(this.#lastStream, H2Error.NoError, '');
    this.#linger();
  }

  // ---- events of the connection ----

  onEnd(): void {
    if (this.#life >= Life.Linger) {
      if (!this.output.congested) this.#over();
      return;
    }
    for (const stream of this.#streams.all.slice()) {
      if (stream.over) continue;
      if (!stream.received || !this.#canFinish(stream)) this.#clientGone(stream);
      else stream.consumer.onClientEnd();
    }
    this.#life = Math.max(this.#life, Life.Leaving) as LifeState;
    if (this.#streams.size === 0) this.#linger();
  }

  /** Behind a FIN no window can open any more: what waits for one will wait for ever. */
  #canFinish({ out }: H2ServerStream): boolean {
    return !this.#connection.readEnded || out.pendingBytes === 0 || this.output.congested;
  }

  #clientGone(stream: H2ServerStream): void {
    const { consumer, responded } = stream;
    this.#close(stream);
    if (!responded) consumer.onRequestFailed('client_closed');
  }

  /** A stream could not send all that it was given. */
  heldBack(stream: H2ServerStream): void {
    if (!stream.over && !this.#canFinish(stream)) this.#clientGone(stream);
  }

  onCongested(): void {
    if (this.#life >= Life.Linger) return;
    this.#time.awaitRoom(this.#connection.bufferedBytes, this.timeouts);
    // Who does not take what we say is not listened to.
    this.#connection.pause();
    for (const stream of this.#streams.all) if (!stream.responded) stream.consumer.onClientCongested();
  }

  onDrain(): void {
    if (this.#life >= Life.Linger) {
      if (this.#connection.readEnded) this.#over();
      else this.#awaitEnd();
      return;
    }
    this.#time.await(Awaits.Nothing, this.timeouts);
    this.#connection.resume();
    this.output.pump();
    if (this.output.congested) return;
    for (const stream of this.#streams.all.slice()) {
      if (stream.over) continue;
      if (!this.#canFinish(stream)) this.#clientGone(stream);
      else if (!stream.responded && stream.out.pendingBytes === 0) stream.consumer.onClientDrain();
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
