import { RequestHead } from '../model/message.ts';

/** Heads kept for requests to come, and how large they may be, bytes. */
const MOST_HEADS = 256;
const MAX_HEAD_BYTES = 8192;

/** Stands for the request of who serves none. */
export const NO_REQUEST: RequestHead = new RequestHead();

/** A head for a request to come, from those in `spare` if there is one. */
export function takeHead(spare: RequestHead[]): RequestHead {
  return spare.pop() ?? new RequestHead();
}

/** Nobody looks at `head` any more. */
export function giveHead(spare: RequestHead[], head: RequestHead): void {
  if (spare.length < MOST_HEADS && head !== NO_REQUEST && head.fields.storeBytes <= MAX_HEAD_BYTES)
    spare.push(head);
}
