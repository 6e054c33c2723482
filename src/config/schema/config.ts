import { z } from 'zod';

import { accessLog } from './access-log.ts';
import { acme } from './acme.ts';
import { admin } from './admin.ts';
import { listener } from './listener.ts';
import { pool } from './pool.ts';
import { duration } from './units.ts';

/** The whole configuration: the single source of truth for types, JSON Schema, reference and defaults. */
export const config = z.strictObject({
  $schema: z.string().optional().meta({ description: 'Address of the JSON Schema, for editors. Not read.' }),
  workers: z
    .union([z.literal('auto'), z.number().int().min(1).max(256)])
    .default('auto')
    .meta({ description: 'Processes that carry traffic; `auto` is one a core.' }),
  admin: z
    .union([z.literal(false), admin])
    .prefault({ required: false })
    .meta({ description: 'REST, /metrics, /healthz and /readyz. `false` switches it off.' }),
  accessLog: z
    .union([z.literal(false), accessLog])
    .default(false)
    .meta({
      description: 'One line a request or TCP session. `false` switches it off; `{}` takes the defaults.',
    }),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .meta({ description: 'Least important level that is written.' }),
      format: z.enum(['text', 'json']).default('text').meta({ description: 'For people or for programs.' }),
    })
    .prefault({})
    .meta({ description: 'What Pointsman itself has to say, on stderr.' }),
  shutdown: z
    .strictObject({
      delay: duration
        .prefault('0')
        .meta({ description: '/readyz fails for this long before listeners close.' }),
      deadline: duration
        .prefault('30s')
        .meta({ description: 'What is then still in flight is cut, and logged.' }),
    })
    .prefault({})
    .meta({ description: 'How Pointsman stops on SIGTERM or SIGINT.' }),
  workerWatchdog: z
    .strictObject({
      warnAfter: duration
        .prefault('3s')
        .meta({ description: 'It is logged when a worker does not answer for this long.' }),
      killAfter: duration.prefault('30s').meta({
        description: 'A worker that does not answer for this long is killed and replaced; 0: never.',
      }),
    })
    .prefault({})
    .meta({
      description: 'What becomes of a worker that hangs. It is asked once a second whether it is alive.',
    }),
  acme: acme.optional().meta({ description: 'Where certificates of listeners with `acme` come from.' }),
  watch: z
    .boolean()
    .default(false)
    .meta({ description: 'Reload when the file changes. Without it: `pointsman reload` or SIGHUP.' }),
  listeners: z.array(listener).min(1).meta({ description: 'Where traffic comes in.' }),
  pools: z.array(pool).default([]).meta({ description: 'Groups of equivalent endpoints.' }),
});

/** What a user writes. */
export type ConfigInput = z.input<typeof config>;
/** What the program reads: defaults filled in, durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof config>;
