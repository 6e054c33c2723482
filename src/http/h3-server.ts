import type { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Framing, RequestHead, type ResponseHead } from '../model/message.ts';
import type { Http3Exchange, Http3Handler } from '../net/http3-exchange.ts';
import type { Origin } from '../net/origin.ts';
import type { RelaySide } from '../net/relay.ts';
import { Deadline } from '../net/timer-wheel.ts';
import { BodyPace } from './body-pace.ts';
import { hasBody } from './h1-request.ts';
import { requestHeadBytes, responseFields } from './h3-heads.ts';
import type { ServerSettings } from './server-settings.ts';
import { failureReply, replyHead } from './local-reply.ts';
import type { ClientStream, RequestConsumer } from './streams.ts';
import { ignoring } from './ignoring-consumer.ts';

/** The front of HTTP/3: one request of a client, on top of what the runtime makes of QUIC. */
export class H3ServerStream implements ClientStream, Http3Handler {
  readonly request = new RequestHead();
  readonly protocol = 'HTTP/3';
  readonly origin: Origin;
  readonly secure = true;
  readonly context: unknown;
  bytesSent = 0;
  readonly #exchange: Http3Exchange;
  readonly #settings: ServerSettings;
  readonly #over: (stream: H3ServerStream) => void;
  readonly #deadline: Deadline;
  readonly #pace = new BodyPace();
  #consumer: RequestConsumer = ignoring;
  #bodyBytes = 0;
  #receiving = false;
  #responding = true;
  #congested = false;
  #answered = false;

  /** @param over Called once, when nothing is under way any more. */
  constructor(exchange: Http3Exchange, settings: ServerSettings, over: (stream: H3ServerStream) => void) {
    this.#exchange = exchange;
    this.#settings = settings;
    this.#over = over;
    this.#deadline = new Deadline(settings.wheel, this);
    const { remoteAddress, remotePort } = exchange;
    this.origin = {
      remoteAddress,
      remotePort,
      peerAddress: remoteAddress,
      peerPort: remotePort,
      localAddress: '',
      localPort: 0,
      proxied: undefined,
      tls: undefined,
    };
    this.context = settings.contextOf(this.origin, true);
  }

  /** Begins to serve it. */
  begin(): void {
    const { parser, handler, bodyBytes } = this.#settings;
    const head = requestHeadBytes(this.#exchange);
    if (parser.parse(head, 0, head.length, this.request) < 0) {
      this.#refuse(parser.failure);
      return;
    }
    this.request.lineStart = -1;
    if (this.request.framing === Framing.Length && this.request.contentLength > bodyBytes) {
      this.#refuse('request_body_too_large');
      return;
    }
    this.#receiving = hasBody(this.request);
    this.#pace.begin();
    if (this.#receiving) this.#timeBody();
    const consumer = handler.onRequest(this);
    if (this.#responding) this.#consumer = consumer;
  }

  #refuse(code: FailureCode): void {
    const reply = failureReply(code);
    this.sendHead(replyHead(reply));
    if (this.request.method !== 'HEAD') this.sendBody(reply.body, 0, reply.body.length);
    this.#settings.handler.onRefused(this, code);
    this.#exchange.end();
    this.#end();
  }

  get congested(): boolean {
    return this.#exchange.congested;
  }

  sendInformational(head: ResponseHead): void {
    // The runtime cannot send any, and the client that expects 100 sends its body without one after a while.
    if (head.status === 100) this.request.expectContinue = false;
  }

  sendHead(head: ResponseHead): void {
    this.#answered = true;
    const { fields, sizeBytes } = responseFields(head);
    this.bytesSent += sizeBytes;
    const bodyless = head.framing === Framing.None || this.request.method === 'HEAD';
    const length = bodyless ? 0 : head.framing === Framing.Length ? head.contentLength : undefined;
    this.#exchange.respond(head.status, fields, length);
  }

  sendBody(bytes: Buffer, start: number, end: number): void {
    this.bytesSent += end - start;
    this.#exchange.write(bytes, start, end);
    if (this.#exchange.congested && !this.#congested) {
      this.#congested = true;
      this.#deadline.start(this.#settings.timeouts.send);
      this.#consumer.onClientCongested();
    }
  }

  /** Trailers are lost: the runtime has no way to send them. */
  sendEnd(_trailers: Fields | undefined): void {
    this.#exchange.end();
    this.#end();
  }

  abort(): void {
    this.#exchange.abort();
    this.#end();
  }

  closeAfterResponse(): void {}

  pauseRequest(): void {
    this.#exchange.pause();
    this.#pace.hold();
    if (this.#receiving) this.#deadline.stop();
  }

  /** The client has its time for the next piece of the body; once it is being answered, at whatever pace. */
  #timeBody(): void {
    const { bodyPace } = this.#settings;
    this.#deadline.start(this.#answered ? bodyPace.idleMs : this.#pace.leftMs(this.#bodyBytes, bodyPace));
  }

  resumeRequest(): void {
    this.#exchange.resume();
    this.#pace.go();
    if (this.#receiving) this.#timeBody();
  }

  answersUpgrade(): boolean {
    return false;
  }

  /** Never called: `Upgrade` is not in the head of an HTTP/3 request. */
  startTunnel(): RelaySide {
    throw new Error('HTTP/3 has no tunnels here');
  }

  /** Ends what is being served. */
  cut(): void {
    this.#consumer.onCut();
  }

  #end(): void {
    if (!this.#responding) return;
    this.#responding = false;
    this.#consumer = ignoring;
    this.#deadline.cancel();
    this.#over(this);
  }

  onBody(bytes: Buffer): void {
    if (!this.#receiving) return;
    this.#bodyBytes += bytes.length;
    if (!this.#congested) this.#timeBody();
    const { framing, contentLength } = this.request;
    if (this.#bodyBytes > this.#settings.bodyBytes) this.#failRequest('request_body_too_large');
    else if (framing === Framing.Length && this.#bodyBytes > contentLength)
      this.#failRequest('request_body_malformed');
    else this.#consumer.onRequestBody(bytes, 0, bytes.length);
  }

  onBodyEnd(): void {
    if (!this.#receiving) return;
    if (this.request.framing === Framing.Length && this.#bodyBytes !== this.request.contentLength) {
      this.#failRequest('request_body_malformed');
      return;
    }
    this.#receiving = false;
    if (!this.#congested) this.#deadline.stop();
    this.#consumer.onRequestEnd(undefined);
  }

  #failRequest(code: FailureCode): void {
    this.#receiving = false;
    this.#consumer.onRequestFailed(code);
  }

  onDrain(): void {
    if (!this.#congested) return;
    this.#congested = false;
    if (this.#receiving) this.#timeBody();
    else this.#deadline.stop();
    this.#consumer.onClientDrain();
  }

  onGone(): void {
    const consumer = this.#consumer;
    this.#consumer = ignoring;
    if (this.#responding) consumer.onRequestFailed('client_closed');
    this.#end();
  }

  onDeadline(): void {
    if (!this.#congested) {
      this.#failRequest('request_body_timeout');
      return;
    }
    const consumer = this.#consumer;
    this.#consumer = ignoring;
    consumer.onRequestFailed('client_too_slow');
    this.#exchange.abort();
    this.#end();
  }
}
