import { STATUS_CODES } from 'node:http';

import { type FieldLine, fieldLine } from '../model/fields.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { LocalReply } from '../model/filter.ts';
import { Framing, ResponseHead } from '../model/message.ts';

const CONTENT_TYPE = fieldLine('Content-Type', 'text/plain; charset=utf-8');
/** After a refusal for want of capacity: when it is sensible to come back, seconds. */
const RETRY_AFTER = fieldLine('Retry-After', '1');
const ALLOW = fieldLine('Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');

const withoutDetail = new Map<FailureCode, LocalReply>();

/** Standard reason phrase of a status; empty when there is none. */
export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? '';
}

/**
 * The response that Pointsman itself gives for a failure: status, `Proxy-Status` (RFC 9209) with the failure code, and a
 * sentence. `detail` goes to the client as well, so it names nothing of the inside.
 */
export function failureReply(code: FailureCode, detail = ''): LocalReply {
  const cached = detail === '' ? withoutDetail.get(code) : undefined;
  if (cached !== undefined) return cached;
  const info = FAILURES[code];
  const status = info.status === 0 || info.status === 499 ? 500 : info.status;
  const about = detail === '' ? code : `${code}: ${detail.replaceAll(/[^ !#-[\]-~]/g, '?')}`;
  const fields: FieldLine[] = [
    CONTENT_TYPE,
    fieldLine('Proxy-Status', `pointsman; error=${info.proxyStatus}; details="${about}"`),
  ];
  if (status === 503) fields.push(RETRY_AFTER);
  if (status === 405) fields.push(ALLOW);
  const reply: LocalReply = {
    status,
    fields,
    body: Buffer.from(`${status} ${reasonOf(status)}\n${info.meaning}\n`, 'latin1'),
    failure: code,
  };
  if (detail === '') withoutDetail.set(code, reply);
  return reply;
}

let dateLine: FieldLine | undefined;
let dateSecond = -1;

/** `Date` of now, made once a second. */
export function currentDate(): FieldLine {
  const second = Math.floor(Date.now() / 1000);
  if (dateLine === undefined || second !== dateSecond) {
    dateSecond = second;
    dateLine = fieldLine('Date', new Date(second * 1000).toUTCString());
  }
  return dateLine;
}

/** The head of a reply of ours, ready to be sent. */
export function replyHead(reply: LocalReply): ResponseHead {
  const head = new ResponseHead();
  head.status = reply.status;
  head.reason = reasonOf(reply.status);
  const bodyless = reply.status === 204 || reply.status === 304;
  head.framing = bodyless ? Framing.None : Framing.Length;
  head.contentLength = bodyless ? -1 : reply.body.length;
  head.fields.add(currentDate());
  for (const line of reply.fields) head.fields.add(line);
  return head;
}
