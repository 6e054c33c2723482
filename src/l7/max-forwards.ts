import { fieldLine, fieldName } from '../model/fields.ts';
import type { LocalReply } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';

const MAX_FORWARDS = fieldName('max-forwards');

const ANSWER: LocalReply = {
  status: 204,
  fields: [fieldLine('Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS')],
  body: Buffer.alloc(0),
};

/**
 * Max-Forwards of an OPTIONS request (RFC 9110 section 7.6.2): counts it down, or answers when it has come to its end here.
 * A value that is not a number is passed on.
 */
export function applyMaxForwards(request: RequestHead): LocalReply | undefined {
  const value = request.fields.get(MAX_FORWARDS);
  if (value === undefined || !/^\d{1,9}$/.test(value)) return undefined;
  const hops = Number(value);
  if (hops === 0) return ANSWER;
  request.fields.remove(MAX_FORWARDS);
  request.fields.add(fieldLine('Max-Forwards', String(hops - 1)));
  return undefined;
}
