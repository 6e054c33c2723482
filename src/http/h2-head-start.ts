import { encodeLine } from './hpack-fields.ts';
import type { HpackEncoder } from './hpack-encoder.ts';

const SCHEME_HTTP = Buffer.from(':scheme: http\r\n', 'latin1');
const SCHEME_HTTPS = Buffer.from(':scheme: https\r\n', 'latin1');
const TE_TRAILERS = Buffer.from('te: trailers\r\n', 'latin1');
const EXPECT_CONTINUE = Buffer.from('expect: 100-continue\r\n', 'latin1');
const SCHEME_LENGTH = ':scheme'.length;
const STATUS_LENGTH = ':status'.length;
const METHOD_LENGTH = ':method'.length;
const AUTHORITY_LENGTH = ':authority'.length;
const PATH = ':path: ';
const PATH_NAME_LENGTH = ':path'.length;
/** Room for what is not in `size`. */
const OWN_ROOM = 256;
/** Methods are words of the client's choice. */
const MAX_METHOD_LINES = 64;

/** Where the path is put together; one for all, grown to the longest. */
let pathLine = Buffer.from(PATH.padEnd(4096), 'latin1');

const methodLines = new Map<string, Buffer>();

function methodLine(method: string): Buffer {
  const known = methodLines.get(method);
  if (known !== undefined) return known;
  const line = Buffer.from(`:method: ${method}\r\n`, 'latin1');
  if (methodLines.size < MAX_METHOD_LINES) methodLines.set(method, line);
  return line;
}

let lastAuthority = '';
let lastAuthorityLine = Buffer.alloc(0);

function authorityLine(authority: string): Buffer {
  if (authority !== lastAuthority) {
    lastAuthority = authority;
    lastAuthorityLine = Buffer.from(`:authority: ${authority}\r\n`, 'latin1');
  }
  return lastAuthorityLine;
}

/** By status, made when they are first needed. */
const statusLines: (Buffer | undefined)[] = [];

function statusLine(status: number): Buffer {
  return (statusLines[status] ??= Buffer.from(`:status: ${status}\r\n`, 'latin1'));
}

/** What is written of a head and is not a field of it: the pseudo-fields (RFC 9113 section 8.3), and what is told of the body. */
export class HeadStart {
  /** Empty in responses and trailers. */
  method = '';
  authority = '';
  path = '';
  query = '';
  /** What an extended CONNECT asks for (RFC 8441); empty for none. */
  protocol = '';
  secure = false;
  /** 0 in requests and trailers. */
  status = 0;
  /** Content-Length that is not among the fields; -1 for none. */
  contentLength = -1;
  acceptsTrailers = false;
  expectContinue = false;

  is(other: HeadStart): boolean {
    return (
      this.status === other.status &&
      this.contentLength === other.contentLength &&
      this.path === other.path &&
      this.query === other.query &&
      this.authority === other.authority &&
      this.method === other.method &&
      this.protocol === other.protocol &&
      this.secure === other.secure &&
      this.acceptsTrailers === other.acceptsTrailers &&
      this.expectContinue === other.expectContinue
    );
  }

  copy(other: HeadStart): void {
    this.method = other.method;
    this.authority = other.authority;
    this.path = other.path;
    this.query = other.query;
    this.protocol = other.protocol;
    this.secure = other.secure;
    this.status = other.status;
    this.contentLength = other.contentLength;
    this.acceptsTrailers = other.acceptsTrailers;
    this.expectContinue = other.expectContinue;
  }

  /** Bytes that it takes when encoded, at most. */
  get room(): number {
    const { method, authority, path, query, protocol } = this;
    return OWN_ROOM + method.length + authority.length + path.length + query.length + protocol.length;
  }

  /** Encodes the pseudo-fields. Returns the position behind. */
  encodePseudo(encoder: HpackEncoder, to: Buffer, start: number): number {
    const { method, authority, protocol, status } = this;
    if (status > 0) return encodeLine(encoder, statusLine(status), STATUS_LENGTH, to, start);
    if (method === '') return start;
    let at = encodeLine(encoder, methodLine(method), METHOD_LENGTH, to, start);
    at = encodeLine(encoder, this.secure ? SCHEME_HTTPS : SCHEME_HTTP, SCHEME_LENGTH, to, at);
    if (authority !== '') at = encodeLine(encoder, authorityLine(authority), AUTHORITY_LENGTH, to, at);
    at = this.#encodePath(encoder, to, at);
    return protocol === '' ? at : encodeText(encoder, ':protocol', protocol, to, at);
  }

  #encodePath(encoder: HpackEncoder, to: Buffer, at: number): number {
    const { path, query } = this;
    const room = PATH.length + path.length + query.length;
    if (pathLine.length < room) pathLine = Buffer.from(PATH.padEnd(room * 2), 'latin1');
    let end = PATH.length + pathLine.latin1Write(path, PATH.length);
    if (query !== '') end += pathLine.latin1Write(query, end);
    return encoder.field(pathLine, 0, PATH_NAME_LENGTH, PATH.length, end, false, to, at);
  }

  /** Encodes what follows the fields. Returns the position behind. */
  encodeRest(encoder: HpackEncoder, to: Buffer, start: number): number {
    let at = start;
    if (this.contentLength >= 0)
      at = encodeText(encoder, 'content-length', String(this.contentLength), to, at);
    if (this.acceptsTrailers) at = encodeLine(encoder, TE_TRAILERS, 2, to, at);
    if (this.expectContinue) at = encodeLine(encoder, EXPECT_CONTINUE, 6, to, at);
    return at;
  }
}

function encodeText(encoder: HpackEncoder, name: string, value: string, to: Buffer, at: number): number {
  return encodeLine(encoder, Buffer.from(`${name}: ${value}\r\n`, 'latin1'), name.length, to, at);
}
