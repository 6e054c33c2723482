import type { FailureCode } from '../model/failures.ts';
import { Known, knownFieldId } from '../model/known-fields.ts';
import { Framing, type ResponseHead } from '../model/message.ts';
import { MALFORMED, NEED_MORE, parseFieldLines, TOO_MANY } from './h1-fields.ts';
import { KeepAliveField } from './keep-alive-field.ts';
import { CR, FIELD_VALUE, LF, SP } from './tables.ts';
import { forEachToken, isPlainLength, isWord, parseContentLength } from './tokens.ts';

/** Largest response head, bytes. */
export const MAX_RESPONSE_HEAD: number = 64 * 1024;
/** Most field lines of a response. */
export const MAX_RESPONSE_LINES = 200;

/** What Connection may say without a field of that name being left out: options of its own, and fields that the client needs. */
const NOT_HOP_BY_HOP: ReadonlySet<string> = new Set([
  'keep-alive',
  'upgrade',
  'set-cookie',
  'content-length',
]);

/**
 * Parses and checks HTTP/1.x response heads by RFC 9112. An endpoint is trusted no more than a client: what is in doubt is refused,
 * and its connection is not used again.
 */
export class ResponseParser {
  failure: FailureCode = 'response_malformed';
  /** Whether the endpoint will take another request on this connection. */
  keepAlive = true;
  /** Of `Keep-Alive: timeout=`, milliseconds; 0 when there is none. */
  keepAliveTimeoutMs = 0;
  /** Connection says something else than `keep-alive`. */
  #connection = false;
  readonly #keepAlives = new KeepAliveField();
  #lengths = 0;
  #codings = 0;
  #upgradeIndex = -1;
  #lengthIndex = -1;

  /**
   * Parses one head. `bodyless`: the request was HEAD, so the response has no body whatever it says.
   * @returns the position behind the head; NEED_MORE; or MALFORMED, with the reason in `failure`.
   */
  parse(bytes: Buffer, start: number, end: number, head: ResponseHead, bodyless: boolean): number {
    const fieldsStart = this.#parseStatusLine(bytes, start, end, head);
    if (fieldsStart < 0) return fieldsStart;
    head.fields.reset(bytes);
    const bodyStart = parseFieldLines(bytes, fieldsStart, end, head.fields, MAX_RESPONSE_LINES);
    if (bodyStart === TOO_MANY) return this.#refuse('response_head_too_large');
    if (bodyStart === MALFORMED) return this.#refuse('response_malformed');
    if ((bodyStart === NEED_MORE ? end : bodyStart) - start > MAX_RESPONSE_HEAD)
      return this.#refuse('response_head_too_large');
    if (bodyStart === NEED_MORE) return NEED_MORE;
    return this.#applyFields(head, bodyless) ? bodyStart : MALFORMED;
  }

