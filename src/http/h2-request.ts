import type { Fields } from '../model/fields.ts';
import type { FailureCode } from '../model/failures.ts';
import { Known } from '../model/known-fields.ts';
import { Framing, RequestHead } from '../model/message.ts';
import type { RequestLimits } from './h1-request.ts';
import { CookieCrumbs } from './h2-cookie-crumbs.ts';
import { PseudoFields } from './h2-pseudo-fields.ts';
import { keyWebSocket, layOutRequest } from './h2-request-layout.ts';
import type { HpackDecoder } from './hpack-decoder.ts';
import type { HeaderSink, HpackError } from './hpack-header-sink.ts';
import { HeaderKind } from './hpack-kinds.ts';
import type { BlockMemo } from './hpack-memo.ts';
import { interned, MAX_KEPT_BYTES } from './interned-fields.ts';
import { isPlainLength, isWord, parseContentLength } from './tokens.ts';

const NO_BYTES = Buffer.alloc(0);
/** Methods whose request without a body says so (RFC 9110 section 8.6). */
const BODY_MEANT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

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
  readonly #webSocket: boolean;
  readonly #pseudo = new PseudoFields();
  #head: RequestHead | undefined = undefined;
  #fields: Fields | undefined = undefined;
  #lines: Buffer = NO_BYTES;
  /** A field that is no pseudo-field has come. */
  #regular = false;
  #lengths = 0;
  #length = 0;
  readonly #cookies = new CookieCrumbs();

  /** @param webSocket extended CONNECT is offered */
  constructor(limits: RequestLimits, webSocket: boolean) {
    this.#limits = limits;
    this.#webSocket = webSocket;
  }

  /**
   * Reads the head of a request from a field block. What was read before from the same bytes is not checked again.
   * @param memo of the connection, and of this reader
   * @param endStream no body follows
   * @returns what is wrong with the compression: the connection is lost; else see `malformed` and `failure`.
   */
  readHead(
    memo: BlockMemo<RequestHead>,
    block: Buffer,
    start: number,
    end: number,
    head: RequestHead,
    endStream: boolean,
  ): HpackError | undefined {
    const variant = endStream ? 1 : 0;
    const known = memo.find(block, start, end, variant);
    if (known !== undefined) {
      this.malformed = false;
      this.failure = undefined;
      head.adopt(known);
      return undefined;
    }
    const error = this.#decodeHead(memo.decoder, block, start, end, head, endStream);
    if (error === undefined && this.#mayRecur(head) && memo.recurs)
      memo.learn(block, start, end, variant, lasting(head));
    return error;
  }

  /** Whether it may be served again as it is now. The key of a WebSocket is another one each time. */
  #mayRecur(head: RequestHead): boolean {
    if (this.malformed || this.failure !== undefined) return false;
    return head.upgrade === '' && head.fields.linesBytes <= MAX_KEPT_BYTES;
  }

  #decodeHead(
    decoder: HpackDecoder,
    block: Buffer,
    start: number,
    end: number,
    head: RequestHead,
    endStream: boolean,
  ): HpackError | undefined {
    this.#reset(decoder, head, head.fields);
    this.#pseudo.reset();
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
    this.#cookies.reset();
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
    if (kind >= HeaderKind.Method && kind !== HeaderKind.Alias) {
      // Sections 8.1 and 8.3: in front of the others, none in trailers, no others than those of requests.
      const taken = kind !== HeaderKind.Malformed && this.#pseudo.take(kind, valueStart, valueEnd);
      if (!taken || this.#regular || this.#head === undefined) this.malformed = true;
      return taken;
    }
    this.#regular = true;
    if (kind === HeaderKind.Alias || !this.#takes(kind, valueStart, valueEnd)) return false;
    const fields = this.#fields!;
    if (kind === Known.Cookie && this.#cookies.join(fields, this.#lines, valueStart, valueEnd)) return true;
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
        if (this.#pseudo.host.given || head === undefined) this.malformed = true;
        this.#pseudo.host.set(start, end);
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

  // ---- the whole ----

  #finish(head: RequestHead, linesEnd: number, endStream: boolean): void {
    const pseudo = this.#pseudo;
    pseudo.apply(this.#lines, head, this.#limits.requestLine, this.#webSocket);
    if (pseudo.malformed) this.malformed = true;
    if (pseudo.failure !== undefined) this.#fail(pseudo.failure);
    if (this.malformed) return;
    this.#setFraming(head, endStream);
    if (this.malformed || this.failure !== undefined) return;
    layOutRequest(head, pseudo, this.#lines, linesEnd);
    if (head.framing === Framing.None) head.expectContinue = false;
    this.#cookies.finish(head.fields);
    if (head.upgrade !== '') keyWebSocket(head);
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

/** A copy that does not change. */
function lasting(head: RequestHead): RequestHead {
  const copy = new RequestHead();
  copy.adopt(head);
  copy.fields.adopt(interned(head.fields.frozen(0)));
  return copy;
}

const ignored: HeaderSink = { onHeader: () => false };
