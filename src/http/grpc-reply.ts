import { FAILURES, type FailureCode } from '../model/failures.ts';
import { fieldLine } from '../model/fields.ts';
import { GrpcStatus } from '../model/grpc-status.ts';
import { Framing, ResponseHead } from '../model/message.ts';
import { currentDate, failureReply } from './local-reply.ts';

const CONTENT_TYPE = fieldLine('content-type', 'application/grpc');

/** Where the status of HTTP does not say it. */
const BY_CODE: Partial<Record<FailureCode, number>> = {
  rate_limited: GrpcStatus.ResourceExhausted,
  queue_full: GrpcStatus.ResourceExhausted,
  request_head_too_large: GrpcStatus.ResourceExhausted,
  request_body_too_large: GrpcStatus.ResourceExhausted,
  no_route: GrpcStatus.Unimplemented,
  deadline: GrpcStatus.DeadlineExceeded,
  response_timeout: GrpcStatus.DeadlineExceeded,
  response_body_timeout: GrpcStatus.DeadlineExceeded,
};

/** The gRPC status of a failure: by its code, else by its status as clients map statuses of HTTP. */
export function grpcStatusOfFailure(code: FailureCode): number {
  const known = BY_CODE[code];
  if (known !== undefined) return known;
  const { status } = FAILURES[code];
  return status === 502 || status === 503 || status === 504 ? GrpcStatus.Unavailable : GrpcStatus.Internal;
}

/** `grpc-message` of a failure: printable ASCII, the rest percent-encoded. */
export function grpcMessage(code: FailureCode, detail: string): string {
  const text = `${code}: ${detail === '' ? FAILURES[code].meaning : detail}`;
  return text.replaceAll(
    /[^ -$&-~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** The head that answers a call with a failure and nothing else ("trailers-only": the end follows at once). */
export function grpcFailureHead(code: FailureCode, detail: string): ResponseHead {
  const head = new ResponseHead();
  head.status = 200;
  head.framing = Framing.None;
  head.contentLength = -1;
  const { fields } = head;
  fields.add(currentDate());
  fields.add(CONTENT_TYPE);
  fields.add(fieldLine('grpc-status', String(grpcStatusOfFailure(code))));
  fields.add(fieldLine('grpc-message', grpcMessage(code, detail)));
  for (const line of failureReply(code, detail).fields) if (line.name === 'proxy-status') fields.add(line);
  return head;
}
