import type { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Framing, type RequestHead, ResponseHead } from '../model/message.ts';
import type { CloseCause, Connection, ConnectionHandler } from '../net/connection.ts';
import { ConnectionSide } from '../net/connection-side.ts';
import type { RelaySide } from '../net/relay.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import type { BodySink } from './chunked.ts';
import { H1BodyReader } from './h1-body-reader.ts';
import { MALFORMED, NEED_MORE } from './h1-fields.ts';
import { hasBody } from './h1-request.ts';
import { MAX_RESPONSE_HEAD, ResponseParser } from './h1-response.ts';
import { writeChunk, writeLastChunk, writeRequestHead } from './h1-write.ts';
import { HeadBuffer } from './head-buffer.ts';
import {
  CERTIFICATE_REFUSED,
  type EndpointStream,
  failureOfClose,
  type ResponseConsumer,
} from './streams.ts';

/** Who keeps the connection between exchanges. */
export interface EndpointConnectionOwner {
  /** The exchange is over and the connection may take another. Returns false when it is not wanted. */
  onIdle(connection: H1EndpointConnection): boolean;
  /** The connection is gone, or will not be used again. */
  onGone(connection: H1EndpointConnection): void;
}

/** Milliseconds. */
export interface EndpointTimeouts {
  readonly response: number;
  readonly responseBody: number;
  readonly idle: number;
}

/** Interim responses to one request, at most. */
export const MAX_INTERIM = 16;
/** An endpoint that says how long it keeps idle connections is believed up to this. */
const MAX_LEARNED_IDLE_MS = 60_000;

const State = { Idle: 0, Head: 1, Body: 2, Over: 3 } as const;
type StateName = (typeof State)[keyof typeof State];

/** One parser serves all connections: it keeps nothing between two calls but the verdict on the last head. */
const parser = new ResponseParser();

/** The back of HTTP/1.1: one connection to an endpoint, one exchange at a time. */
export class H1EndpointConnection implements ConnectionHandler, EndpointStream, BodySink {
  place = -1;
  bytesReceived = 0;
  bytesSent = 0;
  /** Exchanges begun on it. */
  exchanges = 0;
  readonly mayRefuse = false;
  readonly openedMs: number;
  readonly #connection: Connection;
  readonly #owner: EndpointConnectionOwner;
  readonly #timeouts: EndpointTimeouts;
  readonly #deadline: Deadline;
  readonly #head = new ResponseHead();
  readonly #held = new HeadBuffer();
  readonly #body = new H1BodyReader();
  #consumer: ResponseConsumer | undefined = undefined;
  #state: StateName = State.Idle;
  #bodyless = false;
  #requestChunked = false;
  #requestDone = true;
  /** No byte of the body is sent yet: the endpoint is to say first whether it wants it. */
  #awaitsContinue = false;
  #keepAlive = true;
  #idleMs: number;
  #interim = 0;
  #paused = false;
  #leftover: Buffer | undefined = undefined;

  constructor(
    connection: Connection,
    owner: EndpointConnectionOwner,
    timeouts: EndpointTimeouts,
    wheel: TimerWheel,
    nowMs: number,
  ) {
    this.#connection = connection;
    this.#owner = owner;
    this.#timeouts = timeouts;
    this.#idleMs = timeouts.idle;
    this.#deadline = new Deadline(wheel, this);
    this.openedMs = nowMs;
  }

  get congested(): boolean {
    return this.#connection.bufferedBytes > 0;
  }

  /** Was used before the exchange that is under way. */
  get reused(): boolean {
    return this.exchanges > 1;
  }

  /** A new connection is not looked at: if it ends, then not for having been idle. */
  get untouched(): boolean {
    return this.exchanges === 0 || this.#connection.silent();
  }

  /** Starts the time after which an idle connection is closed. The owner calls it when it keeps the connection. */
  rest(): void {
    this.#deadline.start(this.#idleMs);
  }

  /** Closes an idle connection. */
  retire(): void {
    this.#state = State.Over;
    this.#deadline.cancel();
    this.#connection.close();
  }

