import type { Endpoint } from './endpoint.ts';
import type { FieldLine } from './fields.ts';
import type { FailureCode } from './failures.ts';
import type { RequestHead, ResponseHead } from './message.ts';

/** A response that a filter or route gives instead of the endpoint. */
export interface LocalReply {
  readonly status: number;
  readonly fields: readonly FieldLine[];
  readonly body: Buffer;
  /** Present when the reply is a refusal of ours, so that logs, metrics and Proxy-Status name it. */
  readonly failure?: FailureCode;
}

/** What a filter may see of the exchange that it is part of. */
export interface FilterContext {
  readonly request: RequestHead;
  /** Address of the client behind trusted proxies, normalised (no brackets, no port). */
  readonly clientIp: string;
  /** The client came over TLS. */
  readonly secure: boolean;
  /** Name of the route that was chosen. */
  readonly routeName: string;
  /** Monotonic time of this event-loop turn. */
  readonly nowMs: number;
}

/** `undefined` means: go on. */
export type FilterVerdict = LocalReply | undefined;

/**
 * A step that changes or answers a request. Three hooks, all optional: before an endpoint is chosen, when the final response
 * head is there, and once at the very end. A hook never throws. `onRequest` may answer later (a promise), and the
 * exchange waits only then.
 */
export interface Filter {
  readonly name: string;
  onRequest?(context: FilterContext): FilterVerdict | Promise<FilterVerdict>;
  onResponse?(context: FilterContext, head: ResponseHead): void;
  onFinish?(context: FilterContext): void;
}

/** Binds a client to an endpoint ("sticky session"). One per pool that asks for it; implemented in `filters/`. */
export interface Affinity {
  /** The endpoint that the request is bound to, usable or not; undefined when it is bound to none that exists. */
  bound(request: RequestHead): Endpoint | undefined;
  /** Tells the client to come back to `endpoint`: adds what is needed to the response. */
  bind(head: ResponseHead, endpoint: Endpoint, secure: boolean): void;
}
