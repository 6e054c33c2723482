import type { FailureCode } from '../model/failures.ts';
import { type Fields, fieldLine, fieldName } from '../model/fields.ts';
import { Framing, type RequestHead, type ResponseHead } from '../model/message.ts';
import type { CloseCause } from '../net/connection.ts';
import type { RelaySide } from '../net/relay.ts';
import { atBatchEnd } from '../net/turn.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import { hasBody } from './h1-request.ts';
import type { H2EndpointConnection } from './h2-client.ts';
import { H2EndpointTunnel } from './h2-client-tunnel.ts';
import { StreamOutput, type StreamOutputOwner } from './h2-stream-output.ts';
import { H2Error, h2ErrorName } from './h2-protocol.ts';
import { responseBlock } from './h2-response.ts';
import { ResponseWindow } from './h2-response-window.ts';
import { MAX_INTERIM } from './h1-client.ts';
import type { EndpointStream, ResponseConsumer } from './streams.ts';
import { dropForbiddenTrailers } from './trailer-rules.ts';
import { webSocketAccept } from './websocket-handshake.ts';

const WEBSOCKET_KEY = fieldName('sec-websocket-key');

const State = { Head: 0, Body: 1, Over: 2 } as const;
type StateName = (typeof State)[keyof typeof State];

/** One request to an endpoint of HTTP/2 and its response. Used again for other requests of the same connection. */
export class H2EndpointStream implements EndpointStream, StreamOutputOwner {
  /** 0 while it is not open. */
  id = 0;
  bytesReceived = 0;
  readonly out: StreamOutput = new StreamOutput(this);
  /** What the connection had read when the request was sent. */
  readsBefore = 0;
  reused = false;
  readonly mayRefuse = true;
  readonly #connection: H2EndpointConnection;
  readonly #deadline: Deadline;
  #consumer: ResponseConsumer | undefined = undefined;
  #state: StateName = State.Over;
  #bodyless = false;
  #awaitsContinue = false;
  #interim = 0;
  /** Content still to come by Content-Length; -1 when it was not said. */
  #bodyLeft = -1;
  #paused = false;
  readonly #window = new ResponseWindow();
  /** Protocol asked for by extended CONNECT, and the answer to the client's WebSocket key. */
  #upgrade = '';
  #accept = '';
  #tunnel: H2EndpointTunnel | undefined = undefined;
  /** Why the endpoint would not take the request. */
  #objection: FailureCode | undefined = undefined;

  constructor(connection: H2EndpointConnection, wheel: TimerWheel) {
    this.#connection = connection;
    this.#deadline = new Deadline(wheel, this);
  }

  /** Bytes that the endpoint may still send. */
  get windowLeft(): number {
    return this.#window.left;
  }

  get congested(): boolean {
    return this.out.pendingBytes > 0;
  }

  get bytesSent(): number {
    return this.out.wireBytes;
  }

  // ---- the request ----

