import type { FailureCode } from '../model/failures.ts';
import { Known, knownFieldId } from '../model/known-fields.ts';
import { Framing, type RequestHead } from '../model/message.ts';
import { LastText } from './last-text.ts';
import { forEachToken, isAuthority, isPlainLength, isWord, parseContentLength } from './tokens.ts';

/** Fields that Connection must not name: they are for the endpoint, or decide where the message ends (RFC 9110 section 7.6.1). */
const NOT_HOP_BY_HOP: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'content-encoding',
  'cookie',
  'authorization',
  'cache-control',
]);

/** Protocols that are never switched to: HTTP itself would escape the router (h2c smuggling). */
function mayUpgradeTo(protocol: string): boolean {
  return (
    protocol !== '' &&
    !protocol.includes(',') &&
    !protocol.includes(' ') &&
    !/^(h2c?|http|tls)(\/|$)/.test(protocol)
  );
}

/**
 * What the fields of a request say about the message itself: host, framing, persistence, expectations, upgrade. One pass over the
 * lines; hop-by-hop fields are dropped on the way.
 */
export class RequestFieldRules {
  keepAlive = true;
  #failure: FailureCode | undefined = undefined;
  #hostIndex = -1;
  #hosts = 0;
  #lengths = 0;
  #codings = 0;
  /** A Connection line says something else than one of the two words that most say. */
  #connection = false;
  #close = false;
  #keepAlive = false;
  #upgradeIndex = -1;
  /** Most requests name the same host as the one before. */
  readonly #authorities = new LastText();

