import type { FailureCode } from '../model/failures.ts';
import type { Fields } from '../model/fields.ts';
import type { RequestHead } from '../model/message.ts';
import { atBatchEnd, type BatchTask } from '../net/turn.ts';
import type { AbuseGuard } from './h2-abuse-guard.ts';
import { BodyReader, type BodyReaderOwner } from './h2-body-reader.ts';
import { H2Error, MAX_STREAM_ID } from './h2-protocol.ts';
import { ResetMemory } from './h2-reset-memory.ts';
import type { H2ServerConnection } from './h2-server.ts';
import { H2ServerStream } from './h2-server-stream.ts';
import { StreamTable } from './h2-stream-table.ts';
import { ignoring } from './ignoring-consumer.ts';
import { giveHead } from './spare-heads.ts';

/** Stream objects kept for streams to come. */
const SPARE_STREAMS = 1024;

/** The streams of one client connection: which are open, how they begin and how they end (RFC 9113 section 5.1). */
export class ServerStreams implements BodyReaderOwner, BatchTask {
  /** The last that the client has opened. */
  last = 0;
  /** Streams above this are not served. */
  lastServed = MAX_STREAM_ID;
  readonly bodies: BodyReader;
  readonly #connection: H2ServerConnection;
  readonly #guard: AbuseGuard;
  readonly #open = new StreamTable<H2ServerStream>();
  /** Streams that ended in this batch; somebody may still hold them. */
  #ended: H2ServerStream[] = [];
  readonly #resets = new ResetMemory();

  /** @param connection has its settings and its output */
  constructor(connection: H2ServerConnection, guard: AbuseGuard) {
    const { initialStreamWindow, initialConnectionWindow } = connection.settings.http2!;
    this.#connection = connection;
    this.#guard = guard;
    this.bodies = new BodyReader(this, connection.output.writer, {
      stream: initialStreamWindow,
      connection: initialConnectionWindow,
    });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Those that are open, in no order. Some of them may end while it is looked through: then it takes a copy. */
  get all(): readonly H2ServerStream[] {
    return this.#open.all;
  }

  /** The stream that is open; undefined when there is none of that id. */
  openStream(id: number): H2ServerStream | undefined {
    return this.#open.get(id);
  }

  /** Whether nobody has opened it. Even ones never are: we push nothing. */
  isIdle(id: number): boolean {
    return id > this.last || (id & 1) === 0;
  }

  /** Whether we have reset it lately. */
  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }

  // ---- they begin ----

  open(id: number, head: RequestHead, endStream: boolean): H2ServerStream {
    const { settings, output } = this.#connection;
    const { stats, spareStreams } = settings.http2!;
    const stream = spareStreams.pop() ?? new H2ServerStream(settings.wheel);
    stream.begin(this.#connection, id, head, endStream, this.bodies.windows.stream, output.initialWindow);
    this.#open.add(stream);
    stats.streamOpened();
    return stream;
  }

  /** One more than may be open at a time. */
  refuse(id: number): void {
    this.#connection.settings.http2!.stats.streamRefused();
    this.#sendReset(id, H2Error.RefusedStream);
    this.#guard.onReset();
  }

  // ---- what the bodies tell ----

  onStrayData(id: number): void {
    if (this.isIdle(id)) this.onFrameError(H2Error.ProtocolError, 'DATA on an idle stream');
    else if (id <= this.lastServed && !this.#resets.has(id))
      this.onFrameError(H2Error.StreamClosed, 'DATA on a closed stream');
  }

  onLittleData(content: number): void {
    this.#guard.onData(content);
  }

  onFrameError(error: number, reason: string): void {
    this.#connection.onFrameError(error, reason);
  }

  brokenLength(stream: H2ServerStream): void {
    const { consumer } = stream;
    stream.consumer = ignoring;
    this.streamError(stream, H2Error.ProtocolError);
    if (!stream.responded) consumer.onRequestFailed('request_framing');
  }

  onBodyEnd(stream: H2ServerStream): void {
    this.received(stream, undefined);
  }

  /** The request is whole. */
  received(stream: H2ServerStream, trailers: Fields | undefined): void {
    stream.received = true;
    stream.stopTime();
    this.bodies.release(stream);
    if (!stream.responded) stream.consumer.onRequestEnd(trailers);
    if (stream.out.ended && !stream.over) this.finished(stream);
  }

  // ---- they end ----

  /** Both sides of the exchange have said all; a client that is still sending is told to stop (section 8.1). */
  finished(stream: H2ServerStream): void {
    if (stream.over) return;
    if (!stream.received) this.#sendReset(stream.id, H2Error.NoError);
    this.#close(stream);
  }

  /** We end it: it cannot be completed, or nobody wants it. `error` is for the client. */
  reset(stream: H2ServerStream, error: number): void {
    if (stream.over) return;
    this.#sendReset(stream.id, error);
    this.#close(stream);
  }

  /** The client has reset it. */
  onReset(stream: H2ServerStream): void {
    this.fail(stream, 'client_closed');
    this.#guard.onReset();
  }

  /** The client broke the rules on one stream: what is done for it ends at once, and counts as a reset of its own (CVE-2025-8671). */
  streamError(stream: H2ServerStream, error: number): void {
    this.#sendReset(stream.id, error);
    this.fail(stream, 'http2_error');
    this.#guard.onReset();
  }

  /** The client does not read what it asked for. */
  tooSlow(stream: H2ServerStream): void {
    const { consumer, responded } = stream;
    this.reset(stream, H2Error.Cancel);
    if (!responded) consumer.onRequestFailed('client_too_slow');
  }

  /** Ends it without a word to the client. */
  fail(stream: H2ServerStream, code: FailureCode): void {
    const { consumer, responded } = stream;
    this.#close(stream);
    if (!responded) consumer.onRequestFailed(code);
  }

  /** ... all of them. */
  failAll(code: FailureCode): void {
    while (this.#open.size > 0) this.fail(this.#open.all[0]!, code);
  }

  #sendReset(id: number, error: number): void {
    const { lingers, output, settings } = this.#connection;
    if (lingers) return;
    output.writer.reset(id, error);
    settings.http2!.stats.resetSent();
    this.#resets.add(id);
  }

  #close(stream: H2ServerStream): void {
    if (stream.over) return;
    this.#open.remove(stream);
    stream.end();
    this.bodies.release(stream);
    this.#connection.settings.http2!.stats.streamClosed();
    if (this.#ended.push(stream) === 1) atBatchEnd(this);
    if (this.#open.size === 0) this.#connection.onIdle();
  }

  /** Streams that ended are free for others. */
  onBatchEnd(): void {
    const { heads, http2 } = this.#connection.settings;
    const { spareStreams } = http2!;
    const ended = this.#ended;
    for (const stream of ended) {
      giveHead(heads, stream.request);
      stream.forget();
      if (spareStreams.length < SPARE_STREAMS) spareStreams.push(stream);
    }
    ended.length = 0;
  }
}
