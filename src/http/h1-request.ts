import type { FailureCode } from '../model/failures.ts';
import { Framing, type RequestHead } from '../model/message.ts';
import { MALFORMED, NEED_MORE, parseFieldLines, TOO_MANY } from './h1-fields.ts';
import { RequestFieldRules } from './request-rules.ts';
import { CR, LF, SP, TARGET, TOKEN } from './tables.ts';
import { isAuthority } from './tokens.ts';

/** Sizes that a request head is held to. */
export interface RequestLimits {
  /** The request line, bytes without CRLF. */
  readonly requestLine: number;
  /** The whole head, bytes. */
  readonly headerBytes: number;
  /** Field lines. */
  readonly headerCount: number;
}

/** Longest method name that is read, bytes. */
const MAX_METHOD = 32;

const COMMON_METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'] as const;

/** The method as a string; a shared one for those that everybody uses. */
export function methodName(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  for (let index = 0; index < COMMON_METHODS.length; index++) {
    const name = COMMON_METHODS[index]!;
    if (name.length !== length) continue;
    let at = 0;
    while (at < length && bytes[start + at] === name.charCodeAt(at)) at++;
    if (at === length) return name;
  }
  return bytes.latin1Slice(start, end);
}

/**
 * Parses and checks HTTP/1.x request heads by RFC 9112, strictly: whatever is in doubt is refused. One parser serves a listener; the
 * head it fills belongs to the connection.
 */
export class RequestParser {
  /** Why the last `parse` returned MALFORMED. */
  failure: FailureCode = 'request_malformed';
  /** Whether the connection may carry another request after this one, by version and Connection. */
  keepAlive = true;
  readonly #limits: RequestLimits;
  readonly #rules = new RequestFieldRules();

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /**
   * Parses one head from `bytes[start, end)`. On success the head is checked, its hop-by-hop fields are dropped, and
   * its path is still as it came.
   * @returns the position behind the head; NEED_MORE; or MALFORMED, with the reason in `failure`.
   */
  parse(bytes: Buffer, start: number, end: number, head: RequestHead): number {
    let at = start;
    // The head has served others: what cannot be read is not to look like theirs.
    head.method = '';
    head.minor = 1;
    head.rawPath = '';
    head.rawQuery = '';
    head.authority = '';
    head.fields.reset(bytes);
    // RFC 9112 section 2.2: an empty line before the request line is ignored; one is enough for real clients.
    if (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) at += 2;
    const lineStart = at;
    const targetStart = this.#parseMethod(bytes, at, end, head);
    if (targetStart < 0) return targetStart;
    at = targetStart;
    while (at < end && TARGET[bytes[at]!] === 1) at++;
    if (at - lineStart > this.#limits.requestLine) return this.#refuse('request_uri_too_long');
    if (at === end) return NEED_MORE;
    const targetEnd = at;
    if (targetEnd === targetStart) return this.#refuse('request_malformed');
    if (bytes[at] !== SP) {
      return this.#refuse(bytes[at] === 35 ? 'request_target' : 'request_malformed');
    }
    at = this.#parseVersion(bytes, at + 1, end, head);
    if (at < 0) return at;
    head.lineStart = head.minor === 1 && bytes[targetStart] === 47 ? lineStart : -1;
    if (at - 2 - lineStart > this.#limits.requestLine) return this.#refuse('request_uri_too_long');

    const bodyStart = parseFieldLines(bytes, at, end, head.fields, this.#limits.headerCount);
    if (bodyStart === TOO_MANY) return this.#refuse('request_head_too_large');
    if (bodyStart === MALFORMED) return this.#refuse('request_malformed');
    if ((bodyStart === NEED_MORE ? end : bodyStart) - lineStart > this.#limits.headerBytes) {
      return this.#refuse('request_head_too_large');
    }
    if (bodyStart === NEED_MORE) return NEED_MORE;

    const failure = this.#rules.apply(head) ?? this.#setTarget(bytes, targetStart, targetEnd, head);
    if (failure !== undefined) return this.#refuse(failure);
    this.keepAlive = this.#rules.keepAlive;
    return bodyStart;
  }

  #refuse(failure: FailureCode): number {
    this.failure = failure;
    return MALFORMED;
  }

  #parseMethod(bytes: Buffer, start: number, end: number, head: RequestHead): number {
    let at = start;
    while (at < end && TOKEN[bytes[at]!] === 1) at++;
    if (at - start > MAX_METHOD) return this.#refuse('request_malformed');
    if (at === end) return NEED_MORE;
    if (at === start || bytes[at] !== SP) {
      // A lone CR may be the first half of the empty line that is ignored.
      return at === start && bytes[at] === CR && at + 1 === end
        ? NEED_MORE
        : this.#refuse('request_malformed');
    }
    head.method = methodName(bytes, start, at);
    return at + 1;
  }

  /** `HTTP/1.0` or `HTTP/1.1` and CRLF. */
  #parseVersion(bytes: Buffer, start: number, end: number, head: RequestHead): number {
    const expected = 'HTTP/1.';
    const known = Math.min(end - start, 7);
    for (let index = 0; index < known; index++) {
      if (bytes[start + index] === expected.charCodeAt(index)) continue;
      const otherMajor = index === 5 && bytes[start + 5]! >= 48 && bytes[start + 5]! <= 57;
      return this.#refuse(otherMajor ? 'version_unsupported' : 'request_malformed');
    }
    if (end - start < 10) return end - start > 7 && !this.#isMinor(bytes[start + 7]!) ? MALFORMED : NEED_MORE;
    if (!this.#isMinor(bytes[start + 7]!)) return MALFORMED;
    if (bytes[start + 8] !== CR || bytes[start + 9] !== LF) return this.#refuse('request_malformed');
    head.minor = bytes[start + 7]! - 48;
    return start + 10;
  }

  #isMinor(byte: number): boolean {
    if (byte === 48 || byte === 49) return true;
    this.failure = byte >= 50 && byte <= 57 ? 'version_unsupported' : 'request_malformed';
    return false;
  }