  /** Fills `head` from its lines; returns the reason when they cannot stand. */
  apply(head: RequestHead): FailureCode | undefined {
    this.#failure = undefined;
    this.#hostIndex = -1;
    this.#hosts = 0;
    this.#lengths = 0;
    this.#codings = 0;
    this.#connection = false;
    this.#close = false;
    this.#keepAlive = false;
    this.#upgradeIndex = -1;
    head.framing = Framing.None;
    head.contentLength = 0;
    head.lengthInFields = false;
    head.expectContinue = false;
    head.upgrade = '';
    head.acceptsTrailers = false;
    head.authority = '';
    head.hostReplaced = false;
    const { ids, count } = head.fields;
    for (let index = 0; index < count; index++) {
      const id = ids[index]!;
      if (id !== Known.Other) this.#line(head, index, id);
    }
    if (this.#failure !== undefined) return this.#failure;
    if (this.#codings > 0 && (this.#lengths > 0 || head.minor === 0)) return 'request_framing';
    if (this.#hosts === 0) {
      if (head.minor === 1) return 'request_host';
      head.hostReplaced = true;
    }
    if (this.#connection) this.#applyConnection(head);
    else if (this.#upgradeIndex >= 0) head.fields.drop(this.#upgradeIndex);
    this.keepAlive = !this.#close && (head.minor === 1 || this.#keepAlive);
    if (this.#failure !== undefined) return this.#failure;
    if (head.expectContinue && (head.framing === Framing.None || head.minor === 0))
      head.expectContinue = false;
    return undefined;
  }

  /** The target named the host: whatever Host said is replaced (RFC 9112 section 3.2.2). */
  replaceHost(head: RequestHead): void {
    if (this.#hostIndex >= 0) head.fields.drop(this.#hostIndex);
    head.hostReplaced = true;
  }

  #line(head: RequestHead, index: number, id: number): void {
    const { fields } = head;
    if (fields.isDropped(index)) return;
    const start = fields.at[index * 4 + 2]!;
    const end = fields.at[index * 4 + 3]!;
    switch (id) {
      case Known.Host:
        this.#hostIndex = index;
        if (++this.#hosts > 1 || !isAuthority(fields.bytes, start, end)) this.#fail('request_host');
        else head.authority = this.#authorities.of(fields.bytes, start, end);
        break;
      case Known.ContentLength: {
        const length = parseContentLength(fields.bytes, start, end);
        if (length < 0 || ++this.#lengths > 1) this.#fail('request_framing');
        head.framing = Framing.Length;
        head.contentLength = length;
        head.lengthInFields = length >= 0 && isPlainLength(fields.bytes, start, end);
        if (!head.lengthInFields) fields.drop(index);
        break;
      }
      case Known.TransferEncoding:
        this.#transferEncoding(head, index, start, end);
        break;
      case Known.Connection:
        fields.drop(index);
        if (isWord(fields.bytes, start, end, 'keep-alive')) this.#keepAlive = true;
        else if (isWord(fields.bytes, start, end, 'close')) this.#close = true;
        else this.#connection = true;
        break;
      case Known.KeepAlive:
      case Known.ProxyConnection:
      case Known.ProxyAuthorization:
      case Known.Http2Settings:
        fields.drop(index);
        break;
      case Known.Te:
        forEachToken(fields.value(index), (token) => {
          if (token === 'trailers') head.acceptsTrailers = true;
        });
        fields.drop(index);
        break;
      case Known.Expect:
        if (isWord(fields.bytes, start, end, '100-continue')) head.expectContinue = true;
        else this.#fail('expectation_unknown');
        fields.drop(index);
        break;
      case Known.Upgrade:
        if (this.#upgradeIndex >= 0) fields.drop(this.#upgradeIndex);
        this.#upgradeIndex = index;
        break;
      default:
        break;
    }
  }

  #transferEncoding(head: RequestHead, index: number, start: number, end: number): void {
    const { fields } = head;
    fields.drop(index);
    if (++this.#codings > 1) {
      this.#fail('request_framing');
      return;
    }
    if (isWord(fields.bytes, start, end, 'chunked')) {
      head.framing = Framing.Chunked;
      return;
    }
    // A well-formed coding that we do not know is 501 (RFC 9112 section 6.1); anything odd about chunked is 400.
    const value = fields.value(index);
    const plain = /^[A-Za-z0-9-]+(?: *, *[A-Za-z0-9-]+)*$/.test(value);
    const codings = value
      .toLowerCase()
      .split(',')
      .map((coding) => coding.trim());
    const doubtful = codings.slice(0, -1).includes('chunked') || codings.at(-1) === 'identity';
    this.#fail(plain && !doubtful ? 'transfer_coding_unsupported' : 'request_framing');
  }

  /** Reads every Connection line: persistence, upgrade, and fields to leave out. */
  #applyConnection(head: RequestHead): void {
    const { fields } = head;
    let upgrade = false;
    for (let index = 0; index < fields.count; index++) {
      if (fields.ids[index] !== Known.Connection) continue;
      forEachToken(fields.value(index), (token) => {
        if (token === 'close') this.#close = true;
        else if (token === 'keep-alive') this.#keepAlive = true;
        else if (token === 'upgrade') upgrade = true;
        else if (NOT_HOP_BY_HOP.has(token)) this.#fail('request_connection');
        else dropNamed(head, token);
      });
    }
    if (this.#upgradeIndex < 0) return;
    const protocol = fields.value(this.#upgradeIndex).trim().toLowerCase();
    fields.drop(this.#upgradeIndex);
    if (!upgrade || head.minor === 0 || !mayUpgradeTo(protocol)) return;
    if (head.method !== 'GET') return;
    if (head.framing === Framing.Chunked || head.contentLength > 0) this.#fail('request_upgrade_body');
    head.upgrade = protocol;
  }

  #fail(failure: FailureCode): void {
    this.#failure ??= failure;
  }
}

function dropNamed(head: RequestHead, token: string): void {
  const { fields } = head;
  const lower = Buffer.from(token, 'latin1');
  const id = knownFieldId(lower, 0, lower.length);
  const name = { id, lower };
  for (let index = fields.indexOf(name); index >= 0; index = fields.indexOf(name, index + 1))
    fields.drop(index);
}
