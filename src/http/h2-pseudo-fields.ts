import type { FailureCode } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import { methodName } from './h1-request.ts';
import { HeaderKind } from './hpack-kinds.ts';
import { LastText } from './last-text.ts';
import { TARGET, TOKEN } from './tables.ts';
import { isAuthority, isWord } from './tokens.ts';

const MAX_METHOD = 32;
const SLASH = 47;
/** What a request line has beside method and target: two blanks and the version. */
const REST_OF_LINE = 10;

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

/** The pseudo-fields of a request (RFC 9113 section 8.3.1, RFC 8441 section 4), and Host, which says the same as one of them. */
export class PseudoFields {
  /** The message breaks the rules. */
  malformed = false;
  /** Why the request is answered without being served. */
  failure: FailureCode | undefined = undefined;
  readonly method = new Stretch();
  readonly path = new Stretch();
  readonly host = new Stretch();
  readonly #scheme = new Stretch();
  readonly #authority = new Stretch();
  readonly #protocol = new Stretch();
  readonly #authorities = new LastText();

  reset(): void {
    this.malformed = false;
    this.failure = undefined;
    for (const one of [this.method, this.path, this.host, this.#scheme, this.#authority, this.#protocol])
      one.set(-1, -1);
  }

  /** Takes one; it may come once. False when it is of a kind that requests do not have. */
  take(kind: number, start: number, end: number): boolean {
    const stretch = this.#of(kind);
    if (stretch === undefined) return false;
    if (stretch.given) this.malformed = true;
    stretch.set(start, end);
    return true;
  }

  #of(kind: number): Stretch | undefined {
    switch (kind) {
      case HeaderKind.Method:
        return this.method;
      case HeaderKind.Scheme:
        return this.#scheme;
      case HeaderKind.Authority:
        return this.#authority;
      case HeaderKind.Path:
        return this.path;
      case HeaderKind.Protocol:
        return this.#protocol;
      default:
        return undefined;
    }
  }

  /** What stands for the host: `:authority`, or the Host field. */
  get authority(): Stretch {
    return this.#authority.given ? this.#authority : this.host;
  }

  /**
   * Fills the head with what they say; see `malformed` and `failure`.
   * @param requestLine most bytes of a request line
   * @param webSocket extended CONNECT was offered
   */
  apply(lines: Buffer, head: RequestHead, requestLine: number, webSocket: boolean): void {
    const { method } = this;
    if (!method.given || method.length > MAX_METHOD || !isToken(lines, method)) {
      this.malformed = true;
      return;
    }
    head.method = methodName(lines, method.start, method.end);
    const extended = this.#protocol.given;
    if (extended && (head.method !== 'CONNECT' || !webSocket)) this.malformed = true;
    if (head.method === 'CONNECT' && !extended) {
      if (this.#scheme.given || this.path.given || !this.#authority.given) this.malformed = true;
      this.#fail('method_unsupported');
      return;
    }
    this.#applyAuthority(lines, head);
    if (!this.#scheme.is(lines, 'http') && !this.#scheme.is(lines, 'https')) this.malformed = true;
    this.#applyPath(lines, head, requestLine);
    if (head.method === 'TRACE') this.#fail('method_unsupported');
    if (!extended) return;
    if (!this.#protocol.is(lines, 'websocket')) this.#fail('protocol_unsupported');
    head.method = 'GET';
    head.upgrade = 'websocket';
  }

  #fail(failure: FailureCode): void {
    this.failure ??= failure;
  }

  #applyAuthority(lines: Buffer, head: RequestHead): void {
    const { authority, host } = this;
    if (!authority.given || authority.length === 0) {
      this.#fail('request_host');
      return;
    }
    if (!isAuthority(lines, authority.start, authority.end)) {
      this.malformed = true;
      return;
    }
    head.authority = this.#authorities.of(lines, authority.start, authority.end);
    if (host.given && host !== authority && !host.is(lines, head.authority.toLowerCase()))
      this.malformed = true;
  }

  #applyPath(lines: Buffer, head: RequestHead, requestLine: number): void {
    const { path } = this;
    const rooted = path.given && lines[path.start] === SLASH;
    if (!isTarget(lines, path) || (!rooted && !(path.is(lines, '*') && head.method === 'OPTIONS'))) {
      this.malformed = true;
      return;
    }
    if (this.method.length + path.length + REST_OF_LINE > requestLine) this.#fail('request_uri_too_long');
    const target = lines.latin1Slice(path.start, path.end);
    const mark = target.indexOf('?');
    head.path = mark < 0 ? target : target.slice(0, mark);
    head.query = mark < 0 ? '' : target.slice(mark);
    head.rawPath = head.path;
    head.rawQuery = head.query;
  }
}

function isToken(bytes: Buffer, { start, end }: Stretch): boolean {
  for (let at = start; at < end; at++) if (TOKEN[bytes[at]!] !== 1) return false;
  return end > start;
}

function isTarget(bytes: Buffer, { start, end }: Stretch): boolean {
  for (let at = start; at < end; at++) if (TARGET[bytes[at]!] !== 1) return false;
  return end > start;
}
