import { z } from 'zod';

import { listenAddress } from './address.ts';
import { listener } from './listener.ts';
import { pool } from './pool.ts';
import { duration } from './units.ts';

/** The whole configuration: the single source of truth for types, JSON Schema, reference and defaults. */
export const config = z.strictObject({
  $schema: z.string().optional(),
  workers: z.union([z.literal('auto'), z.number().int().min(1).max(256)]).default(1),
  admin: z
    .union([z.literal(false), z.strictObject({ address: listenAddress })])
    .prefault({ address: '127.0.0.1:9900' })
    .meta({ description: 'REST, /metrics, /healthz and /readyz. `false` switches it off.' }),
  accessLog: z
    .union([
      z.literal(false),
      z.strictObject({
        path: z.string().default('stdout').meta({ description: '`stdout`, `stderr` or a file.' }),
        format: z
          .string()
          .default('json')
          .meta({
            description:
              '`json`, `logfmt`, `common`, `combined`, or a template such as `${clientIp} ${method} ${path} ${status}`.',
          }),
      }),
    ])
    .default(false),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      format: z.enum(['text', 'json']).default('text'),
    })
    .prefault({}),
  shutdown: z
    .strictObject({
      delay: duration
        .prefault('0')
        .meta({ description: '/readyz fails for this long before listeners close.' }),
      deadline: duration
        .prefault('30s')
        .meta({ description: 'What is then still in flight is cut, and logged.' }),
    })
    .prefault({}),
  listeners: z.array(listener).min(1),
  pools: z.array(pool).default([]),
});

/** What a user writes. */
export type ConfigInput = z.input<typeof config>;
/** What the program reads: defaults filled in, durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof config>;
