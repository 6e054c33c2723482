import { type Address, formatAddress } from '../config/address.ts';
import type { HealthCheckConfig } from '../config/schema/pool.ts';
import { parseStatusSet } from '../config/status-set.ts';
import type { EndpointStream, ResponseConsumer } from '../http/streams.ts';
import type { FailureCode } from '../model/failures.ts';
import { fieldLine } from '../model/fields.ts';
import { Framing, RequestHead, type ResponseHead } from '../model/message.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Dialler } from '../net/dial.ts';
import { failedDial, type Probe, type ProbeDeps, type ProbeResult } from './probe.ts';
import { type EndpointProtocol, ProbeConnection, type ProbeStreamOwner } from './probe-stream.ts';

type HttpCheck = NonNullable<HealthCheckConfig['http']>;

/** As much of a body is read and judged; what follows is not waited for. */
const MAX_BODY_BYTES = 64 * 1024;

/** A check made ready: what is sent and what is expected. */
interface Plan {
  readonly address: Address;
  readonly protocol: EndpointProtocol;
  readonly timeoutMs: number;
  readonly request: RequestHead;
  /** The request in words. */
  readonly name: string;
  readonly isExpected: (status: number) => boolean;
  /** What is wrong with the body; undefined when nothing is. Absent when any body will do. */
  readonly judgeBody: ((body: Buffer) => string | undefined) | undefined;
}

/**
 * Sends one request over a connection of its own and judges status and body. It passes when the response is whole (or its first
 * 64 KiB are there) and as expected within `timeoutMs`, connecting included.
 */
export function httpProbe(
  deps: ProbeDeps,
  address: Address,
  protocol: EndpointProtocol,
  check: HttpCheck,
  timeoutMs: number,
): Probe {
  const plan: Plan = {
    address,
    protocol,
    timeoutMs,
    request: requestOf(check, address, protocol),
    name: `${check.method} ${check.path}`,
    isExpected: parseStatusSet(check.expect),
    judgeBody: check.body === undefined ? undefined : bodyJudge(check.body),
  };
  return (done) => {
    const run = new HttpProbeRun(deps, plan, done);
    return () => run.cancel();
  };
}

function requestOf(check: HttpCheck, address: Address, protocol: EndpointProtocol): RequestHead {
  const head = new RequestHead();
  const queryAt = check.path.indexOf('?');
  head.method = check.method;
  head.path = queryAt < 0 ? check.path : check.path.slice(0, queryAt);
  head.query = queryAt < 0 ? '' : check.path.slice(queryAt);
  head.authority = check.host ?? formatAddress(address);
  // A POST says that its body is empty (RFC 9110 section 8.6).
  head.framing = check.method === 'POST' ? Framing.Length : Framing.None;
  const lines = new Map([
    ['host', fieldLine('Host', head.authority)],
    ['user-agent', fieldLine('User-Agent', 'pointsman-health-check')],
    ['accept', fieldLine('Accept', '*/*')],
  ]);
  for (const [name, value] of Object.entries(check.headers)) {
    lines.set(name.toLowerCase(), fieldLine(name, value));
  }
  // Of HTTP/2 it is no part (RFC 9113 section 8.2.2).
  if (protocol === 'http1') lines.set('connection', fieldLine('Connection', 'close'));
  else lines.delete('host');
  for (const line of lines.values()) head.fields.add(line);
  return head;
}

function bodyJudge(rule: NonNullable<HttpCheck['body']>): (body: Buffer) => string | undefined {
  if ('contains' in rule) {
    return (body) =>
      body.includes(rule.contains) ? undefined : `its body does not contain ${JSON.stringify(rule.contains)}`;
  }
  const pattern = new RegExp(rule.regex);
  return (body) => (pattern.test(body.toString()) ? undefined : `its body does not match /${rule.regex}/`);
}

/** One request under way. */
class HttpProbeRun implements Dialler, ResponseConsumer, ProbeStreamOwner {
  readonly #deps: ProbeDeps;
  readonly #plan: Plan;
  readonly #done: (result: ProbeResult) => void;
  readonly #cancelTimeout: () => void;
  readonly #cancelDial: () => void;
  #connection: ProbeConnection | undefined = undefined;
  #stream: EndpointStream | undefined = undefined;
  /** Of the final response; 0 before its head is there. */
  #status = 0;
  #bodyBytes = 0;
  readonly #body: Buffer[] = [];
  #over = false;

  constructor(deps: ProbeDeps, plan: Plan, done: (result: ProbeResult) => void) {
    this.#deps = deps;
    this.#plan = plan;
    this.#done = done;
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

  onStream(stream: EndpointStream): void {
    this.#stream = stream;
    stream.sendRequest(this.#plan.request, this);
  }

  onNoStream(code: FailureCode, detail: string): void {
    this.onAttemptFailed(code, detail);
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#tell(failedDial(code, detail));
  }

  onInformational(): void {}

  onResponse(head: ResponseHead): void {
    this.#status = head.status;
  }

  onResponseBody(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return;
    const take = Math.min(end - start, MAX_BODY_BYTES - this.#bodyBytes);
    this.#bodyBytes += take;
    if (this.#plan.judgeBody !== undefined) this.#body.push(Buffer.from(bytes.subarray(start, start + take)));
    if (this.#bodyBytes < MAX_BODY_BYTES) return;
    this.#judge();
    this.#leave();
  }

  onResponseEnd(): void {
    this.#judge();
  }

  onAttemptFailed(code: FailureCode, detail: string): void {
    if (this.#judgeBadStatus()) return;
    const more = detail === '' ? '' : `: ${detail}`;
    this.#finish(false, `${this.#plan.name} failed (${code}${more})`);
  }

  onEndpointCongested(): void {}

  onEndpointDrain(): void {}

  #onTimeout(): void {
    const { name, timeoutMs } = this.#plan;
    const connected = this.#connection !== undefined;
    const missing = !connected ? 'no connection' : this.#status === 0 ? 'no answer' : 'no end of the answer';
    this.#leave();
    if (this.#judgeBadStatus()) return;
    this.#finish(false, `${name}: ${missing} within ${timeoutMs} ms`);
  }

  /** A status that is not expected says more than whatever went wrong behind it. */
  #judgeBadStatus(): boolean {
    const { name, isExpected } = this.#plan;
    if (this.#status === 0 || isExpected(this.#status)) return false;
    this.#finish(false, `${name} answered ${this.#status}`);
    return true;
  }

  #judge(): void {
    if (this.#judgeBadStatus()) return;
    const answered = `${this.#plan.name} answered ${this.#status}`;
    const wrong = this.#plan.judgeBody?.(Buffer.concat(this.#body));
    this.#finish(wrong === undefined, wrong === undefined ? answered : `${answered}, but ${wrong}`);
  }

  #finish(passed: boolean, detail: string): void {
    this.#tell({ passed, detail });
  }

  #tell(result: ProbeResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout();
    this.#done(result);
  }
}
