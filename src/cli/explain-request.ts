import { RequestParser } from '../http/h1-request.ts';
import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { failure, type Failure } from '../model/failures.ts';
import { RequestHead } from '../model/message.ts';
import { hostOf } from '../l7/route-values.ts';
import { canonicalIp } from '../util/ip.ts';
import { normalisePath } from '../util/uri-path.ts';

/** A request as the user describes it, ready for the codec. */
export interface AskedRequest {
  /** What a client would send. */
  readonly bytes: Buffer;
  /** Port that the client would connect to, where the URL says so. */
  readonly port: number | undefined;
  readonly secure: boolean;
  /** Name that the client would ask for by TLS; empty where the URL names none. */
  readonly serverName: string;
}

const URL_PARTS = /^(?:(https?):\/\/([^/?#]*))?([^#]*)(?:#.*)?$/is;
const LINE_BREAKS = /[\r\n]/;

/**
 * Writes the request that a client would send for a method, a URL (or a path) and header lines. Nothing is normalised on
 * the way: that is what is to be explained.
 * @returns a text that says what is wrong when it cannot be written.
 */
export function askedRequest(method: string, url: string, headers: readonly string[]): AskedRequest | string {
  const [, scheme = '', authority = '', rest = ''] = URL_PARTS.exec(url) ?? [];
  if (scheme === '' && !/^[/*]/.test(url))
    return `${JSON.stringify(url)} is not a URL; write http://host/path, or /path`;
  if (scheme !== '' && authority === '') return `${JSON.stringify(url)} has no host`;
  const wrong = headers.find((line) => !/^[^\s:]+:/.test(line) || LINE_BREAKS.test(line));
  if (wrong !== undefined) return `${JSON.stringify(wrong)} is not a header; write -H 'name: value'`;
  if (/[\s]/.test(method) || LINE_BREAKS.test(url)) return 'method and URL have no blanks or line breaks';
  const secure = scheme.toLowerCase() === 'https';
  const named = headers
    .find((line) => /^host:/i.test(line))
    ?.slice('host:'.length)
    .trim();
  const host = named ?? (authority === '' ? 'localhost' : authority);
  const target = rest.startsWith('/') || rest === '*' ? rest : `/${rest}`;
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    ...headers.filter((line) => !/^host:/i.test(line)),
  ];
  return {
    bytes: Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    port: portOf(authority, secure),
    secure,
    serverName: serverNameOf(authority),
  };
}

/** RFC 6066 section 3: a name without its dot at the end, and no address. */
function serverNameOf(authority: string): string {
  const name = hostOf(authority).replace(/\.$/, '');
  return name.startsWith('[') || canonicalIp(name) !== undefined ? '' : name;
}

function portOf(authority: string, secure: boolean): number | undefined {
  if (authority === '') return undefined;
  const port = /:(\d+)$/.exec(authority)?.[1];
  return port === undefined ? (secure ? 443 : 80) : Number(port);
}

/** Reads the request as the listener would: by its codec and limits, with its path normalised. */
export function readRequest(asked: AskedRequest, listener: HttpListenerConfig): RequestHead | Failure {
  const parser = new RequestParser(listener.limits);
  const head = new RequestHead();
  const { bytes } = asked;
  const end = parser.parse(bytes, 0, bytes.length, head);
  if (end !== bytes.length) return failure(end < 0 ? parser.failure : 'request_malformed');
  const path = normalisePath(head.path);
  if (path === undefined && head.path !== '*') return failure('request_target');
  head.path = path ?? '*';
  return head;
}
