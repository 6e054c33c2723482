/**
 * A strict HTTP/1.1 message parser for verdicts in tests, written apart from `src/http` on purpose: what Pointsman
 * writes is judged by a second reading of RFC 9110 and RFC 9112, not by its own. It accepts one spelling only, the
 * canonical one, so that whatever it accepts no recipient can read in another way.
 */
import {
  check,
  type Field,
  lengthAndCoding,
  readField,
  readLines,
  TOKEN,
  valuesOf,
  Violation,
} from './strict-fields.ts';

export type BodyFraming = 'none' | 'length' | 'chunked' | 'close';

/** One message as it stood in the bytes, without the colon, the blanks and the line ends. */
export interface HttpMessage {
  readonly startLine: string;
  /** Requests only. */
  readonly method: string;
  /** Requests only. */
  readonly target: string;
  /** Responses only; 0 in a request. */
  readonly status: number;
  readonly fields: readonly Field[];
  readonly framing: BodyFraming;
  readonly body: Buffer;
  readonly trailers: readonly Field[];
}

export type Parsed =
  | { readonly kind: 'message'; readonly message: HttpMessage; readonly end: number }
  /** Good so far. `head` is there when the head is whole and the body is not. */
  | { readonly kind: 'incomplete'; readonly head?: HttpMessage }
  | { readonly kind: 'violation'; readonly reason: string };

/**
 * Origin-form as RFC 3986 allows it: no fragment, no broken escape, no byte outside of the grammar, no backslash in the
 * path. In the query also what browsers leave as it is typed.
 */
const ORIGIN_FORM =
  /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?|^{}[\]\\"<>`-]|%[0-9A-Fa-f]{2})*)?$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::\d{0,5})?$/;
/** Fields that never belong in a trailer section (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'forwarded',
  'host',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'x-forwarded-for',
]);
interface Body {
  readonly bytes: Buffer;
  readonly trailers: readonly Field[];
  readonly end: number;
}

/** RFC 9112 section 7.1, without extensions; undefined when more must come. */
function readChunks(bytes: Buffer, start: number): Body | undefined {
  const pieces: Buffer[] = [];
  let at = start;
  for (;;) {
    const feed = bytes.indexOf(10, at);
    const line = bytes.subarray(at, feed < 0 ? bytes.length : feed).toString('latin1');
    if (feed < 0) {
      check(/^[0-9A-Fa-f]{0,15}\r?$/.test(line), `chunk line ${JSON.stringify(line.slice(0, 40))}`);
      return undefined;
    }
    check(/^[0-9A-Fa-f]{1,15}\r$/.test(line), `chunk line ${JSON.stringify(line.slice(0, 40))}`);
    const size = Number.parseInt(line, 16);
    at = feed + 1;
    if (size === 0) break;
    const end = at + size;
    if (end < bytes.length) check(bytes[end] === 13, 'chunk data not followed by CR');
    if (end + 1 < bytes.length) check(bytes[end + 1] === 10, 'chunk data not followed by CRLF');
    if (end + 2 > bytes.length) return undefined;
    pieces.push(bytes.subarray(at, end));
    at = end + 2;
  }
  const section = readLines(bytes, at, 'trailers');
  if (section === undefined) return undefined;
  const trailers = section.lines.map(readField);
  for (const [name] of trailers) check(!NOT_IN_TRAILERS.has(name.toLowerCase()), `trailer ${name}`);
  return { bytes: Buffer.concat(pieces), trailers, end: section.end };
}

function withBody(bytes: Buffer, head: HttpMessage, start: number, length: number, closed: boolean): Parsed {
  if (head.framing === 'close') {
    if (!closed) return { kind: 'incomplete', head };
    return { kind: 'message', message: { ...head, body: bytes.subarray(start) }, end: bytes.length };
  }
  if (head.framing === 'chunked') {
    const body = readChunks(bytes, start);
    if (body === undefined) return { kind: 'incomplete', head };
    return {
      kind: 'message',
      message: { ...head, body: body.bytes, trailers: body.trailers },
      end: body.end,
    };
  }
  const end = start + (head.framing === 'length' ? length : 0);
  if (end > bytes.length) return { kind: 'incomplete', head };
  return { kind: 'message', message: { ...head, body: bytes.subarray(start, end) }, end };
}