  /** Splits the target into path and query (RFC 9112 section 3.2); an absolute one replaces Host. */
  #setTarget(bytes: Buffer, start: number, end: number, head: RequestHead): FailureCode | undefined {
    if (head.method === 'CONNECT' || head.method === 'TRACE') return 'method_unsupported';
    let pathStart = start;
    if (bytes[start] === 42 && end === start + 1) {
      if (head.method !== 'OPTIONS') return 'request_target';
    } else if (bytes[start] !== 47) {
      pathStart = this.#absoluteForm(bytes, start, end, head);
      if (pathStart < 0) return 'request_target';
    }
    // RFC 9112 section 3.2.4: OPTIONS of an absolute target without a path is about the server.
    const target =
      pathStart < end ? bytes.latin1Slice(pathStart, end) : head.method === 'OPTIONS' ? '*' : '/';
    const mark = target.indexOf('?');
    head.path = mark < 0 ? target : mark === 0 ? '/' : target.slice(0, mark);
    head.query = mark < 0 ? '' : target.slice(mark);
    head.rawPath = head.path;
    head.rawQuery = head.query;
    return undefined;
  }

  /** Position of the path in `http://authority/path`; -1 when it is not one, or names another scheme or a user. */
  #absoluteForm(bytes: Buffer, start: number, end: number, head: RequestHead): number {
    const scheme = bytes.latin1Slice(start, Math.min(start + 8, end)).toLowerCase();
    const authorityStart = scheme.startsWith('http://') ? start + 7 : scheme === 'https://' ? start + 8 : -1;
    if (authorityStart < 0) return -1;
    let at = authorityStart;
    while (at < end && bytes[at] !== 47 && bytes[at] !== 63) at++;
    if (!isAuthority(bytes, authorityStart, at)) return -1;
    head.authority = bytes.latin1Slice(authorityStart, at);
    this.#rules.replaceHost(head);
    return at;
  }
}

/** Whether a request of that shape has a body to be read. */
export function hasBody(head: RequestHead): boolean {
  return head.framing === Framing.Chunked || (head.framing === Framing.Length && head.contentLength > 0);
}
