import { fieldLine, type Fields, fieldName } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Known } from '../model/known-fields.ts';
import { Framing, type RequestHead } from '../model/message.ts';
import { methodName, type RequestLimits } from './h1-request.ts';
import type { HeaderSink, HpackDecoder, HpackError } from './hpack-decoder.ts';
import { HeaderKind } from './hpack-kinds.ts';
import { LastText } from './last-text.ts';
import { TARGET, TOKEN } from './tables.ts';
import { isAuthority, isPlainLength, isWord, parseContentLength } from './tokens.ts';
import { webSocketKey } from './websocket-handshake.ts';

const MAX_METHOD = 32;
const SLASH = 47;
const SP = 32;
const VERSION = Buffer.from(' HTTP/1.1\r\nhost: ', 'latin1');
const CRLF = Buffer.from('\r\n', 'latin1');
const GET = Buffer.from('GET', 'latin1');
const COOKIE = 'cookie: ';
const WEBSOCKET_KEY = fieldName('sec-websocket-key');
/** Methods whose request without a body says so (RFC 9110 section 8.6). */
const BODY_MEANT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** A stretch of the decoder's lines. */
class Stretch {
  start = -1;
  end = -1;

  set(start: number, end: number): void {
    this.start = start;
    this.end = end;
  }

  get given(): boolean {
    return this.start >= 0;
  }

  get length(): number {
    return this.end - this.start;
  }

  is(bytes: Buffer, word: string): boolean {
    return this.length === word.length && isWord(bytes, this.start, this.end, word);
  }
}

/**
 * Reads request heads and trailers of HTTP/2 (RFC 9113 section 8, RFC 8441): decodes, checks, and lays them out as the head of an
 * HTTP/1.1 request would lie, so that the rest of the data path sees no difference and the head goes out again with one copy. What breaks
 * the rules of section 8 makes the message malformed: nothing of it may reach an endpoint. One reader serves a listener.
 */
export class H2RequestReader implements HeaderSink {
  /** The message breaks the rules: the stream is reset with PROTOCOL_ERROR. */
  malformed = false;
  /** Why the request is answered without being served. */
  failure: FailureCode | undefined = undefined;
  readonly #limits: RequestLimits;
  readonly #authorities = new LastText();
  readonly #method = new Stretch();
  readonly #scheme = new Stretch();
  readonly #authority = new Stretch();
  readonly #path = new Stretch();
  readonly #protocol = new Stretch();
  readonly #host = new Stretch();
  #head: RequestHead | undefined = undefined;
  #fields: Fields | undefined = undefined;
  #lines: Buffer = GET;
  /** A field that is no pseudo-field has come. */
  #regular = false;
  #lengths = 0;
  #length = 0;
  #cookies = 0;
  /** The line of the last cookie, and where its value ends. */
  #cookieLine = -1;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /**
   * Reads the head of a request from a field block.
   * @param endStream no body follows
   * @returns what is wrong with the compression: the connection is lost; else see `malformed` and `failure`.
   */
  readHead(
    decoder: HpackDecoder,
    block: Buffer,
    start: number,
    end: number,
    head: RequestHead,
    endStream: boolean,
  ): HpackError | undefined {
    this.#reset(decoder, head, head.fields);
    for (const stretch of [
      this.#method,
      this.#scheme,
      this.#authority,
      this.#path,
      this.#protocol,
      this.#host,
    ])
      stretch.set(-1, -1);
    // The place of Host, whose value may come later.
    head.fields.push(Known.Host, 0, 0, 0, 0, true);
    const error = decoder.decode(block, start, end, this);
    if (error !== undefined) return error;
    if (this.malformed) return undefined;
    if (decoder.tooLarge) this.#fail('request_head_too_large');
    this.#finish(head, decoder.linesEnd, endStream);
    return undefined;
  }

  /** Reads trailers into `fields`, which are valid until the next block is read. */
  readTrailers(
    decoder: HpackDecoder,
    block: Buffer,
    start: number,
    end: number,
    fields: Fields,
  ): HpackError | undefined {
    this.#reset(decoder, undefined, fields);
    const error = decoder.decode(block, start, end, this);
    if (decoder.tooLarge) this.malformed = true;
    return error;
  }

  /** Decodes a block of no interest, for the sake of the table. */
  skip(decoder: HpackDecoder, block: Buffer, start: number, end: number): HpackError | undefined {
    return decoder.decode(block, start, end, ignored);
  }

