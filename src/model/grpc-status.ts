/** Status codes of gRPC by their number, as configuration and metrics name them. */
export const GRPC_STATUS_NAMES = [
  'ok',
  'cancelled',
  'unknown',
  'invalid-argument',
  'deadline-exceeded',
  'not-found',
  'already-exists',
  'permission-denied',
  'resource-exhausted',
  'failed-precondition',
  'aborted',
  'out-of-range',
  'unimplemented',
  'internal',
  'unavailable',
  'data-loss',
  'unauthenticated',
] as const;

export type GrpcStatusName = (typeof GRPC_STATUS_NAMES)[number];

/** Those that the data path itself speaks of. */
export const GrpcStatus = {
  Unknown: 2,
  DeadlineExceeded: 4,
  ResourceExhausted: 8,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
} as const;

/** Statuses that there are. */
export const GRPC_STATUSES: number = GRPC_STATUS_NAMES.length;

/**
 * The status of HTTP that means the same to whoever judges an endpoint. Only what speaks of the endpoint is from 500 on: a method that
 * it does not have is the client's mistake.
 */
export function httpStatusOfGrpc(status: number): number {
  switch (status) {
    case 0:
      return 200;
    case GrpcStatus.DeadlineExceeded:
      return 504;
    case GrpcStatus.Unavailable:
      return 503;
    case GrpcStatus.Unknown:
    case GrpcStatus.Internal:
    case GrpcStatus.DataLoss:
      return 500;
    case GrpcStatus.ResourceExhausted:
      return 429;
    default:
      return 400;
  }
}
