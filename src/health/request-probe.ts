import type { Address } from '../config/schema/address.ts';
import type { EndpointStream, ResponseConsumer } from '../http/streams.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Fields } from '../model/fields.ts';
import type { RequestHead, ResponseHead } from '../model/message.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Dialler } from '../net/dial.ts';
import { failedDial, type Probe, type ProbeDeps, type ProbeResult } from './probe.ts';
import { type EndpointProtocol, ProbeConnection, type ProbeStreamOwner } from './probe-stream.ts';

/** Makes up its mind about one answer. */
export interface AnswerJudge {
  /** The head of the final response. */
  onHead(head: ResponseHead): void;
  /** A piece of the body, valid for this call. True when the rest is not needed to judge. */
  onBody(bytes: Buffer, start: number, end: number): boolean;
  /** The verdict on an answer that is whole, or as much of it as is needed. */
  whole(trailers: Fields | undefined): ProbeResult;
  /** The verdict on what came of an answer that will never be whole; undefined when that says nothing. */
  partial(): ProbeResult | undefined;
}

/** A check that is one request, made ready. */
export interface RequestPlan {
  readonly address: Address;
  readonly protocol: EndpointProtocol;
  /** For all of it, connecting included. */
  readonly timeoutMs: number;
  /** The request in words: `GET /health`. */
  readonly name: string;
  readonly request: RequestHead;
  /** All of the body; undefined when the head says that there is none. */
  readonly body: Buffer | undefined;
  /** Judges the answer to one request. */
  readonly judge: () => AnswerJudge;
}

/** Sends one request over a connection of its own and has the answer judged. */
export function requestProbe(deps: ProbeDeps, plan: RequestPlan): Probe {
  return (done) => {
    const run = new RequestProbeRun(deps, plan, done);
    return () => run.cancel();
  };
}

/** One request under way. */
class RequestProbeRun implements Dialler, ResponseConsumer, ProbeStreamOwner {
  readonly #deps: ProbeDeps;
  readonly #plan: RequestPlan;
  readonly #done: (result: ProbeResult) => void;
  readonly #judge: AnswerJudge;
  readonly #cancelTimeout: () => void;
  readonly #cancelDial: () => void;
  #connection: ProbeConnection | undefined = undefined;
  #stream: EndpointStream | undefined = undefined;
  #answered = false;
  #over = false;

  constructor(deps: ProbeDeps, plan: RequestPlan, done: (result: ProbeResult) => void) {
    this.#deps = deps;
    this.#plan = plan;
    this.#done = done;
    this.#judge = plan.judge();
    const { address, timeoutMs } = plan;
    this.#cancelTimeout = deps.clock.after(timeoutMs, () => this.#onTimeout());
    this.#cancelDial = deps.dial(deps.wheel, address.host, address.port, timeoutMs, this);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout();
    this.#leave();
  }

  /** Gives up what is under way. */
  #leave(): void {
    if (this.#connection === undefined) this.#cancelDial();
    this.#stream?.abort();
    this.#connection?.close();
  }

  onConnected(connection: Connection): ConnectionHandler {
    const { timeoutMs, protocol } = this.#plan;
    const own = new ProbeConnection(this.#deps, protocol, connection, timeoutMs, this);
    this.#connection = own;
    own.begin();
    return own.handler;
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#tell(failedDial(code, detail));
  }

  onStream(stream: EndpointStream): void {
    const { request, body } = this.#plan;
    this.#stream = stream;
    stream.sendRequest(request, this);
    if (body === undefined) return;
    stream.sendBody(body, 0, body.length);
    stream.sendEnd(undefined);
  }

  onNoStream(code: FailureCode, detail: string): void {
    this.onAttemptFailed(code, detail);
  }

  onInformational(): void {}

  onResponse(head: ResponseHead): void {
    this.#answered = true;
    this.#judge.onHead(head);
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    if (this.#over || !this.#judge.onBody(bytes, start, end)) return;
    this.#tell(this.#judge.whole(undefined));
    this.#leave();
  }

  onResponseEnd(trailers: Fields | undefined): void {
    this.#stream = undefined;
    this.#tell(this.#judge.whole(trailers));
  }

  onAttemptFailed(code: FailureCode, detail: string): void {
    this.#stream = undefined;
    const reason = detail === '' ? code : `${code}: ${detail}`;
    this.#fail(`${this.#plan.name} failed (${reason})`);
  }

  onEndpointCongested(): void {}

  onEndpointDrain(): void {}

  #onTimeout(): void {
    const { name, timeoutMs } = this.#plan;
    const connected = this.#connection !== undefined;
    const missing = !connected ? 'no connection' : this.#answered ? 'no end of the answer' : 'no answer';
    this.#leave();
    this.#fail(`${name}: ${missing} within ${timeoutMs} ms`);
  }

  /** What came of an answer may say more than what went wrong behind it. */
  #fail(detail: string): void {
    this.#tell(this.#judge.partial() ?? { passed: false, detail });
  }

  #tell(result: ProbeResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout();
    this.#done(result);
  }
}
