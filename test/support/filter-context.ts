import type { FilterContext } from '../../src/model/filter.ts';
import { type RequestHead, ResponseHead } from '../../src/model/message.ts';
import { Known, knownFieldId } from '../../src/model/known-fields.ts';

/** What a filter sees of a request of a client at 192.0.2.1, unless said otherwise. */
export function filterContext(request: RequestHead, more: Partial<FilterContext> = {}): FilterContext {
  return { request, clientIp: '192.0.2.1', secure: false, routeName: 'routes[0]', nowMs: 0, ...more };
}

/** A response head with these lines. */
export function responseHead(...lines: readonly string[]): ResponseHead {
  const head = new ResponseHead();
  head.status = 200;
  const bytes = Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
  head.fields.reset(bytes);
  let at = 0;
  for (const line of lines) {
    const colon = at + line.indexOf(':');
    const end = at + line.length;
    const id = knownFieldId(bytes, at, colon);
    head.fields.push(id, at, colon, Math.min(colon + 2, end), end, id !== Known.Other);
    at = end + 2;
  }
  return head;
}
