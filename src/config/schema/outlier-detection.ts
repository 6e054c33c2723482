import { z } from 'zod';

import { statusRange } from './status-range.ts';
import { positiveDuration } from './units.ts';

/** Passive health checks: judge by real traffic. */
export const outlierDetection = z.strictObject({
  consecutiveFailures: z
    .number()
    .int()
    .min(0)
    .default(5)
    .meta({ description: 'Failures in a row that eject; 0 switches this rule off.' }),
  failurePercent: z
    .number()
    .min(0)
    .max(100)
    .default(0)
    .meta({ description: 'Share of failures within `window` that ejects; 0 switches this rule off.' }),
  minRequests: z
    .number()
    .int()
    .min(1)
    .default(20)
    .meta({ description: 'Requests within `window` below which `failurePercent` does not judge.' }),
  window: positiveDuration.prefault('10s').meta({ description: 'How far back `failurePercent` looks.' }),
  statuses: z
    .array(statusRange)
    .default(['500-504'])
    .meta({ description: 'Response statuses that count as failures.' }),
  ejectFor: positiveDuration
    .prefault('30s')
    .meta({ description: 'First ejection; doubles with each that follows.' }),
  maxEjectFor: positiveDuration.prefault('300s').meta({ description: 'No ejection is longer.' }),
  maxEjectedPercent: z
    .number()
    .min(0)
    .max(100)
    .default(50)
    .meta({ description: 'Never more of the pool than this, and never the last one.' }),
});

export type OutlierDetectionConfig = z.output<typeof outlierDetection>;