function orViolation(parse: () => Parsed): Parsed {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Violation) return { kind: 'violation', reason: error.message };
    throw error;
  }
}

function checkTarget(method: string, target: string): void {
  const good = ORIGIN_FORM.test(target) || (target === '*' && method === 'OPTIONS');
  check(good, `target ${JSON.stringify(target)}`);
}

/** Reads the request that begins at `offset`: the one canonical spelling, or a violation. */
export function parseRequest(bytes: Buffer, offset: number): Parsed {
  return orViolation(() => {
    if (offset === bytes.length) return { kind: 'incomplete' };
    const section = readLines(bytes, offset, 'request head');
    if (section === undefined) return { kind: 'incomplete' };
    const [startLine = '', ...rest] = section.lines;
    const match = /^(\S+) (\S+) HTTP\/1\.1$/.exec(startLine);
    check(match !== null, `request line ${JSON.stringify(startLine)}`);
    const method = match?.[1] ?? '';
    const target = match?.[2] ?? '';
    check(TOKEN.test(method), `method ${JSON.stringify(method)}`);
    checkTarget(method, target);
    const fields = rest.map(readField);
    const hosts = valuesOf({ fields }, 'host');
    check(hosts.length === 1, `${hosts.length} Host lines`);
    check(HOST.test(hosts[0] ?? ''), `Host: ${hosts[0]}`);
    const { length, chunked } = lengthAndCoding(fields);
    const framing = chunked ? 'chunked' : length >= 0 ? 'length' : 'none';
    const head = {
      startLine,
      method,
      target,
      status: 0,
      fields,
      framing,
      body: Buffer.alloc(0),
      trailers: [],
    } as const;
    return withBody(bytes, head, section.end, length, false);
  });
}

/**
 * Reads the response that begins at `offset`. `method` is that of the request it answers; `closed` tells that no more
 * bytes will come, which ends a body without a length.
 */
export function parseResponse(bytes: Buffer, offset: number, method: string, closed: boolean): Parsed {
  return orViolation(() => {
    if (offset === bytes.length) return { kind: 'incomplete' };
    const section = readLines(bytes, offset, 'response head');
    if (section === undefined) return { kind: 'incomplete' };
    const [startLine = '', ...rest] = section.lines;
    const match = /^HTTP\/1\.[01] ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/.exec(startLine);
    check(match !== null, `status line ${JSON.stringify(startLine)}`);
    const status = Number(match?.[1]);
    const fields = rest.map(readField);
    const { length, chunked } = lengthAndCoding(fields);
    const bodiless = status < 200 || status === 204;
    check(!bodiless || (!chunked && length < 0), `${status} with a body framing`);
    const empty = bodiless || status === 304 || method === 'HEAD';
    const framing = empty ? 'none' : chunked ? 'chunked' : length >= 0 ? 'length' : 'close';
    const head = {
      startLine,
      method: '',
      target: '',
      status,
      fields,
      framing,
      body: Buffer.alloc(0),
      trailers: [],
    } as const;
    return withBody(bytes, head, section.end, length, closed);
  });
}

export interface Conversation {
  readonly messages: readonly HttpMessage[];
  /** Bytes behind the last whole message. */
  readonly rest: Buffer;
  /** Why `rest` is not the beginning of a good message. */
  readonly violation: string | undefined;
}

/** Reads everything that came over a connection as requests in a row. */
export function parseRequests(bytes: Buffer): Conversation {
  const messages: HttpMessage[] = [];
  let offset = 0;
  for (;;) {
    const parsed = parseRequest(bytes, offset);
    if (parsed.kind !== 'message') {
      const violation = parsed.kind === 'violation' ? parsed.reason : undefined;
      return { messages, rest: bytes.subarray(offset), violation };
    }
    messages.push(parsed.message);
    offset = parsed.end;
  }
}
