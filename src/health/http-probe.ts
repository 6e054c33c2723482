import { type Address, formatAddress } from '../config/address.ts';
import type { HealthCheckConfig } from '../config/schema/pool.ts';
import { parseStatusSet } from '../config/status-set.ts';
import { fieldLine } from '../model/fields.ts';
import { Framing, RequestHead, type ResponseHead } from '../model/message.ts';
import type { Probe, ProbeDeps, ProbeResult } from './probe.ts';
import type { EndpointProtocol } from './probe-stream.ts';
import { type AnswerJudge, requestProbe } from './request-probe.ts';

type HttpCheck = NonNullable<HealthCheckConfig['http']>;

/** As much of a body is read and judged; what follows is not waited for. */
const MAX_BODY_BYTES = 64 * 1024;

/** What an answer has to be. */
interface Expectations {
  readonly status: (status: number) => boolean;
  /** What is wrong with the body; undefined when nothing is. Absent when any body will do. */
  readonly body: ((body: Buffer) => string | undefined) | undefined;
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
  const name = `${check.method} ${check.path}`;
  const expectations: Expectations = {
    status: parseStatusSet(check.expect),
    body: check.body === undefined ? undefined : bodyJudge(check.body),
  };
  const request = requestOf(check, address, protocol);
  const judge = (): AnswerJudge => new HttpAnswer(name, expectations);
  return requestProbe(deps, { address, protocol, timeoutMs, name, request, body: undefined, judge });
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

/** Status first, then the body as far as it is read. */
class HttpAnswer implements AnswerJudge {
  readonly #name: string;
  readonly #expectations: Expectations;
  /** Of the final response; 0 before its head is there. */
  #status = 0;
  #bodyBytes = 0;
  readonly #body: Buffer[] = [];

  constructor(name: string, expectations: Expectations) {
    this.#name = name;
    this.#expectations = expectations;
  }

  onHead(head: ResponseHead): void {
    this.#status = head.status;
  }

  onBody(bytes: Buffer, start: number, end: number): boolean {
    const take = Math.min(end - start, MAX_BODY_BYTES - this.#bodyBytes);
    this.#bodyBytes += take;
    if (this.#expectations.body !== undefined)
      this.#body.push(Buffer.from(bytes.subarray(start, start + take)));
    return this.#bodyBytes >= MAX_BODY_BYTES;
  }

  /** A status that is not expected says more than whatever went wrong behind it. */
  partial(): ProbeResult | undefined {
    if (this.#status === 0 || this.#expectations.status(this.#status)) return undefined;
    return { passed: false, detail: `${this.#name} answered ${this.#status}` };
  }

  whole(): ProbeResult {
    const bad = this.partial();
    if (bad !== undefined) return bad;
    const answered = `${this.#name} answered ${this.#status}`;
    const wrong = this.#expectations.body?.(Buffer.concat(this.#body));
    return wrong === undefined
      ? { passed: true, detail: answered }
      : { passed: false, detail: `${answered}, but ${wrong}` };
  }
}
