import { z } from 'zod';

import { duration } from './units.ts';

const headerEdits = z.strictObject({
  set: z.record(z.string(), z.string()).default({}).meta({ description: 'Replaces the header, or adds it.' }),
  add: z
    .record(z.string(), z.string())
    .default({})
    .meta({ description: 'Adds a line, keeping those that are there.' }),
  remove: z.array(z.string()).default([]).meta({ description: 'Removes every line of that name.' }),
});

/** `headers`: sets, adds and removes header lines of the request, the response, or both. */
export const headersFilter = z.strictObject({
  request: headerEdits.optional(),
  response: headerEdits.optional(),
});

/** `rewrite`: replaces the leading part of the path before it goes to the endpoint. */
export const rewriteFilter = z.strictObject({
  prefix: z
    .string()
    .startsWith('/')
    .meta({ description: 'What the path must start with, by whole segments.' }),
  to: z.string().startsWith('/').default('/').meta({ description: 'What stands there instead.' }),
});

/** `rateLimit`: a token bucket per key. */
export const rateLimitFilter = z.strictObject({
  key: z.string().default('client-ip').meta({ description: '`client-ip`, `route`, or `header:NAME`.' }),
  rate: z.string().meta({ description: 'Requests per time: `100/s`, `600/m`, `10000/h`.' }),
  burst: z
    .number()
    .int()
    .min(1)
    .optional()
    .meta({ description: 'How many may come at once. Default: the rate per second, at least 1.' }),
  maxKeys: z
    .number()
    .int()
    .min(1)
    .default(100_000)
    .meta({ description: 'Keys remembered; the least recently seen go first.' }),
});

/** One filter: an object with one key, the name of the filter. */
export const filter = z.union([
  z.strictObject({ headers: headersFilter }),
  z.strictObject({ rewrite: rewriteFilter }),
  z.strictObject({ rateLimit: rateLimitFilter }),
]);

export type FilterConfig = z.output<typeof filter>;
export type HeadersFilterConfig = z.output<typeof headersFilter>;
export type RewriteFilterConfig = z.output<typeof rewriteFilter>;
export type RateLimitFilterConfig = z.output<typeof rateLimitFilter>;

/** `affinity`: the same client goes to the same endpoint, by a cookie of ours. */
export const affinity = z.strictObject({
  cookie: z.strictObject({
    name: z.string().default('SERVERID'),
    path: z.string().default('/'),
    domain: z.string().optional(),
    maxAge: duration
      .optional()
      .meta({ description: 'How long the browser keeps it. Default: until it is closed.' }),
    secure: z
      .enum(['auto', 'always', 'never'])
      .default('auto')
      .meta({ description: '`auto`: on TLS listeners.' }),
    sameSite: z.enum(['lax', 'strict', 'none']).default('lax'),
    httpOnly: z.boolean().default(true),
    noCache: z
      .boolean()
      .default(true)
      .meta({ description: 'Adds `Cache-Control: private` to a response that sets the cookie.' }),
    secret: z
      .string()
      .min(16)
      .optional()
      .meta({ description: 'Makes cookie values unguessable; the same on every balancer of a pair.' }),
  }),
  strict: z
    .boolean()
    .default(false)
    .meta({ description: '503 when the bound endpoint cannot be used, instead of another endpoint.' }),
});

export type AffinityConfig = z.output<typeof affinity>;
