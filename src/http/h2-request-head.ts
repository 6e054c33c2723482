import { Known } from '../model/known-fields.ts';
import { Framing, type RequestHead } from '../model/message.ts';
import { FRAME_HEADER } from './h2-protocol.ts';
import type { ConnectionOutput } from './h2-output.ts';
import type { StreamOutput } from './h2-stream-output.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import { encodedRoom, encodeFields, encodeLine } from './hpack-fields.ts';

const SCHEME_HTTP = Buffer.from(':scheme: http\r\n', 'latin1');
const SCHEME_HTTPS = Buffer.from(':scheme: https\r\n', 'latin1');
const TE_TRAILERS = Buffer.from('te: trailers\r\n', 'latin1');
const EXPECT_CONTINUE = Buffer.from('expect: 100-continue\r\n', 'latin1');
const SCHEME_LENGTH = ':scheme'.length;

const PATH = ':path: ';
const PATH_NAME_LENGTH = ':path'.length;

/** Room for what is not in the fields, beside its length: pseudo-fields, te, expect, content-length. */
const OWN_ROOM = 256;

/** Where the path is put together; one for all, grown to the longest. */
let pathLine = Buffer.from(PATH.padEnd(4096), 'latin1');

const methodLines = new Map<string, Buffer>();
/** Methods are words of the client's choice. */
const MAX_METHOD_LINES = 64;

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

/**
 * Writes the HEADERS of a request (RFC 9113 section 8.3.1). Host becomes `:authority`; a request to switch protocols becomes an
 * extended CONNECT (RFC 8441 section 4).
 */
export function writeRequestHead(
  output: ConnectionOutput,
  stream: StreamOutput,
  head: RequestHead,
  secure: boolean,
  endStream: boolean,
): void {
  const { writer, encoder, maxFrame } = output;
  const { fields, authority, path, query, upgrade } = head;
  const values = head.method.length + authority.length + path.length + query.length + upgrade.length;
  const room = encodedRoom(fields) + values + OWN_ROOM;
  const out = writer.open(room + FRAME_HEADER * (2 + Math.ceil(room / maxFrame)));
  const start = writer.beginHeaders(out, stream.id);
  const { bytes } = out;
  let at = encoder.begin(bytes, out.length);
  const method = upgrade === '' ? methodLine(head.method) : methodLine('CONNECT');
  at = encodeLine(encoder, method, 7, bytes, at);
  at = encodeLine(encoder, secure ? SCHEME_HTTPS : SCHEME_HTTP, SCHEME_LENGTH, bytes, at);
  if (authority !== '') at = encodeLine(encoder, authorityLine(authority), 10, bytes, at);
  at = encodePath(encoder, path, query, bytes, at);
  if (upgrade !== '') at = encodeText(encoder, ':protocol', upgrade, bytes, at);
  at = encodeFields(encoder, fields, bytes, at, Known.Host);
  if (head.framing === Framing.Length && !head.lengthInFields)
    at = encodeText(encoder, 'content-length', String(head.contentLength), bytes, at);
  if (head.acceptsTrailers) at = encodeLine(encoder, TE_TRAILERS, 2, bytes, at);
  if (head.expectContinue) at = encodeLine(encoder, EXPECT_CONTINUE, 6, bytes, at);
  out.length = at;
  stream.flagsAt = writer.endHeaders(out, start, stream.id, endStream, maxFrame);
  stream.flushes = writer.flushes;
  stream.wireBytes += out.length - start;
  if (!endStream) return;
  stream.ended = true;
  stream.owner.onOutputEnd();
}

function encodePath(encoder: HpackEncoder, path: string, query: string, to: Buffer, at: number): number {
  const room = PATH.length + path.length + query.length;
  if (pathLine.length < room) pathLine = Buffer.from(PATH.padEnd(room * 2), 'latin1');
  let end = PATH.length + pathLine.latin1Write(path, PATH.length);
  if (query !== '') end += pathLine.latin1Write(query, end);
  return encoder.field(pathLine, 0, PATH_NAME_LENGTH, PATH.length, end, false, to, at);
}

function encodeText(encoder: HpackEncoder, name: string, value: string, to: Buffer, at: number): number {
  return encodeLine(encoder, Buffer.from(`${name}: ${value}\r\n`, 'latin1'), name.length, to, at);
}
