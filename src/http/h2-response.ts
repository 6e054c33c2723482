import type { FailureCode } from '../model/failures.ts';
import { fieldName, Fields } from '../model/fields.ts';
import { Known, type KnownId } from '../model/known-fields.ts';
import { Framing, ResponseHead } from '../model/message.ts';
import { MAX_RESPONSE_LINES } from './h1-response.ts';
import type { HpackDecoder } from './hpack-decoder.ts';
import type { HeaderSink, HpackError } from './hpack-header-sink.ts';
import { BlockMemo } from './hpack-memo.ts';
import { HeaderKind } from './hpack-kinds.ts';
import { interned, MAX_KEPT_BYTES } from './interned-fields.ts';
import { reasonOf } from './local-reply.ts';
import { isPlainLength, parseContentLength } from './tokens.ts';

const CONTENT_LENGTH = fieldName('content-length');

/** What the endpoint of one connection said before. */
export class ResponseMemo {
  readonly heads: BlockMemo<ResponseHead>;
  readonly trailers: BlockMemo<Fields>;
  readonly decoder: HpackDecoder;

  constructor(decoder: HpackDecoder) {
    this.decoder = decoder;
    this.heads = new BlockMemo(decoder);
    this.trailers = new BlockMemo(decoder);
  }
}

/**
 * Checks field blocks of responses by RFC 9113 section 8, and makes heads and trailers of them. An endpoint is trusted no more than
 * a client. What it hands out is valid until the next block, of whichever connection.
 */
class ResponseBlock implements HeaderSink {
  readonly head = new ResponseHead();
  readonly trailers = new Fields();
  /** Why the last block cannot stand; its stream is lost. */
  failure: FailureCode | undefined = undefined;
  #fields: Fields = this.trailers;
  #inHead = false;
  #lengths = 0;

  /**
   * Reads a head. What was read before from the same bytes is not checked again.
   * @returns what is wrong with the compression, or undefined; what is wrong with the head is in `failure`.
   */
  readHead(
    { decoder, heads }: ResponseMemo,
    block: Buffer,
    start: number,
    end: number,
  ): HpackError | undefined {
    const { head } = this;
    const known = heads.find(block, start, end, 0);
    if (known !== undefined) {
      this.failure = undefined;
      this.#inHead = true;
      head.adopt(known);
      return undefined;
    }
    const error = this.#decodeHead(decoder, block, start, end);
    if (error === undefined && this.#mayRecur(head.fields) && heads.recurs) {
      const lasting = new ResponseHead();
      lasting.adopt(head);
      lasting.fields.adopt(frozen(head.fields));
      heads.learn(block, start, end, 0, lasting);
    }
    return error;
  }