  sendRequest(head: RequestHead, consumer: ResponseConsumer): void {
    const connection = this.#connection;
    this.#consumer = consumer;
    this.#state = State.Head;
    this.#bodyless = head.method === 'HEAD';
    this.#interim = 0;
    this.#bodyLeft = -1;
    this.#paused = false;
    this.#window.begin();
    this.#upgrade = head.upgrade;
    this.#accept = '';
    this.#tunnel = undefined;
    this.bytesReceived = 0;
    this.#awaitsContinue = head.expectContinue && hasBody(head);
    if (head.upgrade !== '') {
      const key = head.fields.get(WEBSOCKET_KEY);
      if (key !== undefined) this.#accept = webSocketAccept(key);
    }
    this.#objection = connection.objection(head);
    if (this.#objection !== undefined) {
      // Later: who asked does not expect an answer before this returns.
      atBatchEnd(this);
      return;
    }
    connection.begin(this, head, !hasBody(head) && head.upgrade === '');
    if (this.#state === State.Head) this.#timeHead();
  }

  onBatchEnd(): void {
    if (this.#objection === undefined || this.#state !== State.Head) return;
    const detail =
      this.#objection === 'request_head_too_large' ? 'SETTINGS_MAX_HEADER_LIST_SIZE of the endpoint' : '';
    this.fail(this.#objection, detail, -1);
  }

  /** The endpoint has its time while it is its turn: not while the client still sends, or does not read. */
  #timeHead(): void {
    if ((this.out.ended || this.#awaitsContinue || this.#upgrade !== '') && !this.#paused)
      this.#deadline.start(this.#connection.timeouts.response);
    else this.#deadline.stop();
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    if (this.#state === State.Over || this.out.ended) return;
    if (this.#awaitsContinue) {
      // The client did not wait.
      this.#awaitsContinue = false;
      if (this.#state === State.Head) this.#timeHead();
    }
    if (this.#connection.output.send(this.out, bytes, start, end)) return;
    if (this.#state === State.Head) this.#deadline.start(this.#connection.timeouts.response);
    this.#consumer?.onEndpointCongested();
  }

  sendEnd(trailers: Fields | undefined): void {
    if (this.#state !== State.Over) this.#connection.output.end(this.out, trailers);
  }

  onOutputDrain(): void {
    if (this.#state === State.Head) this.#timeHead();
    this.#consumer?.onEndpointDrain();
  }

  onOutputEnd(): void {
    if (this.#state === State.Head && this.#consumer !== undefined) this.#timeHead();
  }

  abort(): void {
    if (this.#state === State.Over) return;
    this.#leave(H2Error.Cancel);
    this.#connection.recycle(this);
  }

  pauseResponse(): void {
    if (this.#paused || this.#state === State.Over) return;
    this.#paused = true;
    this.#deadline.stop();
  }

  resumeResponse(): void {
    if (!this.#paused || this.#state === State.Over) return;
    this.#paused = false;
    this.#widen(1);
    if (this.#state === State.Head) this.#timeHead();
    else this.#timeBody();
  }

  startTunnel(): RelaySide {
    const tunnel = new H2EndpointTunnel(this);
    this.#tunnel = tunnel;
    this.#consumer = tunnel;
    this.#deadline.stop();
    return tunnel;
  }

  // ---- the response ----

  /** A field block has come. Returns whether it could be decoded; nothing on the connection can be, if not. */
  onFields(endStream: boolean, block: Buffer, start: number, end: number): boolean {
    const { memo } = this.#connection;
    this.bytesReceived += end - start;
    const trailers = this.#state === State.Body;
    const error = trailers
      ? responseBlock.readTrailers(memo, block, start, end)
      : responseBlock.readHead(memo, block, start, end);
    if (error !== undefined) return false;
    if (responseBlock.failure !== undefined) this.fail(responseBlock.failure, '', H2Error.ProtocolError);
    else if (!trailers) this.#onHead(responseBlock.head, endStream);
    else if (endStream) this.#onEnd(responseBlock.trailers);
    else this.fail('response_malformed', 'fields within a body', H2Error.ProtocolError);
    return true;
  }

  #onHead(head: ResponseHead, endStream: boolean): void {
    const { status } = head;
    if (status < 200) {
      this.#onInterim(head, endStream);
      return;
    }
    if (this.#upgrade !== '' && status < 300 && !endStream) {
      this.#onSwitch(head);
      return;
    }
    const body = responseBlock.frame(endStream, this.#bodyless);
    if (responseBlock.failure !== undefined) {
      this.fail(responseBlock.failure, 'a length without a body', H2Error.ProtocolError);
      return;
    }
    if (!body) this.#bodyLeft = 0;
    else if (head.framing === Framing.Length) this.#bodyLeft = head.contentLength;
    this.#state = State.Body;
    this.#timeBody();
    this.#consumer!.onResponse(head);
    if (endStream && this.#state === State.Body) this.#complete(undefined);
  }

  #onInterim(head: ResponseHead, endStream: boolean): void {
    if (head.status === 101 || endStream) {
      this.fail('response_malformed', `status ${head.status}`, H2Error.ProtocolError);
    } else if (++this.#interim > MAX_INTERIM) {
      this.fail('response_malformed', `more than ${MAX_INTERIM} interim responses`, H2Error.EnhanceYourCalm);
    } else {
      if (head.status === 100) this.#awaitsContinue = false;
      if (!this.out.ended) this.#timeHead();
      head.framing = Framing.None;
      head.contentLength = -1;
      this.#consumer!.onInformational(head);
    }
  }

  /** RFC 8441 section 5: what is 101 in HTTP/1.1. */
  #onSwitch(head: ResponseHead): void {
    this.#state = State.Body;
    this.#deadline.stop();
    head.status = 101;
    head.reason = 'Switching Protocols';
    head.upgrade = this.#upgrade;
    head.framing = Framing.None;
    head.contentLength = -1;
    if (this.#accept !== '') head.fields.add(fieldLine('Sec-WebSocket-Accept', this.#accept));
    this.#consumer!.onResponse(head);
  }

  #timeBody(): void {
    if (!this.#paused && this.#tunnel === undefined)
      this.#deadline.start(this.#connection.timeouts.responseBody);
  }

  /** A DATA frame begins that takes `length` of the window. */
  onFrame(length: number): void {
    this.bytesReceived += length;
    if (!this.#window.take(length))
      this.fail('endpoint_protocol', 'more than the window', H2Error.FlowControlError);
    else if (this.#state === State.Head)
      this.fail('response_malformed', 'a body without a head', H2Error.ProtocolError);
  }

  onContent(bytes: Buffer, start: number, end: number): void {
    if (this.#bodyLeft >= 0) {
      this.#bodyLeft -= end - start;
      if (this.#bodyLeft < 0) {
        this.fail('response_body_malformed', 'longer than Content-Length', H2Error.ProtocolError);
        return;
      }
    }
    this.#timeBody();
    this.#consumer!.onResponseBody(bytes, start, end);
  }

  /** That frame is over. */
  onFrameEnd(endStream: boolean): void {
    if (endStream) this.#onEnd(undefined);
    else this.#widen(this.#window.half);
  }

  /** Lets the endpoint send more when it has sent at least `least` bytes and they were taken. */
  #widen(least: number): void {
    if (this.#paused || this.#state !== State.Body) return;
    const increment = this.#window.widen(least);
    if (increment > 0) this.#connection.output.writer.windowUpdate(this.id, increment);
  }

  #onEnd(trailers: Fields | undefined): void {
    if (this.#bodyLeft > 0)
      this.fail('response_truncated', 'shorter than Content-Length', H2Error.ProtocolError);
    else if (this.#tunnel !== undefined) this.#tunnel.onEnd();
    else this.#complete(trailers !== undefined && dropForbiddenTrailers(trailers) ? trailers : undefined);
  }

  #complete(trailers: Fields | undefined): void {
    const consumer = this.#consumer!;
    const { bytesReceived, bytesSent } = this;
    this.#connection.answered++;
    // Free before the consumer hears of it: what it does next may need a stream to this endpoint.
    this.#leave(this.out.ended ? -1 : H2Error.Cancel);
    consumer.onResponseEnd(trailers, bytesReceived, bytesSent);
    this.#connection.recycle(this);
  }

  /** The endpoint has reset the stream. */
  onReset(error: number): void {
    const name = h2ErrorName(error);
    if (error === H2Error.RefusedStream && this.#state === State.Head) this.fail('stream_refused', name, -1);
    else this.fail(this.#state === State.Head ? 'endpoint_reset' : 'response_truncated', name, -1);
  }

  /** The connection is gone; `stale`: it was so before the request arrived, as far as we can tell. */
  onConnectionLost(cause: CloseCause, stale: boolean): void {
    if (this.#state === State.Body) this.fail('response_truncated', cause, -1);
    else if (stale) this.fail('endpoint_stale', '', -1);
    else this.fail(cause === 'closed' ? 'endpoint_closed' : 'endpoint_reset', '', -1);
  }

  /** Ends in a failure. `error`: what the endpoint is told with RST_STREAM; -1 for nothing. */
  fail(code: FailureCode, detail: string, error: number): void {
    const consumer = this.#consumer;
    this.#leave(error);
    consumer?.onAttemptFailed(code, detail);
    this.#connection.recycle(this);
  }

  /** Fails the exchange if the endpoint has not answered at all yet. */
  failUnanswered(code: FailureCode, detail: string): void {
    if (this.#state === State.Head && this.bytesReceived === 0) this.fail(code, detail, H2Error.Cancel);
  }

  /** Both sides of the tunnel have ended in good order. */
  finishTunnel(): void {
    if (this.#state !== State.Over) this.#leave(-1);
  }

  #leave(error: number): void {
    this.#state = State.Over;
    this.#consumer = undefined;
    this.#deadline.stop();
    this.#connection.end(this, error);
  }

  onDeadline(): void {
    switch (this.#state) {
      case State.Head:
        this.#connection.suspect(this);
        this.fail('response_timeout', '', H2Error.Cancel);
        break;
      case State.Body:
        this.#connection.suspect(this);
        this.fail('response_body_timeout', '', H2Error.Cancel);
        break;
      case State.Over:
        break;
    }
  }
}
