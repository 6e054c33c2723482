import type { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Framing, type Protocol, type RequestHead, type ResponseHead } from '../model/message.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import { ConnectionSide } from '../net/connection-side.ts';
import type { RelaySide } from '../net/relay.ts';
import type { Origin } from '../net/origin.ts';
import type { BodySink } from './chunked.ts';
import { H1BodyReader } from './h1-body-reader.ts';
import { MALFORMED, NEED_MORE } from './h1-fields.ts';
import { hasBody } from './h1-request.ts';
import { H1ServerTime } from './h1-server-time.ts';
import { Persistence, writeChunk, writeLastChunk, writeResponseHead } from './h1-write.ts';
import { HeadBuffer } from './head-buffer.ts';
import { failureReply, replyHead } from './local-reply.ts';
import { ignoring } from './ignoring-consumer.ts';
import type { ServerSettings } from './server-settings.ts';
import { giveHead, NO_REQUEST, takeHead } from './spare-heads.ts';
import type { ClientStream, RequestConsumer } from './streams.ts';
import { CR } from './tables.ts';

/** Rest of an unwanted request body that is read and thrown away to keep the connection, bytes. */
const DISCARD_BYTES = 64 * 1024;

/** What was read is gone when this turn ends; the head is needed until the response is out. */
function keepHead(head: RequestHead, start: number, end: number): void {
  const { fields } = head;
  fields.keep(start, end);
  if (head.lineStart >= 0) head.lineStart -= start;
}

const NO_BYTES = Buffer.alloc(0);

const Reading = { Head: 0, Body: 1, Complete: 2, Linger: 3, Over: 4 } as const;
type ReadingState = (typeof Reading)[keyof typeof Reading];

/** What was sent of the response, and how its body ends (RFC 9112 section 6). */
const Sent = { Nothing: 0, Counted: 1, Chunked: 2, UntilClose: 3 } as const;
type SentState = (typeof Sent)[keyof typeof Sent];

/** The front of HTTP/1.x: one client connection, its requests one after the other, answered in order. */
export class H1ServerConnection implements ConnectionHandler, ClientStream, BodySink {
  place = -1;
  /** Of the request being served; an idle connection has none of its own. */
  request: RequestHead = NO_REQUEST;
  protocol: Protocol = 'HTTP/1.1';
  readonly origin: Origin;
  readonly secure: boolean;
  context: unknown;
  bytesSent = 0;
  readonly #connection: Connection;
  #settings: ServerSettings;
  readonly #time: H1ServerTime;
  #consumer: RequestConsumer = ignoring;
  #reading: ReadingState = Reading.Head;
  /** What has come of a head; undefined until the first that does not come whole. */
  #held: HeadBuffer | undefined = undefined;
  /** Bytes that came behind the request being served. */
  #pipelined: Buffer | undefined = undefined;
  #processing = false;
  #requests = 0;
  /** The client means to send another request after this one. */
  #persistent = true;
  /** ... and so do we. */
  #keepAlive = true;
  /** Undefined until the first body. */
  #body: H1BodyReader | undefined = undefined;
  /** Of its content, so far. */
  #bodyBytes = 0;
  #bodyPaused = false;
  #responding = false;
  #sent: SentState = Sent.Nothing;

  constructor(connection: Connection, settings: ServerSettings) {
    this.#connection = connection;
    this.#settings = settings;
    this.origin = connection;
    // Who ended TLS for us and is trusted says so.
    this.secure = connection.tls !== undefined || connection.proxied?.tls?.secure === true;
    this.context = settings.contextOf(connection, this.secure);
    this.#time = new H1ServerTime(settings.wheel, this);
    this.#time.awaitRequest(settings.timeouts);
  }

  get congested(): boolean {
    return this.#connection.bufferedBytes > 0;
  }

  /** Nothing is being served and nothing of a request has come. */
  get idle(): boolean {
    return this.#reading === Reading.Head && !this.#responding && this.#holdsNothing;
  }

