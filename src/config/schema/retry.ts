import { z } from 'zod';

import { statusRange } from './status-range.ts';
import { positiveDuration, size } from './units.ts';

/** Statuses of gRPC that a call may be tried again on. */
const RETRYABLE_GRPC = [
  'cancelled',
  'unknown',
  'deadline-exceeded',
  'resource-exhausted',
  'aborted',
  'internal',
  'unavailable',
  'data-loss',
] as const;

/** Which failed attempts are tried again. Only what is proven safe ever is. */
export const retry = z.strictObject({
  attempts: z.number().int().min(0).max(10).default(2).meta({
    description: 'Attempts beyond the first, of those in which the request was sent; 0 switches retries off.',
  }),
  connectAttempts: z.number().int().min(1).max(1000).default(10).meta({
    description:
      'Endpoints that may fail to connect, or refuse to look at the request, before it is given up.',
  }),
  connectDeadline: positiveDuration.prefault('5s').meta({
    description:
      'Time that failing to connect may take for one request, queues not counted. Once it is over no other endpoint is tried.',
  }),
  budgetPercent: z
    .number()
    .min(0)
    .max(100)
    .default(20)
    .meta({ description: 'Retries under way, as a share of requests under way.' }),
  minRetries: z
    .number()
    .int()
    .min(0)
    .default(3)
    .meta({ description: 'Retries under way that are always allowed.' }),
  statuses: z
    .array(statusRange)
    .default([])
    .meta({ description: 'Response statuses on which an idempotent request is tried again.' }),
  grpcStatuses: z.array(z.enum(RETRYABLE_GRPC)).default([]).meta({
    description:
      'Statuses of gRPC on which a call is tried again, when the endpoint answered with nothing else. You say that this is safe: calls are POST.',
  }),
  bufferSize: size.prefault('64KiB').meta({ description: 'Request body kept for another attempt, at most.' }),
  deadline: positiveDuration
    .optional()
    .meta({ description: 'All attempts together. Default: none beyond the other timeouts.' }),
});
