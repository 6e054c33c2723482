import type { Fields } from '../model/fields.ts';
import type { RequestHead, ResponseHead } from '../model/message.ts';
import { Framing } from '../model/message.ts';
import type { Connection } from '../net/connection.ts';
import type { OutBuffer } from '../net/out-buffer.ts';

const COLON_SP = Buffer.from(': ', 'latin1');
const CHUNKED = Buffer.from('Transfer-Encoding: chunked\r\n', 'latin1');
const CLOSE = Buffer.from('Connection: close\r\n', 'latin1');
const KEEP_ALIVE = Buffer.from('Connection: keep-alive\r\n', 'latin1');
const TE_TRAILERS = Buffer.from('TE: trailers\r\n', 'latin1');
const CONNECTION_TE = Buffer.from('Connection: TE\r\n', 'latin1');
const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');
const ZERO_CHUNK = Buffer.from('0\r\n', 'latin1');

/** Room for the lines that we add ourselves: framing, Connection, Upgrade. */
const OWN_LINES = 512;

/** Bytes that the block takes when written, at most. */
function fieldsSize(fields: Fields): number {
  const { count, at, added, block } = fields;
  let size = count === 0 ? 0 : at[count * 4 - 1]! - at[0]! + 2 + count * 2;
  for (let index = 0; index < added.length; index++) size += added[index]!.bytes.length;
  return block === undefined ? size : size + block.bytes.length;
}

/**
 * Writes the lines that are not dropped, whole runs at once where they lie as we would write them.
 * @param lineStart where the start line begins that lies before the first field and is written as well; -1 for none
 */
function writeFields(out: OutBuffer, fields: Fields, lineStart: number): void {
  const { bytes, count, at, added, block } = fields;
  let runStart = lineStart;
  let runEnd = lineStart < 0 || count === 0 ? 0 : at[0]!;
  for (let index = 0; index < count; index++) {
    const place = index * 4;
    if (fields.isWrittenAsIs(index)) {
      if (runStart < 0) runStart = at[place]!;
      runEnd = at[place + 3]! + 2;
      continue;
    }
    if (runStart >= 0) {
      out.copy(bytes, runStart, runEnd);
      runStart = -1;
    }
    if (fields.isDropped(index)) continue;
    out.copy(bytes, at[place]!, at[place + 1]!);
    out.line(COLON_SP);
    out.copy(bytes, at[place + 2]!, at[place + 3]!);
    out.crlf();
  }
  if (runStart >= 0) out.copy(bytes, runStart, runEnd);
  for (let index = 0; index < added.length; index++) out.line(added[index]!.bytes);
  if (block !== undefined) out.line(block.bytes);
}

function writeLength(out: OutBuffer, length: number): void {
  out.text(`Content-Length: ${length}\r\n`);
}

/** Writes a request head as HTTP/1.1. Returns its length. */
export function writeRequestHead(connection: Connection, head: RequestHead): number {
  const size =
    fieldsSize(head.fields) +
    head.method.length +
    head.path.length +
    head.query.length +
    head.authority.length +
    OWN_LINES;
  const out = connection.open(size);
  const before = out.length;
  const asItCame =
    head.lineStart >= 0 &&
    head.fields.count > 0 &&
    !head.hostReplaced &&
    head.path === head.rawPath &&
    head.query === head.rawQuery;
  if (!asItCame) out.text(`${head.method} ${head.path}${head.query} HTTP/1.1\r\n`);
  if (head.hostReplaced) out.text(`Host: ${head.authority}\r\n`);
  writeFields(out, head.fields, asItCame ? head.lineStart : -1);
  if (head.framing === Framing.Chunked) out.line(CHUNKED);
  else if (head.framing === Framing.Length && !head.lengthInFields) writeLength(out, head.contentLength);
  if (head.expectContinue) out.text('Expect: 100-continue\r\n');
  // RFC 9110 section 10.1.4: TE is for the next hop only, and Connection says so.
  if (head.acceptsTrailers) out.line(TE_TRAILERS);
  if (head.upgrade !== '')
    out.text(`Connection: upgrade${head.acceptsTrailers ? ', TE' : ''}\r\nUpgrade: ${head.upgrade}\r\n`);
  else if (head.acceptsTrailers) out.line(CONNECTION_TE);
  out.crlf();
  return out.length - before;
}

/** What the connection will do after a response. */
export const Persistence = {
  /** HTTP/1.1 stays open, nothing is said. */
  Default: 0,
  /** `Connection: close`. */
  Close: 1,
  /** `Connection: keep-alive`, for HTTP/1.0 clients that asked. */
  KeepAlive: 2,
} as const;

export type PersistenceKind = (typeof Persistence)[keyof typeof Persistence];

/** Writes a response head; `chunked` says how a body of unknown length is framed. Returns its length. */
export function writeResponseHead(
  connection: Connection,
  head: ResponseHead,
  chunked: boolean,
  persistence: PersistenceKind,
): number {
  const size = fieldsSize(head.fields) + head.reason.length + OWN_LINES;
  const out = connection.open(size);
  const before = out.length;
  const asItCame = head.lineStart >= 0 && head.fields.count > 0;
  if (!asItCame) out.text(`HTTP/1.1 ${head.status} ${head.reason}\r\n`);
  writeFields(out, head.fields, asItCame ? head.lineStart : -1);
  if (chunked) out.line(CHUNKED);
  else if (
    !head.lengthInFields &&
    (head.framing === Framing.Length || (head.framing === Framing.None && head.contentLength >= 0))
  )
    writeLength(out, head.contentLength);
  if (head.upgrade !== '') out.text(`Connection: upgrade\r\nUpgrade: ${head.upgrade}\r\n`);
  else if (persistence === Persistence.Close) out.line(CLOSE);
  else if (persistence === Persistence.KeepAlive) out.line(KEEP_ALIVE);
  out.crlf();
  return out.length - before;
}

/** Writes one chunk (RFC 9112 section 7.1); an empty piece writes nothing, because it would end the body. */
export function writeChunk(connection: Connection, bytes: Buffer, start: number, end: number): void {
  if (start === end) return;
  connection.open(16).text(`${(end - start).toString(16)}\r\n`);
  connection.write(bytes, start, end);
  connection.open(2).crlf();
}

/** Ends a chunked body, with trailers if there are any. */
export function writeLastChunk(connection: Connection, trailers: Fields | undefined): void {
  if (trailers === undefined) {
    connection.open(LAST_CHUNK.length).line(LAST_CHUNK);
    return;
  }
  const out = connection.open(fieldsSize(trailers) + 16);
  out.line(ZERO_CHUNK);
  writeFields(out, trailers, -1);
  out.crlf();
}