  #refuse(failure: FailureCode): number {
    this.failure = failure;
    return MALFORMED;
  }

  /** `HTTP/1.x SP 3DIGIT SP reason CRLF`; the blank behind the status may be missing when there is no reason. */
  #parseStatusLine(bytes: Buffer, start: number, end: number, head: ResponseHead): number {
    const expected = 'HTTP/1.';
    const known = Math.min(end - start, 7);
    for (let index = 0; index < known; index++) {
      if (bytes[start + index] !== expected.charCodeAt(index)) return this.#refuse('response_malformed');
    }
    if (end - start < 13) return NEED_MORE;
    const minor = bytes[start + 7]! - 48;
    const hundreds = bytes[start + 9]! - 48;
    const tens = bytes[start + 10]! - 48;
    const ones = bytes[start + 11]! - 48;
    const digits = tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 && hundreds >= 1 && hundreds <= 5;
    if ((minor !== 0 && minor !== 1) || bytes[start + 8] !== SP || !digits)
      return this.#refuse('response_malformed');
    head.minor = minor;
    head.lineStart = minor === 1 && bytes[start + 12] === SP ? start : -1;
    head.status = hundreds * 100 + tens * 10 + ones;
    let at = start + 12;
    const reasonStart = bytes[at] === SP ? ++at : at;
    while (at < end && FIELD_VALUE[bytes[at]!] === 1) at++;
    if (at > reasonStart && reasonStart === start + 12) return this.#refuse('response_malformed');
    if (at + 1 >= end)
      return at - start > MAX_RESPONSE_HEAD ? this.#refuse('response_head_too_large') : NEED_MORE;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return this.#refuse('response_malformed');
    head.reason =
      at - reasonStart === 2 && bytes[reasonStart] === 79 && bytes[reasonStart + 1] === 75
        ? 'OK'
        : bytes.latin1Slice(reasonStart, at);
    return at + 2;
  }

  #applyFields(head: ResponseHead, bodyless: boolean): boolean {
    this.keepAlive = head.minor === 1;
    this.keepAliveTimeoutMs = 0;
    this.#connection = false;
    this.#lengths = 0;
    this.#codings = 0;
    this.#upgradeIndex = -1;
    this.#lengthIndex = -1;
    head.lengthInFields = false;
    head.dated = false;
    head.framing = Framing.Close;
    head.contentLength = 0;
    head.upgrade = '';
    const { ids, count } = head.fields;
    for (let index = 0; index < count; index++) {
      const id = ids[index]!;
      if (id !== Known.Other && !this.#line(head, index, id)) return false;
    }
    if (this.#connection) this.#applyConnection(head);
    if (this.#codings > 0 && (this.#lengths > 0 || head.minor === 0)) {
      this.failure = 'response_framing';
      return false;
    }
    const { status } = head;
    if (status === 101 && this.#upgradeIndex >= 0)
      head.upgrade = head.fields.value(this.#upgradeIndex).trim().toLowerCase();
    if (this.#upgradeIndex >= 0) head.fields.drop(this.#upgradeIndex);
    if (status < 200 || status === 204 || status === 304 || bodyless) {
      this.#keepLengthOfNothing(head, status === 304 || (bodyless && status >= 200 && status !== 204));
    }
    if (head.framing === Framing.Close) this.keepAlive = false;
    return true;
  }

  /** RFC 9112 section 6.3: no body follows. A length says what GET would have had, and is passed on where it may stand. */
  #keepLengthOfNothing(head: ResponseHead, describes: boolean): void {
    if (!describes || head.framing !== Framing.Length) {
      head.contentLength = -1;
      head.lengthInFields = false;
      if (this.#lengthIndex >= 0) head.fields.drop(this.#lengthIndex);
    }
    head.framing = Framing.None;
  }

  #line(head: ResponseHead, index: number, id: number): boolean {
    const { fields } = head;
    const start = fields.at[index * 4 + 2]!;
    const end = fields.at[index * 4 + 3]!;
    switch (id) {
      case Known.ContentLength: {
        const length = parseContentLength(fields.bytes, start, end);
        if (length < 0 || ++this.#lengths > 1) {
          this.failure = 'response_framing';
          return false;
        }
        this.#lengthIndex = index;
        head.lengthInFields = isPlainLength(fields.bytes, start, end);
        if (!head.lengthInFields) fields.drop(index);
        if (this.#codings === 0) head.framing = Framing.Length;
        head.contentLength = length;
        return true;
      }
      case Known.TransferEncoding:
        fields.drop(index);
        if (++this.#codings > 1 || !isWord(fields.bytes, start, end, 'chunked')) {
          this.failure = 'response_transfer_coding';
          return false;
        }
        head.framing = Framing.Chunked;
        return true;
      case Known.Connection:
        fields.drop(index);
        if (!isWord(fields.bytes, start, end, 'keep-alive')) this.#connection = true;
        else if (head.minor === 0) this.keepAlive = true;
        return true;
      case Known.KeepAlive:
        this.keepAliveTimeoutMs = this.#keepAlives.timeoutMs(fields.bytes, start, end);
        fields.drop(index);
        return true;
      case Known.Date:
        head.dated = true;
        return true;
      case Known.ProxyConnection:
      case Known.ProxyAuthenticate:
      case Known.Te:
        fields.drop(index);
        return true;
      case Known.Upgrade:
        if (this.#upgradeIndex >= 0) fields.drop(this.#upgradeIndex);
        this.#upgradeIndex = index;
        return true;
      default:
        return true;
    }
  }

  #applyConnection(head: ResponseHead): void {
    const { fields } = head;
    for (let index = 0; index < fields.count; index++) {
      if (fields.ids[index] !== Known.Connection) continue;
      forEachToken(fields.value(index), (token) => {
        if (token === 'close') this.keepAlive = false;
        else if (!NOT_HOP_BY_HOP.has(token)) {
          const lower = Buffer.from(token, 'latin1');
          fields.remove({ id: knownFieldId(lower, 0, lower.length), lower });
        }
      });
    }
  }
}
