import { Fields, fieldLine, fieldName } from '../model/fields.ts';
import { GRPC_STATUSES } from '../model/grpc-status.ts';
import { type RequestHead, type ResponseHead, Framing } from '../model/message.ts';
import type { FailureCode } from '../model/failures.ts';
import { grpcMessage, grpcStatusOfFailure } from '../http/grpc-reply.ts';

const TIMEOUT = fieldName('grpc-timeout');
const STATUS = fieldName('grpc-status');

/** Milliseconds in the units of `grpc-timeout`. */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
/** The largest number that `grpc-timeout` takes. */
const MAX_COUNT = 99_999_999;

/** What is known of an exchange because it is a call of gRPC (over HTTP/2; gRPC-Web is plain HTTP). */
export class GrpcCall {
  /** By `grpc-timeout`, from the request on, milliseconds; Infinity when the client waits for ever. */
  timeoutMs = Number.POSITIVE_INFINITY;
  /** Status that the endpoint gave; -1 before it did. */
  status = -1;

  /** The request is as filters left it. */
  readTimeout(request: RequestHead): void {
    this.timeoutMs = parseTimeoutMs(request.fields.get(TIMEOUT));
  }

  /** What is left of the time is all that the endpoint has: what it does later nobody waits for. */
  tellTimeLeft(request: RequestHead, spentMs: number): void {
    if (this.timeoutMs === Number.POSITIVE_INFINITY || spentMs < 1) return;
    request.fields.remove(TIMEOUT);
    request.fields.add(fieldLine('grpc-timeout', formatTimeout(this.timeoutMs - spentMs)));
  }

  /** The response head has come: one with a status is all there is ("trailers-only"). */
  onHead(head: ResponseHead): void {
    this.status = statusIn(head.fields);
    if (this.status < 0) return;
    // Nothing follows, and gRPC does not say so by a length.
    head.framing = Framing.None;
    head.contentLength = -1;
  }

  onTrailers(trailers: Fields | undefined): void {
    if (this.status < 0 && trailers !== undefined) this.status = statusIn(trailers);
  }
}

/** Trailers that end a call whose response had begun. */
export function grpcTrailers(code: FailureCode, detail: string): Fields {
  const trailers = new Fields();
  trailers.add(fieldLine('grpc-status', String(grpcStatusOfFailure(code))));
  trailers.add(fieldLine('grpc-message', grpcMessage(code, detail)));
  return trailers;
}

/** `TimeoutValue TimeoutUnit`: at most 8 digits and one letter. */
function parseTimeoutMs(value: string | undefined): number {
  const match = value === undefined ? null : /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]) * UNITS[match[2]!]!;
}

/** In milliseconds while 8 digits are enough, never 0: that is for the deadline itself to say. */
function formatTimeout(leftMs: number): string {
  const unit = leftMs <= MAX_COUNT ? 'm' : leftMs <= MAX_COUNT * 1000 ? 'S' : 'H';
  return `${Math.max(1, Math.floor(leftMs / UNITS[unit]!))}${unit}`;
}

function statusIn(fields: Fields): number {
  const value = fields.get(STATUS);
  if (value === undefined || !/^\d{1,2}$/.test(value)) return -1;
  const status = Number(value);
  return status < GRPC_STATUSES ? status : -1;
}
