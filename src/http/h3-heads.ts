import { Framing, type ResponseHead } from '../model/message.ts';
import type { Http3Exchange } from '../net/http3-exchange.ts';

/** Lines about the connection: meaningless here (RFC 9114 section 4.2). */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** The head of a request as HTTP/1.1 would have it, so that it is checked by the rules that hold for all: no second parser to be fooled. */
export function requestHeadBytes({ method, url, fields, hasBody: body }: Http3Exchange): Buffer {
  const { host, pathname, search } = new URL(url);
  const lines = [`${method} ${pathname}${search} HTTP/1.1`, `host: ${fields.get('host') ?? host}`];
  for (const [name, value] of fields)
    if (name !== 'host' && !CONNECTION_FIELDS.has(name)) lines.push(`${name}: ${value}`);
  if (body && !fields.has('content-length')) lines.push('transfer-encoding: chunked');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** The head of a response as the runtime takes it, and how much of it is sent, about. */
export function responseFields(head: ResponseHead): {
  readonly fields: Headers;
  readonly sizeBytes: number;
} {
  const fields = new Headers();
  let sizeBytes = 0;
  for (const line of head.fields.written()) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (CONNECTION_FIELDS.has(name)) continue;
    try {
      fields.append(name, line.slice(colon + 2));
    } catch {
      // What the runtime does not take as a value cannot be sent by it.
    }
    sizeBytes += line.length + 2;
  }
  const known = head.framing === Framing.Length || (head.framing === Framing.None && head.contentLength >= 0);
  if (known && !head.lengthInFields) fields.set('content-length', String(head.contentLength));
  return { fields, sizeBytes };
}