  #mayRecur(fields: Fields): boolean {
    return this.failure === undefined && fields.linesBytes <= MAX_KEPT_BYTES;
  }

  #decodeHead(decoder: HpackDecoder, block: Buffer, start: number, end: number): HpackError | undefined {
    const { head } = this;
    head.status = 0;
    head.framing = Framing.Chunked;
    head.contentLength = 0;
    head.lengthInFields = false;
    head.dated = false;
    head.upgrade = '';
    this.#lengths = 0;
    this.#inHead = true;
    const error = this.#read(decoder, head.fields, block, start, end);
    if (head.status === 0) this.#fail('response_malformed');
    head.reason = reasonOf(head.status);
    return error;
  }

  /** Reads trailers, as `readHead`. */
  readTrailers(
    { decoder, trailers: memo }: ResponseMemo,
    block: Buffer,
    start: number,
    end: number,
  ): HpackError | undefined {
    const { trailers } = this;
    const known = memo.find(block, start, end, 0);
    if (known !== undefined) {
      this.failure = undefined;
      trailers.adopt(known);
      return undefined;
    }
    this.#inHead = false;
    const error = this.#read(decoder, trailers, block, start, end);
    if (error === undefined && this.#mayRecur(trailers) && memo.recurs)
      memo.learn(block, start, end, 0, frozen(trailers));
    return error;
  }

  /** Decodes a block that nobody waits for: the table must know it. */
  skip(decoder: HpackDecoder, block: Buffer, start: number, end: number): HpackError | undefined {
    this.failure = 'response_malformed';
    return decoder.decode(block, start, end, this);
  }

  #read(
    decoder: HpackDecoder,
    fields: Fields,
    block: Buffer,
    start: number,
    end: number,
  ): HpackError | undefined {
    this.failure = undefined;
    this.#fields = fields;
    fields.reset(decoder.lines);
    const error = decoder.decode(block, start, end, this);
    if (decoder.tooLarge) this.#fail('response_head_too_large');
    return error;
  }

  onHeader(
    kind: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    neverIndexed: boolean,
  ): boolean {
    if (this.failure !== undefined) return false;
    if (kind >= HeaderKind.Method) {
      if (kind !== HeaderKind.Alias) this.#pseudo(kind, valueStart, valueEnd);
      return false;
    }
    const fields = this.#fields;
    if (fields.count === MAX_RESPONSE_LINES) return this.#fail('response_head_too_large');
    if (kind !== Known.Other && !this.#known(kind, valueStart, valueEnd)) return false;
    fields.push(kind as KnownId, nameStart, nameEnd, valueStart, valueEnd, true);
    if (neverIndexed) fields.markSensitive(fields.count - 1);
    return true;
  }

  /** `:status`, once, before all others, with three digits (section 8.3.2). */
  #pseudo(kind: number, start: number, end: number): void {
    const { head } = this;
    const { bytes } = this.#fields;
    const first = this.#inHead && head.status === 0 && this.#fields.count === 0;
    if (kind !== HeaderKind.Status || !first || end - start !== 3) {
      this.#fail('response_malformed');
      return;
    }
    for (let at = start; at < end; at++) {
      const digit = bytes[at]! - 48;
      if (digit < 0 || digit > 9) this.#fail('response_malformed');
      head.status = head.status * 10 + digit;
    }
    if (head.status < 100 || head.status > 599) this.#fail('response_malformed');
  }

  /** Returns whether the line stays. */
  #known(kind: number, start: number, end: number): boolean {
    switch (kind) {
      case Known.Connection:
      case Known.ProxyConnection:
      case Known.KeepAlive:
      case Known.TransferEncoding:
      case Known.Upgrade:
        return this.#fail('response_malformed');
      case Known.ContentLength:
        return !this.#inHead || this.#length(start, end);
      case Known.Date:
        if (this.#inHead) this.head.dated = true;
        return true;
      case Known.ProxyAuthenticate:
      case Known.Te:
        return false;
      default:
        return true;
    }
  }

  #length(start: number, end: number): boolean {
    const { head } = this;
    const { bytes } = this.#fields;
    const length = parseContentLength(bytes, start, end);
    if (length < 0 || ++this.#lengths > 1) return this.#fail('response_framing');
    head.framing = Framing.Length;
    head.contentLength = length;
    head.lengthInFields = isPlainLength(bytes, start, end);
    return head.lengthInFields;
  }

  #fail(failure: FailureCode): false {
    this.failure ??= failure;
    return false;
  }

  /**
   * Says how the body of the final head ends, which needs more than its fields. `bodyless`: the request was HEAD.
   * @returns whether a body may follow
   */
  frame(endStream: boolean, bodyless: boolean): boolean {
    const { head } = this;
    const { status } = head;
    if (bodyless || status === 204 || status === 304) {
      // RFC 9110 section 8.6: a length says what GET would have had.
      if (head.framing !== Framing.Length || status === 204) {
        head.contentLength = -1;
        head.lengthInFields = false;
        head.fields.remove(CONTENT_LENGTH);
      }
      head.framing = Framing.None;
      return false;
    }
    if (endStream) {
      if (head.contentLength > 0) this.#fail('response_framing');
      head.framing = Framing.Length;
    }
    return !endStream;
  }
}

/** A copy that does not change. */
function frozen(fields: Fields): Fields {
  return interned(fields.frozen(fields.count === 0 ? 0 : fields.at[0]!));
}

/** One serves all connections: a block is decoded, and what it says passed on, in one go. */
export const responseBlock: ResponseBlock = new ResponseBlock();
