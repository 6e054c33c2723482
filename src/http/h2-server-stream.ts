import { fieldName, type Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Framing, type RequestHead, type ResponseHead } from '../model/message.ts';
import { exchangeAnswered, exchangeBegins } from '../net/gathering.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import { BodyPace } from './body-pace.ts';
import { StreamOutput, type StreamOutputOwner } from './h2-stream-output.ts';
import { H2Error } from './h2-protocol.ts';
import type { H2ServerConnection } from './h2-server.ts';
import { StreamTunnelSide } from './h2-tunnel-side.ts';
import type { Origin } from '../net/origin.ts';
import type { RelaySide } from '../net/relay.ts';
import type { ClientStream, RequestConsumer } from './streams.ts';
import { ignoring } from './ignoring-consumer.ts';
import { NO_REQUEST } from './spare-heads.ts';
import { webSocketAccept } from './websocket-handshake.ts';

const WEBSOCKET_KEY = fieldName('sec-websocket-key');
const WEBSOCKET_ACCEPT = fieldName('sec-websocket-accept');
/** A client that reads a response has read this much when the time for reading is over, bytes; or all of it. */
const MIN_PROGRESS = 4096;

const CONTENT_TYPE = fieldName('content-type');

function isGrpc(request: RequestHead): boolean {
  return request.fields.get(CONTENT_TYPE)?.startsWith('application/grpc') === true;
}

/** One request of an HTTP/2 client and the way back to it. Used again for other requests. */
export class H2ServerStream implements ClientStream, StreamOutputOwner {
  id = 0;
  request: RequestHead = NO_REQUEST;
  consumer: RequestConsumer = ignoring;
  readonly out: StreamOutput = new StreamOutput(this);
  /** The client has sent END_STREAM, or is not listened to. */
  received = false;
  /** The exchange has given its last word. */
  responded = false;
  /** The head of the final response has not been sent. */
  #waits = false;
  /** Out of the table: nothing happens to it any more. */
  over = false;
  /** Bytes that the client may still send. */
  window = 0;
  /** Bytes taken that the client was not told of yet. */
  credit = 0;
  /** Bytes taken from the connection's window while the consumer held back. */
  withheld = 0;
  paused = false;
  /** Content still to come by Content-Length; -1 when it was not said. */
  bodyLeft = -1;
  bodyBytes = 0;
  /** The one that it serves now; none while it is spare. */
  #serving: H2ServerConnection | undefined = undefined;
  readonly #deadline: Deadline;
  readonly #pace = new BodyPace();
  /** The body has to come at a certain pace. */
  #hurried = true;
  /** What had been sent when the client was last found slow. */
  #sentAtStart = 0;
  #tunnel: StreamTunnelSide | undefined = undefined;
  /** Content that came before the tunnel was there. */
  #early: Buffer[] | undefined = undefined;

  constructor(wheel: TimerWheel) {
    this.#deadline = new Deadline(wheel, this);
  }

  readonly protocol = 'HTTP/2';

