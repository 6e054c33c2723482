import { fieldLine, fieldName } from '../model/fields.ts';
import type { RequestHead } from '../model/message.ts';
import type { PseudoFields } from './h2-pseudo-fields.ts';
import { webSocketKey } from './websocket-handshake.ts';

const SP = 32;
const VERSION = Buffer.from(' HTTP/1.1\r\nhost: ', 'latin1');
const CRLF = Buffer.from('\r\n', 'latin1');
const GET = Buffer.from('GET', 'latin1');
const WEBSOCKET_KEY = fieldName('sec-websocket-key');

/**
 * Lays a head out as the head of an HTTP/1.1 request lies: request line, Host, and all the other fields in one block of bytes.
 * @param head its first field is the place that was kept for Host
 * @param lines where the decoder has written the fields, up to `linesEnd`
 */
export function layOutRequest(
  head: RequestHead,
  pseudo: PseudoFields,
  lines: Buffer,
  linesEnd: number,
): void {
  const { fields } = head;
  const { authority, path } = pseudo;
  // RFC 8441 section 5: extended CONNECT is GET in HTTP/1.1.
  const method = head.upgrade === '' ? pseudo.method : undefined;
  const prefix = (method?.length ?? GET.length) + 1 + path.length + VERSION.length;
  const hostEnd = prefix + authority.length;
  // All that follows the pseudo-fields, behind what we put in front of it.
  const first = fields.count > 1 ? fields.at[4]! : linesEnd;
  const store = fields.keepBehind(hostEnd + 2, first, linesEnd);
  let at = method === undefined ? GET.copy(store, 0) : lines.copy(store, 0, method.start, method.end);
  store[at++] = SP;
  at += lines.copy(store, at, path.start, path.end);
  at += VERSION.copy(store, at);
  lines.copy(store, at, authority.start, authority.end);
  CRLF.copy(store, hostEnd);
  fields.place(0, prefix - 6, prefix - 2, prefix, hostEnd);
  head.lineStart = 0;
}

/** RFC 8441 section 5.1: the stream has no need of a key, HTTP/1.1 has; one of the client's means nothing here. */
export function keyWebSocket({ fields }: RequestHead): void {
  fields.remove(WEBSOCKET_KEY);
  fields.add(fieldLine('Sec-WebSocket-Key', webSocketKey()));
}