  #reset(decoder: HpackDecoder, head: RequestHead | undefined, fields: Fields): void {
    this.malformed = false;
    this.failure = undefined;
    this.#head = head;
    this.#fields = fields;
    this.#lines = decoder.lines;
    this.#regular = false;
    this.#lengths = 0;
    this.#length = 0;
    this.#cookies = 0;
    this.#cookieLine = -1;
    fields.reset(decoder.lines);
    if (head === undefined) return;
    head.method = '';
    head.authority = '';
    head.hostReplaced = false;
    head.path = '';
    head.query = '';
    head.rawPath = '';
    head.rawQuery = '';
    head.lineStart = -1;
    head.minor = 1;
    head.framing = Framing.None;
    head.contentLength = 0;
    head.lengthInFields = false;
    head.expectContinue = false;
    head.upgrade = '';
    head.acceptsTrailers = false;
  }

  #fail(failure: FailureCode): void {
    this.failure ??= failure;
  }

  // ---- fields as they come ----

  onHeader(
    kind: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    neverIndexed: boolean,
  ): boolean {
    switch (kind) {
      case HeaderKind.Method:
        return this.#pseudo(this.#method, valueStart, valueEnd);
      case HeaderKind.Scheme:
        return this.#pseudo(this.#scheme, valueStart, valueEnd);
      case HeaderKind.Authority:
        return this.#pseudo(this.#authority, valueStart, valueEnd);
      case HeaderKind.Path:
        return this.#pseudo(this.#path, valueStart, valueEnd);
      case HeaderKind.Protocol:
        return this.#pseudo(this.#protocol, valueStart, valueEnd);
      case HeaderKind.Status:
      case HeaderKind.UnknownPseudo:
      case HeaderKind.Malformed:
        this.malformed = true;
        return false;
      default:
        break;
    }
    this.#regular = true;
    if (kind === HeaderKind.Alias || !this.#takes(kind, valueStart, valueEnd)) return false;
    const fields = this.#fields!;
    if (kind === Known.Cookie && this.#joinsCookie(valueStart, valueEnd)) return true;
    // Host has a place without a line.
    if (fields.count > this.#limits.headerCount) {
      this.#fail('request_head_too_large');
      return false;
    }
    fields.push(kind as 0, nameStart, nameEnd, valueStart, valueEnd, true);
    if (neverIndexed) fields.markSensitive(fields.count - 1);
    // Its value is needed; the line is written by `#finish`.
    if (kind === Known.Host) fields.drop(fields.count - 1);
    return true;
  }

  #pseudo(stretch: Stretch, start: number, end: number): boolean {
    // Sections 8.1 and 8.3: each once, in front of the others, none in trailers.
    if (this.#regular || stretch.given || this.#head === undefined) this.malformed = true;
    stretch.set(start, end);
    return true;
  }

  /** Acts on what a field says of the message itself. Returns whether it is passed on. */
  #takes(kind: number, start: number, end: number): boolean {
    const head = this.#head;
    switch (kind) {
      case Known.Connection:
      case Known.TransferEncoding:
      case Known.KeepAlive:
      case Known.ProxyConnection:
      case Known.Upgrade:
        // Section 8.2.2.
        this.malformed = true;
        return false;
      case Known.Http2Settings:
      case Known.ProxyAuthorization:
        return false;
      case Known.Te:
        if (!isWord(this.#lines, start, end, 'trailers')) this.malformed = true;
        if (head !== undefined) head.acceptsTrailers = true;
        return false;
      case Known.Host:
        if (this.#host.given || head === undefined) this.malformed = true;
        this.#host.set(start, end);
        return true;
      case Known.ContentLength:
        return this.#contentLength(start, end);
      case Known.Expect:
        if (head === undefined) return false;
        if (isWord(this.#lines, start, end, '100-continue')) head.expectContinue = true;
        else this.#fail('expectation_unknown');
        return false;
      default:
        return true;
    }
  }

  #contentLength(start: number, end: number): boolean {
    const length = parseContentLength(this.#lines, start, end);
    if (length < 0 || ++this.#lengths > 1) this.malformed = true;
    this.#length = length;
    const plain = length >= 0 && isPlainLength(this.#lines, start, end);
    if (this.#head !== undefined) this.#head.lengthInFields = plain;
    return plain;
  }

  /**
   * Section 8.2.3: the pieces of a cookie are joined again for HTTP/1.1. One right behind the other is moved to it; else they are
   * joined when all have come.
   */
  #joinsCookie(start: number, end: number): boolean {
    const fields = this.#fields!;
    const last = fields.count - 1;
    if (++this.#cookies === 1 || this.#cookieLine !== last) {
      this.#cookieLine = fields.count;
      return false;
    }
    const lines = this.#lines;
    const at = fields.at[last * 4 + 3]!;
    lines[at] = 59;
    lines[at + 1] = SP;
    lines.copyWithin(at + 2, start, end);
    this.#cookies--;
    fields.extend(last, at + 2 + end - start);
    return true;
  }

  // ---- the whole ----

  #finish(head: RequestHead, linesEnd: number, endStream: boolean): void {
    this.#checkPseudo(head);
    if (this.malformed) return;
    this.#setFraming(head, endStream);
    if (this.malformed || this.failure !== undefined) return;
    const { fields } = head;
    const authority = this.#authority.given ? this.#authority : this.#host;
    const method = head.upgrade === '' ? this.#method : undefined;
    const prefix = (method?.length ?? GET.length) + 1 + this.#path.length + VERSION.length;
    const hostEnd = prefix + authority.length;
    const lines = this.#lines;
    // All that follows the pseudo-fields, behind what we put in front of it.
    const first = fields.count > 1 ? fields.at[4]! : linesEnd;
    const store = fields.keepBehind(hostEnd + 2, first, linesEnd);
    let at = method === undefined ? GET.copy(store, 0) : lines.copy(store, 0, method.start, method.end);
    store[at++] = SP;
    at += lines.copy(store, at, this.#path.start, this.#path.end);
    at += VERSION.copy(store, at);
    lines.copy(store, at, authority.start, authority.end);
    CRLF.copy(store, hostEnd);
    fields.place(0, prefix - 6, prefix - 2, prefix, hostEnd);
    head.lineStart = 0;
    if (head.expectContinue && head.framing === Framing.None) head.expectContinue = false;
    if (this.#cookies > 1) joinCookies(fields);
    if (head.upgrade === '') return;
    fields.remove(WEBSOCKET_KEY);
    fields.add(fieldLine('Sec-WebSocket-Key', webSocketKey()));
  }

  /** Section 8.3.1, RFC 8441 section 4. */
  #checkPseudo(head: RequestHead): void {
    const lines = this.#lines;
    const method = this.#method;
    if (!method.given || method.length > MAX_METHOD || !isToken(lines, method)) {
      this.malformed = true;
      return;
    }
    head.method = methodName(lines, method.start, method.end);
    const extended = this.#protocol.given;
    if (head.method === 'CONNECT' && !extended) {
      if (this.#scheme.given || this.#path.given || !this.#authority.given) this.malformed = true;
      else this.#fail('method_unsupported');
      return;
    }
    if (extended && head.method !== 'CONNECT') this.malformed = true;
    this.#checkAuthority(head);
    this.#checkScheme();
    this.#checkPath(head);
    if (this.malformed) return;
    if (head.method === 'TRACE') this.#fail('method_unsupported');
    if (!extended) return;
    if (!this.#protocol.is(lines, 'websocket')) {
      this.#fail('protocol_unsupported');
      return;
    }
    head.method = 'GET';
    head.upgrade = 'websocket';
  }

  #checkAuthority(head: RequestHead): void {
    const lines = this.#lines;
    const authority = this.#authority.given ? this.#authority : this.#host;
    if (!authority.given || authority.length === 0) {
      this.#fail('request_host');
      return;
    }
    if (!isAuthority(lines, authority.start, authority.end)) {
      this.malformed = true;
      return;
    }
    head.authority = this.#authorities.of(lines, authority.start, authority.end);
    const host = this.#host;
    if (authority === host || !host.given) return;
    const same =
      host.length === authority.length && isWord(lines, host.start, host.end, head.authority.toLowerCase());
    if (!same) this.malformed = true;
  }

  #checkScheme(): void {
    const scheme = this.#scheme;
    if (!scheme.given || !(scheme.is(this.#lines, 'http') || scheme.is(this.#lines, 'https')))
      this.malformed = true;
  }

  #checkPath(head: RequestHead): void {
    const lines = this.#lines;
    const path = this.#path;
    if (!path.given || path.length === 0) {
      this.malformed = true;
      return;
    }
    for (let at = path.start; at < path.end; at++) {
      if (TARGET[lines[at]!] === 1) continue;
      this.malformed = true;
      return;
    }
    if (lines[path.start] !== SLASH && !(path.is(lines, '*') && head.method === 'OPTIONS')) {
      this.malformed = true;
      return;
    }
    if (this.#method.length + path.length + VERSION.length - 8 > this.#limits.requestLine) {
      this.#fail('request_uri_too_long');
    }
    const target = lines.latin1Slice(path.start, path.end);
    const mark = target.indexOf('?');
    head.path = mark < 0 ? target : target.slice(0, mark);
    head.query = mark < 0 ? '' : target.slice(mark);
    head.rawPath = head.path;
    head.rawQuery = head.query;
  }

  /** Where the body ends (section 8.1.1). */
  #setFraming(head: RequestHead, endStream: boolean): void {
    const length = this.#lengths > 0 ? this.#length : -1;
    if (head.upgrade !== '') {
      // What follows belongs to the tunnel.
      if (length > 0) this.#fail('request_upgrade_body');
      return;
    }
    if (length >= 0) {
      if (endStream && length > 0) this.malformed = true;
      head.framing = Framing.Length;
      head.contentLength = length;
    } else if (!endStream) {
      head.framing = Framing.Chunked;
    } else if (BODY_MEANT.has(head.method)) {
      head.framing = Framing.Length;
      head.contentLength = 0;
    }
  }
}

const ignored: HeaderSink = { onHeader: () => false };

function isToken(bytes: Buffer, { start, end }: Stretch): boolean {
  for (let at = start; at < end; at++) if (TOKEN[bytes[at]!] !== 1) return false;
  return end > start;
}

/** Joins cookies that did not come one behind the other into one line. */
function joinCookies(fields: Fields): void {
  const values: string[] = [];
  for (let index = 0; index < fields.count; index++) {
    if (fields.ids[index] !== Known.Cookie) continue;
    values.push(fields.value(index));
    fields.drop(index);
  }
  fields.append(Known.Cookie, COOKIE, values.join('; '));
}