  get #connection(): H2ServerConnection {
    return this.#serving!;
  }

  get origin(): Origin {
    return this.#connection.origin;
  }

  get secure(): boolean {
    return this.#connection.secure;
  }

  get context(): unknown {
    return this.#connection.context;
  }

  get congested(): boolean {
    return this.out.pendingBytes > 0 || this.#connection.output.congested;
  }

  get bytesSent(): number {
    return this.out.wireBytes;
  }

  /** Serves another request. */
  begin(
    connection: H2ServerConnection,
    id: number,
    request: RequestHead,
    received: boolean,
    receiveWindow: number,
    sendWindow: number,
  ): void {
    this.#serving = connection;
    this.id = id;
    this.request = request;
    this.received = received;
    this.responded = false;
    this.#waits = true;
    exchangeBegins();
    this.over = false;
    this.consumer = ignoring;
    this.window = receiveWindow;
    this.credit = 0;
    this.withheld = 0;
    // What comes before there is a tunnel waits, and its window with it.
    this.paused = request.upgrade !== '';
    this.bodyLeft = request.framing === Framing.Length ? request.contentLength : -1;
    this.bodyBytes = 0;
    this.#tunnel = undefined;
    this.#early = undefined;
    this.out.begin(id, sendWindow);
    if (received || request.upgrade !== '') return;
    this.#hurried = true;
    this.#pace.begin();
    this.timeBody();
  }

  /** The client has its time for the next piece of the body. `bytes` of it are on their way in a frame that has begun. */
  timeBody(bytes = 0): void {
    if (this.received || this.paused || this.out.pendingBytes > 0 || this.#tunnel !== undefined) return;
    const { bodyPace } = this.#connection;
    this.#deadline.start(
      this.#hurried ? this.#pace.leftMs(this.bodyBytes + bytes, bodyPace) : bodyPace.idleMs,
    );
  }

  stopTime(): void {
    if (this.out.pendingBytes === 0) this.#deadline.stop();
  }

  /** Nobody holds it any more: it may serve another. */
  forget(): void {
    this.#serving = undefined;
    this.request = NO_REQUEST;
  }

  #answered(): void {
    if (this.#waits) exchangeAnswered();
    this.#waits = false;
  }

  /** Gives back everything. */
  end(): void {
    this.over = true;
    this.#answered();
    this.consumer = ignoring;
    this.leaveTunnel();
    this.#early = undefined;
    this.#deadline.cancel();
    this.out.close();
  }

  /** What comes from now on is of no interest to a tunnel any more. */
  leaveTunnel(): void {
    this.#tunnel?.detach();
    this.#tunnel = undefined;
  }

  /** Content of the request; before the tunnel is there it is kept. */
  onContent(bytes: Buffer, start: number, end: number): void {
    if (this.request.upgrade !== '' && this.#tunnel === undefined && !this.responded)
      (this.#early ??= []).push(Buffer.from(bytes.subarray(start, end)));
    else this.consumer.onRequestBody(bytes, start, end);
  }

  // ---- what the exchange does ----

  sendInformational(head: ResponseHead): void {
    if (head.status === 100) {
      this.request.expectContinue = false;
      // Until now it was not its turn.
      this.#pace.begin();
      this.timeBody();
    }
    this.#connection.output.sendResponse(this.out, head.status, head.fields, -1);
  }

  sendHead(head: ResponseHead): void {
    this.#answered();
    this.#hurried = false;
    const told =
      !head.lengthInFields &&
      (head.framing === Framing.Length || (head.framing === Framing.None && head.contentLength >= 0));
    const { output } = this.#connection;
    output.sendResponse(this.out, head.status, head.fields, told ? head.contentLength : -1);
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    const waits = this.out.pendingBytes > 0;
    if (this.#connection.output.send(this.out, bytes, start, end)) return;
    // More of what it does not take gives the client no more time.
    if (!waits) this.#timeSending();
    if (!this.responded) this.consumer.onClientCongested();
    this.#connection.heldBack(this);
  }

  #timeSending(): void {
    this.#sentAtStart = this.out.sentBytes;
    this.#deadline.start(this.#connection.timeouts.send);
  }

  sendEnd(trailers: Fields | undefined): void {
    this.responded = true;
    this.consumer = ignoring;
    this.#connection.output.end(this.out, trailers);
  }

  abort(): void {
    this.responded = true;
    this.consumer = ignoring;
    this.#connection.streams.reset(this, H2Error.InternalError);
  }

  closeAfterResponse(): void {
    // The frames behind it are no less clear than before: only this stream ends.
  }

  pauseRequest(): void {
    if (this.paused || this.over) return;
    this.paused = true;
    this.#pace.hold();
    this.stopTime();
  }

  resumeRequest(): void {
    if (!this.paused || this.over) return;
    this.paused = false;
    this.#pace.go();
    this.#connection.streams.bodies.resumed(this);
    this.timeBody();
  }

  answersUpgrade(head: ResponseHead): boolean {
    const { request } = this;
    if (request.upgrade === '' || head.upgrade !== request.upgrade) return false;
    const key = request.fields.get(WEBSOCKET_KEY);
    return key !== undefined && head.fields.get(WEBSOCKET_ACCEPT) === webSocketAccept(key);
  }

  startTunnel(head: ResponseHead): RelaySide {
    this.#answered();
    // RFC 8441 section 5: 200 says what 101 says in HTTP/1.1, and the fields of the handshake are not used.
    head.fields.remove(WEBSOCKET_ACCEPT);
    this.#connection.output.sendResponse(this.out, 200, head.fields, -1);
    const early = this.#early;
    this.#early = undefined;
    this.stopTime();
    const tunnel = new StreamTunnelSide(this, this.#connection, Buffer.concat(early ?? []));
    this.#tunnel = tunnel;
    this.consumer = tunnel;
    return tunnel;
  }

  // ---- what the output tells ----

  onOutputDrain(): void {
    if (this.received) this.#deadline.stop();
    else this.timeBody();
    if (!this.#connection.output.congested) this.consumer.onClientDrain();
  }

  onOutputEnd(): void {
    if (this.#tunnel === undefined || this.received) this.#connection.streams.finished(this);
  }

  onDeadline(): void {
    if (this.over) return;
    if (this.out.pendingBytes > 0) {
      // Counted from the last time: a byte now and then is no reading.
      if (this.out.sentBytes - this.#sentAtStart >= MIN_PROGRESS) this.#timeSending();
      else this.#connection.streams.tooSlow(this);
      return;
    }
    if (this.received || this.#tunnel !== undefined) return;
    // A call may be a long talk with long pauses.
    if (this.#hurried && !this.#pace.isIdle(this.#connection.bodyPace.idleMs) && isGrpc(this.request)) {
      this.#hurried = false;
      this.timeBody();
    } else this.fail('request_body_timeout');
  }

  /** The request cannot go on: the exchange answers, or aborts. */
  fail(code: FailureCode): void {
    if (this.responded) this.#connection.streams.reset(this, H2Error.InternalError);
    else this.consumer.onRequestFailed(code);
  }
}