  /** Fails the exchange if the endpoint has not answered at all yet. */
  failUnanswered(code: FailureCode, detail: string): void {
    if (this.#state === State.Head && this.bytesReceived === 0) this.#fail(code, detail);
  }

  // ---- the request ----

  sendRequest(head: RequestHead, consumer: ResponseConsumer): void {
    this.exchanges++;
    this.#consumer = consumer;
    this.#state = State.Head;
    this.#interim = 0;
    this.#bodyless = head.method === 'HEAD';
    this.#requestChunked = head.framing === Framing.Chunked;
    this.#requestDone = !hasBody(head);
    this.#keepAlive = true;
    this.bytesReceived = 0;
    this.bytesSent = writeRequestHead(this.#connection, head);
    this.#awaitsContinue = head.expectContinue && !this.#requestDone;
    this.#timeHead();
  }

  /** The endpoint has its time while it is its turn: not while the client still sends, or does not read. */
  #timeHead(): void {
    if ((this.#requestDone || this.#awaitsContinue) && !this.#paused)
      this.#deadline.start(this.#timeouts.response);
    else this.#deadline.stop();
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    if (this.#state === State.Over || this.#requestDone) return;
    if (this.#awaitsContinue) {
      // The client did not wait.
      this.#awaitsContinue = false;
      if (this.#state === State.Head) this.#timeHead();
    }
    this.bytesSent += end - start;
    if (this.#requestChunked) writeChunk(this.#connection, bytes, start, end);
    else this.#connection.write(bytes, start, end);
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#state === State.Over || this.#requestDone) return;
    this.#requestDone = true;
    if (this.#requestChunked) writeLastChunk(this.#connection, trailers);
    if (this.#state === State.Head) this.#timeHead();
  }

  abort(): void {
    if (this.#state === State.Over) return;
    this.#end();
    this.#connection.reset();
    this.#owner.onGone(this);
  }

  pauseResponse(): void {
    if (this.#paused || this.#state === State.Over) return;
    this.#paused = true;
    this.#connection.pause();
    this.#deadline.stop();
  }

  resumeResponse(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#state === State.Over) return;
    this.#connection.resume();
    if (this.#state === State.Body) this.#deadline.start(this.#timeouts.responseBody);
    else if (this.#state === State.Head) this.#timeHead();
  }

  startTunnel(): RelaySide {
    const leftover = this.#leftover ?? Buffer.alloc(0);
    this.#leftover = undefined;
    this.#end();
    this.#owner.onGone(this);
    return new ConnectionSide(this.#connection, leftover);
  }

  // ---- the response ----

  onData(bytes: Buffer): void {
    this.bytesReceived += bytes.length;
    switch (this.#state) {
      case State.Head:
        this.#onHeadBytes(bytes);
        break;
      case State.Body:
        this.#readBody(bytes, 0, bytes.length);
        break;
      case State.Idle:
        // Nobody asked: whatever this is, it would be taken for the answer to the next request.
        this.retire();
        this.#owner.onGone(this);
        break;
      case State.Over:
        break;
    }
  }

  #onHeadBytes(bytes: Buffer): void {
    if (this.#held.empty) {
      this.#readHead(bytes, 0, bytes.length);
    } else if (this.#held.append(bytes, 0, bytes.length, MAX_RESPONSE_HEAD)) {
      const whole = this.#held.take();
      this.#readHead(whole, 0, whole.length);
    }
  }

  #readHead(bytes: Buffer, start: number, end: number): void {
    const head = this.#head;
    let at = start;
    for (;;) {
      const behind = parser.parse(bytes, at, end, head, this.#bodyless);
      if (behind === NEED_MORE) {
        this.#held.append(bytes, at, end, MAX_RESPONSE_HEAD);
        return;
      }
      if (behind === MALFORMED) {
        this.#fail(parser.failure, '');
        return;
      }
      at = behind;
      if (head.status >= 200 || head.status === 101) break;
      if (++this.#interim > MAX_INTERIM) {
        this.#fail('response_malformed', `more than ${MAX_INTERIM} interim responses`);
        return;
      }
      if (head.status === 100) this.#awaitsContinue = false;
      if (!this.#requestDone) this.#timeHead();
      this.#consumer!.onInformational(head);
      if (this.#state !== State.Head || at === end) return;
    }
    this.#keepAlive = parser.keepAlive;
    if (parser.keepAliveTimeoutMs > 0) {
      const learnedMs = Math.max(parser.keepAliveTimeoutMs - 1000, parser.keepAliveTimeoutMs / 2);
      this.#idleMs = Math.min(learnedMs, MAX_LEARNED_IDLE_MS);
    }
    if (head.status === 101 && at < end) this.#leftover = Buffer.from(bytes.subarray(at, end));
    const bodyFollows =
      head.framing !== Framing.None && !(head.framing === Framing.Length && head.contentLength === 0);
    this.#state = State.Body;
    if (bodyFollows) {
      this.#body.begin(head.framing, head.contentLength);
      this.#deadline.start(this.#timeouts.responseBody);
    }
    this.#consumer!.onResponse(head);
    if (this.#state !== State.Body) return;
    if (!bodyFollows) this.#complete(undefined, at < end);
    else if (at < end) this.#readBody(bytes, at, end);
  }

  #readBody(bytes: Buffer, start: number, end: number): void {
    if (!this.#paused) this.#deadline.start(this.#timeouts.responseBody);
    const body = this.#body;
    const behind = body.read(bytes, start, end, this);
    if (this.#state !== State.Body) return;
    if (behind === MALFORMED) this.#fail('response_body_malformed', '');
    else if (body.done) this.#complete(body.trailers, behind < end);
  }

  onBodyPiece(bytes: Buffer, start: number, end: number): void {
    if (this.#state === State.Body) this.#consumer!.onResponseBody(bytes, start, end);
  }

  /** The response is whole. `excess`: bytes came behind it, so the connection cannot be trusted with another. */
  #complete(trailers: Fields | undefined, excess: boolean): void {
    const consumer = this.#consumer!;
    this.#consumer = undefined;
    const reusable =
      this.#keepAlive &&
      this.#requestDone &&
      !excess &&
      !this.#connection.readEnded &&
      this.#connection.bufferedBytes === 0;
    this.#state = reusable ? State.Idle : State.Over;
    if (this.#paused) {
      this.#paused = false;
      if (reusable) this.#connection.resume();
    }
    const { bytesReceived, bytesSent } = this;
    // Free before the consumer hears of it: what it does next may need a connection to this endpoint.
    if (!reusable) {
      this.#deadline.cancel();
      this.#connection.close();
      this.#owner.onGone(this);
    } else if (!this.#owner.onIdle(this)) {
      this.retire();
      this.#owner.onGone(this);
    }
    consumer.onResponseEnd(trailers, bytesReceived, bytesSent);
  }

  /** No more events: whatever the connection does now concerns nobody here. */
  #end(): void {
    this.#state = State.Over;
    this.#consumer = undefined;
    this.#deadline.cancel();
  }

  #fail(code: FailureCode, detail: string): void {
    const consumer = this.#consumer;
    this.#end();
    this.#connection.reset();
    this.#owner.onGone(this);
    consumer?.onAttemptFailed(code, detail);
  }

  // ---- events of the connection ----

  onEnd(): void {
    if (this.#state === State.Body && this.#head.framing === Framing.Close) this.#complete(undefined, false);
    else this.onClose('closed');
  }

  onClose(cause: CloseCause): void {
    switch (this.#state) {
      case State.Idle:
        this.retire();
        this.#owner.onGone(this);
        break;
      case State.Head:
        this.#fail(
          failureOfClose(cause, this.reused, this.bytesReceived > 0),
          cause === 'refused' ? CERTIFICATE_REFUSED : '',
        );
        break;
      case State.Body:
        this.#fail('response_truncated', cause);
        break;
      case State.Over:
        break;
    }
  }

  onCongested(): void {
    if (this.#state === State.Head) this.#deadline.start(this.#timeouts.response);
    this.#consumer?.onEndpointCongested();
  }

  onDrain(): void {
    if (this.#state === State.Head) this.#timeHead();
    this.#consumer?.onEndpointDrain();
  }

  onDeadline(): void {
    switch (this.#state) {
      case State.Idle:
        this.retire();
        this.#owner.onGone(this);
        break;
      case State.Head:
        this.#fail('response_timeout', '');
        break;
      case State.Body:
        this.#fail('response_body_timeout', '');
        break;
      case State.Over:
        break;
    }
  }
}
