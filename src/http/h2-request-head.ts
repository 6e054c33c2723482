import { Framing, type RequestHead } from '../model/message.ts';
import { HeadStart } from './h2-head-start.ts';
import type { ConnectionOutput } from './h2-output.ts';
import type { StreamOutput } from './h2-stream-output.ts';
import { listBytes } from './hpack-fields.ts';

/** Filled for each request anew. */
const first = new HeadStart();

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
  const { upgrade } = head;
  first.method = upgrade === '' ? head.method : 'CONNECT';
  first.protocol = upgrade;
  first.secure = secure;
  first.authority = head.authority;
  first.path = head.path;
  first.query = head.query;
  first.contentLength = head.framing === Framing.Length && !head.lengthInFields ? head.contentLength : -1;
  first.acceptsTrailers = head.acceptsTrailers;
  first.expectContinue = head.expectContinue;
  output.sendRequest(stream, first, head.fields, endStream);
}

/** `:method`, `:scheme`, `:authority` and `:path`: their names, the longest scheme, and what each counts for beyond that. */
const PSEUDO_BYTES = 29 + 'https'.length + 4 * 32;

/** The size of the field list that `writeRequestHead` makes of this (RFC 9113 section 6.5.2), bytes; a few more or less for fields of ours. */
export function headListBytes({ method, authority, path, query, fields }: RequestHead): number {
  return PSEUDO_BYTES + method.length + authority.length + path.length + query.length + listBytes(fields);
}
