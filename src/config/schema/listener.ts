import { z } from 'zod';

import { listenAddress } from './address.ts';
import { filter } from './filters.ts';
import { match } from './match.ts';
import { duration, size } from './units.ts';

const splitArm = z.strictObject({
  pool: z.string(),
  weight: z.number().int().min(0).max(1_000_000),
});

/** Exactly one of `pool`, `split`, `reply`, `redirect`. */
export const route = z.strictObject({
  name: z
    .string()
    .optional()
    .meta({ description: 'Shown by `explain`, in metrics and logs. Default: its place, `routes[2]`.' }),
  match: match.optional(),
  pool: z.string().optional(),
  split: z.array(splitArm).min(1).optional().meta({ description: 'Weighted choice between pools.' }),
  reply: z
    .strictObject({
      status: z.number().int().min(200).max(599),
      body: z.string().default(''),
      contentType: z.string().default('text/plain; charset=utf-8'),
      headers: z.record(z.string(), z.string()).default({}),
    })
    .optional()
    .meta({ description: 'A fixed response.' }),
  redirect: z
    .strictObject({
      to: z
        .string()
        .meta({
          description:
            'Absolute URL or path. With a `/*` match and a value that ends in `/`, the rest of the path is appended. The query is kept.',
        }),
      status: z
        .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
        .default(308),
    })
    .optional(),
  filters: z.array(filter).default([]),
});

export type RouteConfig = z.output<typeof route>;

export const listener = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/),
  address: listenAddress,
  protocol: z.enum(['http']).default('http'),
  routes: z.array(route).min(1),
  trustedProxies: z
    .array(z.string())
    .default([])
    .meta({ description: 'Networks whose X-Forwarded-* and Forwarded headers are believed.' }),
  forwarding: z
    .strictObject({
      xForwarded: z.boolean().default(true).meta({ description: 'Send X-Forwarded-For, -Proto and -Host.' }),
      forwarded: z.boolean().default(true).meta({ description: 'Send Forwarded (RFC 7239).' }),
      via: z.string().default('pointsman').meta({ description: 'Pseudonym in Via; empty sends none.' }),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      requestHead: duration
        .prefault('10s')
        .meta({ description: 'From the first byte to the end of the request head.' }),
      requestBody: duration.prefault('30s').meta({ description: 'Without progress of a request body.' }),
      idle: duration.prefault('75s').meta({ description: 'Between two requests on a connection.' }),
      send: duration
        .prefault('60s')
        .meta({ description: 'Without progress of a response that the client does not read.' }),
      tunnel: duration
        .prefault('1h')
        .meta({ description: 'Without a byte in either direction of an upgraded connection.' }),
    })
    .prefault({}),
  limits: z
    .strictObject({
      requestLine: size.prefault('8KiB').meta({ description: 'Longer: 414.' }),
      headerCount: z.number().int().min(1).max(1000).default(100).meta({ description: 'More: 431.' }),
      headerBytes: size.prefault('32KiB').meta({ description: 'The whole request head; larger: 431.' }),
      bodyBytes: size.optional().meta({ description: 'Larger: 413. Default: no limit.' }),
      connections: z
        .number()
        .int()
        .min(1)
        .default(100_000)
        .meta({ description: 'Open client connections; further ones are closed at once.' }),
      requestsPerConnection: z.number().int().min(0).default(0).meta({ description: '0 is no limit.' }),
    })
    .prefault({}),
});

export type ListenerConfig = z.output<typeof listener>;