  get #holdsNothing(): boolean {
    return this.#held === undefined || this.#held.empty;
  }

  // ---- reading ----

  onData(bytes: Buffer): void {
    const held = this.#held;
    if (held === undefined || held.empty || this.#reading !== Reading.Head) {
      this.#process(bytes, 0, bytes.length);
      return;
    }
    if (!held.append(bytes, 0, bytes.length, this.#settings.headerBytes)) return;
    const whole = held.take();
    this.#process(whole, 0, whole.length);
  }

  #process(bytes: Buffer, start: number, end: number): void {
    this.#processing = true;
    let at = start;
    while (at < end && at >= 0) {
      switch (this.#reading) {
        case Reading.Head:
          // A client that does not read its responses gets no more of them.
          if (this.#connection.bufferedBytes === 0) at = this.#readHead(bytes, at, end);
          else at = this.#putAside(bytes, at, end);
          break;
        case Reading.Body:
          at = this.#readBody(bytes, at, end);
          break;
        case Reading.Complete:
          // The next request waits for this one's response; so does the client, by TCP.
          at = this.#putAside(bytes, at, end);
          break;
        case Reading.Linger:
        case Reading.Over:
          at = end;
          break;
      }
    }
    this.#processing = false;
  }

  #putAside(bytes: Buffer, start: number, end: number): number {
    const rest = bytes.subarray(start, end);
    this.#pipelined =
      this.#pipelined === undefined ? Buffer.from(rest) : Buffer.concat([this.#pipelined, rest]);
    this.#connection.pause();
    return end;
  }

  /** A reload changed how clients are served. */
  #follow(): void {
    while (this.#settings.successor !== undefined) this.#settings = this.#settings.successor;
    this.context = this.#settings.contextOf(this.#connection, this.secure);
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    if (this.#settings.successor !== undefined) this.#follow();
    const { parser, timeouts } = this.#settings;
    if (this.request === NO_REQUEST) this.request = takeHead(this.#settings.heads);
    const behind = parser.parse(bytes, start, end, this.request);
    if (behind === NEED_MORE) {
      // An empty line is not the beginning of a request (RFC 9112 section 2.2).
      if (bytes[start] === CR && end - start === 2) return end;
      this.#held ??= new HeadBuffer();
      this.#held.append(bytes, start, end, this.#settings.headerBytes);
      this.#time.awaitHead(timeouts);
      return end;
    }
    this.#time.headEnded();
    this.bytesSent = 0;
    this.#sent = Sent.Nothing;
    this.#requests++;
    if (behind === MALFORMED) {
      this.#refuse(parser.failure);
      return end;
    }
    keepHead(this.request, start, behind);
    this.protocol = this.request.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0';
    this.#persistent = parser.keepAlive;
    this.#keepAlive = parser.keepAlive && this.#requests < this.#settings.requestsPerConnection;
    this.#responding = true;
    this.#bodyBytes = 0;
    if (!hasBody(this.request)) {
      this.#time.awaitNothing();
      this.#reading = Reading.Complete;
    } else if (!this.#expectBody(this.request)) {
      this.#refuse('request_body_too_large');
      return end;
    }
    const consumer = this.#settings.handler.onRequest(this);
    if (this.#responding) this.#consumer = consumer;
    return behind;
  }

  /** Returns false when the body is larger than any may be. */
  #expectBody({ framing, contentLength }: RequestHead): boolean {
    if (framing === Framing.Length && contentLength > this.#settings.bodyBytes) return false;
    (this.#body ??= new H1BodyReader()).begin(framing, contentLength);
    this.#reading = Reading.Body;
    this.#time.beginBody();
    this.#timeBody();
    return true;
  }

  /** The client has its time for the next piece of the body; once it is being answered, at whatever pace. */
  #timeBody(): void {
    this.#time.awaitBody(this.#bodyBytes, this.#sent !== Sent.Nothing, this.#settings.bodyPace);
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const body = this.#body!;
    const behind = body.read(bytes, start, end, this);
    // Whoever took it may have ended all.
    if (this.#reading !== Reading.Body) return end;
    if (behind === MALFORMED) this.#failRequest('request_body_malformed');
    else if (body.done) this.#bodyComplete(body.trailers);
    if (this.#reading === Reading.Body && this.#bufferedTimeout) this.#timeBody();
    return behind === MALFORMED ? end : behind;
  }

  /** The deadline is the body's, not that of a client which does not read. */
  get #bufferedTimeout(): boolean {
    return this.#connection.bufferedBytes === 0 && !this.#bodyPaused;
  }

  onBodyPiece(bytes: Buffer, start: number, end: number): void {
    this.#bodyBytes += end - start;
    if (this.#bodyBytes > this.#settings.bodyBytes) this.#failRequest('request_body_too_large');
    else if (this.#reading === Reading.Body) this.#consumer.onRequestBody(bytes, start, end);
  }

  #bodyComplete(trailers: Fields | undefined): void {
    this.#reading = Reading.Complete;
    if (this.#connection.bufferedBytes === 0) this.#time.awaitNothing();
    if (this.#responding) this.#consumer.onRequestEnd(trailers);
    else this.#next();
  }

  /** The rest of the request cannot be read: the consumer answers or aborts, and the connection ends. */
  #failRequest(code: FailureCode): void {
    this.#keepAlive = false;
    if (this.#responding) this.#consumer.onRequestFailed(code);
    else this.#linger();
  }

  /** Answers a request that never reached the handler, and closes. */
  #refuse(code: FailureCode): void {
    this.#keepAlive = false;
    this.#responding = true;
    this.#reading = Reading.Complete;
    const reply = failureReply(code);
    this.sendHead(replyHead(reply));
    if (this.request.method !== 'HEAD') this.sendBody(reply.body, 0, reply.body.length);
    this.#settings.handler.onRefused(this, code);
    this.#responding = false;
    this.#linger();
  }

  // ---- responding ----

  sendInformational(head: ResponseHead): void {
    if (this.request.minor === 0) return;
    if (head.status === 100) {
      this.request.expectContinue = false;
      // Until now it was not its turn.
      if (this.#body !== undefined) this.#time.beginBody();
      if (this.#reading === Reading.Body && this.#bufferedTimeout) this.#timeBody();
    }
    this.bytesSent += writeResponseHead(this.#connection, head, false, Persistence.Default);
  }

  sendHead(head: ResponseHead): void {
    const minor = this.request.minor;
    const unknownLength = head.framing === Framing.Chunked || head.framing === Framing.Close;
    if (!unknownLength) this.#sent = Sent.Counted;
    else this.#sent = minor === 1 ? Sent.Chunked : Sent.UntilClose;
    const lasts = this.#sent !== Sent.UntilClose && !this.#settings.draining && this.#bodyWillBeRead();
    if (!lasts) this.#keepAlive = false;
    const persistence = this.#keepAlive
      ? minor === 0
        ? Persistence.KeepAlive
        : Persistence.Default
      : Persistence.Close;
    this.bytesSent += writeResponseHead(this.#connection, head, this.#sent === Sent.Chunked, persistence);
  }

  /** Whether the rest of the request is so short that it can be read to keep the connection. */
  #bodyWillBeRead(): boolean {
    if (this.#reading !== Reading.Body) return true;
    return (
      this.request.framing === Framing.Length &&
      this.#body!.left <= DISCARD_BYTES &&
      !this.request.expectContinue
    );
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    this.bytesSent += end - start;
    if (this.#sent === Sent.Chunked) writeChunk(this.#connection, bytes, start, end);
    else this.#connection.write(bytes, start, end);
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#sent === Sent.Chunked) writeLastChunk(this.#connection, trailers);
    this.#responding = false;
    this.#consumer = ignoring;
    if (!this.#keepAlive) {
      this.#finish();
    } else if (this.#reading === Reading.Body) {
      // The rest of the body is read and thrown away; what it may be was checked when the head was sent.
      this.resumeRequest();
    } else {
      this.#next();
    }
  }

  /** The response is out and the connection stays: on to the next request. */
  #next(): void {
    this.#reading = Reading.Head;
    this.#giveBackHead();
    if (this.#connection.bufferedBytes > 0) return;
    this.#time.awaitRequest(this.#settings.timeouts);
    const pipelined = this.#pipelined;
    if (pipelined === undefined || this.#processing) return;
    this.#pipelined = undefined;
    this.#connection.resume();
    this.#process(pipelined, 0, pipelined.length);
  }

  /** The response is out and the connection goes. */
  #finish(): void {
    const clientKnows = !this.#persistent || this.#connection.readEnded;
    if (
      clientKnows &&
      this.#reading === Reading.Complete &&
      this.#pipelined === undefined &&
      this.#connection.finish()
    )
      this.#over();
    else this.#linger();
  }

  /** Sends FIN and reads on for a while, so that what is still on its way does not reset the connection under the response. */
  #linger(): void {
    this.#responding = false;
    this.#consumer = ignoring;
    if (this.#reading === Reading.Over) return;
    this.#reading = Reading.Linger;
    this.#pipelined = undefined;
    this.#connection.shutdown();
    this.#connection.resume();
    if (this.#connection.bufferedBytes > 0) this.#time.awaitEmpty(this.#settings.timeouts);
    else this.#lingerOn();
  }

  /** Everything is sent: waits for the client to close, for a while. */
  #lingerOn(): void {
    if (this.#connection.readEnded) this.#over();
    else this.#time.awaitEnd();
  }

  #over(): void {
    this.#reading = Reading.Over;
    this.#responding = false;
    this.#consumer = ignoring;
    this.#time.cancel();
    this.#connection.close();
  }

  abort(): void {
    this.#consumer = ignoring;
    this.#responding = false;
    this.#reading = Reading.Over;
    this.#time.cancel();
    // A body that ends with the connection would look whole after a FIN.
    if (this.#sent === Sent.UntilClose || this.#sent === Sent.Nothing) this.#connection.reset();
    else this.#connection.close();
  }

  closeAfterResponse(): void {
    this.#keepAlive = false;
  }

  pauseRequest(): void {
    if (this.#bodyPaused || this.#reading !== Reading.Body) return;
    this.#bodyPaused = true;
    this.#connection.pause();
    this.#time.holdBody();
    if (this.#connection.bufferedBytes === 0) this.#time.awaitNothing();
  }

  resumeRequest(): void {
    if (!this.#bodyPaused) return;
    this.#bodyPaused = false;
    this.#connection.resume();
    this.#time.goOnWithBody();
    if (this.#reading === Reading.Body && this.#connection.bufferedBytes === 0) this.#timeBody();
  }

  answersUpgrade({ upgrade }: ResponseHead): boolean {
    return upgrade !== '' && upgrade === this.request.upgrade;
  }

  startTunnel(head: ResponseHead): RelaySide {
    this.bytesSent += writeResponseHead(this.#connection, head, false, Persistence.Default);
    const leftover = this.#pipelined ?? Buffer.alloc(0);
    this.#pipelined = undefined;
    this.#consumer = ignoring;
    this.#responding = false;
    this.#reading = Reading.Over;
    this.#time.cancel();
    return new ConnectionSide(this.#connection, leftover);
  }

  /** A client whose request is complete sends nothing that a closed socket would answer with a reset. */
  get parting(): boolean {
    return false;
  }

  /** Stops taking requests: an idle connection ends now, a busy one after its response. */
  drain(): void {
    this.#keepAlive = false;
    if (!this.idle) return;
    // The last response may still be on its way.
    if (this.#connection.bufferedBytes > 0) this.#linger();
    else this.#over();
  }

  /** The connection is gone and nothing is served any more: what may be used again goes back. */
  recycle(): void {
    this.#giveBackHead();
  }

  #giveBackHead(): void {
    giveHead(this.#settings.heads, this.request);
    this.request = NO_REQUEST;
  }

  /** Ends what is being served. */
  cut(): void {
    this.#consumer.onCut();
    if (this.#reading !== Reading.Over && !this.#responding) this.#over();
  }

  // ---- events of the connection ----

  onEnd(): void {
    this.#keepAlive = false;
    switch (this.#reading) {
      case Reading.Head:
        if (this.#connection.bufferedBytes === 0) this.#over();
        else this.#linger();
        break;
      case Reading.Body:
        if (this.#responding) {
          const consumer = this.#consumer;
          this.#consumer = ignoring;
          consumer.onRequestFailed('client_closed');
        }
        this.#over();
        break;
      case Reading.Complete:
        // A client may send FIN and still read its response.
        this.#consumer.onClientEnd();
        break;
      case Reading.Linger:
        if (this.#connection.bufferedBytes === 0) this.#over();
        break;
      case Reading.Over:
        break;
    }
  }

  onCongested(): void {
    this.#time.awaitRoom(this.#connection.bufferedBytes, this.#settings.timeouts);
    this.#consumer.onClientCongested();
  }

  onDrain(): void {
    if (this.#reading === Reading.Linger) {
      this.#lingerOn();
      return;
    }
    if (this.#reading === Reading.Body && !this.#bodyPaused) this.#timeBody();
    else if (this.#reading === Reading.Head) this.#next();
    else this.#time.awaitNothing();
    this.#consumer.onClientDrain();
  }

  onClose(): void {
    this.#reading = Reading.Over;
    this.#time.cancel();
    const consumer = this.#consumer;
    this.#consumer = ignoring;
    if (this.#responding) {
      this.#responding = false;
      consumer.onRequestFailed('client_closed');
    }
  }

  onDeadline(): void {
    const waiting = this.#connection.bufferedBytes;
    if (waiting > 0) {
      if (!this.#time.goesOn(waiting, this.#settings.timeouts)) this.#cutSlowReader();
      return;
    }
    switch (this.#reading) {
      case Reading.Head:
        if (this.#holdsNothing) {
          this.#over();
        } else {
          // What was read of it when a line ended is not there any more.
          this.request.fields.reset(NO_BYTES);
          this.#refuse('request_head_timeout');
        }
        break;
      case Reading.Body:
        this.#failRequest('request_body_timeout');
        break;
      case Reading.Linger:
        this.#over();
        break;
      case Reading.Complete:
      case Reading.Over:
        break;
    }
  }

  #cutSlowReader(): void {
    const consumer = this.#consumer;
    this.#consumer = ignoring;
    this.#reading = Reading.Over;
    if (this.#responding) consumer.onRequestFailed('client_too_slow');
    this.#connection.reset();
    this.#time.cancel();
  }
}
