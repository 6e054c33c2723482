import { RequestParser } from '../../src/http/h1-request.ts';
import { RequestHead } from '../../src/model/message.ts';
import { normalisePath } from '../../src/util/uri-path.ts';

/**
 * A request head as the data path has it, made by the codec from what a client would send.
 * `Host: a.test` unless the lines say otherwise. Throws on what the codec refuses.
 */
export function requestHead(method: string, target: string, ...lines: readonly string[]): RequestHead {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: a.test'];
  const text = [`${method} ${target} HTTP/1.1`, ...host, ...lines, '', ''].join('\r\n');
  const bytes = Buffer.from(text, 'latin1');
  const parser = new RequestParser({ requestLine: 8192, headerBytes: 65_536, headerCount: 100 });
  const head = new RequestHead();
  const end = parser.parse(bytes, 0, bytes.length, head);
  if (end !== bytes.length) throw new Error(`the codec refuses ${JSON.stringify(text)}: ${parser.failure}`);
  const path = head.path === '*' ? '*' : normalisePath(head.path);
  if (path === undefined) throw new Error(`the path cannot be normalised: ${head.path}`);
  head.path = path;
  return head;
}
