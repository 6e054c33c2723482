import { z } from 'zod';

import { endpointAddress, formatAddress } from './address.ts';
import { affinity } from './filters.ts';
import { parseStatusRange } from '../status-set.ts';
import {
  checkHeaderGrammar,
  checkPathGrammar,
  isHost,
  quote,
  regexGrammar,
  tokenGrammar,
  type Grammar,
} from './syntax.ts';
import { fieldValue, name, text } from './text.ts';
import { duration, positiveDuration, size } from './units.ts';

/** Every policy by its name in the file. */
export const POLICY_NAMES = [
  'round-robin',
  'random',
  'random-two',
  'least-connections',
  'least-response-time',
  'ip-hash',
  'ring-hash',
  'maglev',
  'first',
] as const;

export type PolicyName = (typeof POLICY_NAMES)[number];

/** What a hashing policy hashes. */
export const hashKey = z.union([
  z.enum(['client-ip', 'path', 'host']),
  z.strictObject({ header: text(tokenGrammar).meta({ description: 'The value of this request header.' }) }),
  z.strictObject({ cookie: text(tokenGrammar).meta({ description: 'The value of this cookie.' }) }),
  z.strictObject({ query: z.string().min(1).meta({ description: 'The value of this query parameter.' }) }),
]);

export type HashKeyConfig = z.output<typeof hashKey>;

/** An endpoint may be called by its address too, so a port and brackets are allowed. */
const endpointNameGrammar: Grammar = (value) =>
  /^[A-Za-z0-9[][A-Za-z0-9_.:[\]-]*$/.test(value)
    ? undefined
    : `${quote(value)} is not a name; a name has letters, digits, "-", "_", "." and ":"`;
const endpointName = text(endpointNameGrammar);

const endpointObject = z.strictObject({
  address: endpointAddress.meta({
    description: 'Where it is reached: `10.0.0.1:3000`, `app.internal:80`, `[::1]:3000`.',
  }),
  name: endpointName
    .optional()
    .meta({ description: 'Stable name in metrics, logs and cookies. Default: the address.' }),
  weight: z
    .number()
    .int()
    .min(0)
    .max(256)
    .default(1)
    .meta({ description: 'Share of the traffic; 0 takes bound (sticky) sessions only.' }),
  maxConnections: z
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: 'Requests in flight at most; 0 is no limit.' }),
  priority: z
    .number()
    .int()
    .min(0)
    .max(15)
    .default(0)
    .meta({ description: '0 is used first; higher ones when too few of the lower are healthy.' }),
  state: z
    .enum(['enabled', 'draining', 'disabled'])
    .default('enabled')
    .meta({ description: '`draining`: bound (sticky) sessions only. `disabled`: nothing at all.' }),
});

const endpoint = z
  .union([z.string(), endpointObject])
  .transform((value, context) => {
    if (typeof value !== 'string') return value;
    const parsed = endpointObject.safeParse({ address: value });
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) context.addIssue({ code: 'custom', message: issue.message });
    return z.NEVER;
  })
  .transform((value) => ({ ...value, name: value.name ?? formatAddress(value.address) }));

export type EndpointConfig = z.output<typeof endpoint>;

const statusRangeGrammar: Grammar = (value) =>
  parseStatusRange(value) === undefined
    ? `${quote(value)} is not a status or a range of them; write 200 or 200-299`
    : undefined;
const statusRange = z
  .union([
    z.number().int().min(100).max(599),
    text(statusRangeGrammar, 'a status or a range such as 200-299'),
  ])
  .meta({ title: 'status or range' });

const checkHostGrammar: Grammar = (value) =>
  isHost(value.replace(/:\d{1,5}$/, '')) || /^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/.test(value)
    ? undefined
    : `${quote(value)} is not a host`;

/** Active health check. Exactly one of `http`, `tcp`; TCP when neither is given. */
export const healthCheck = z.strictObject({
  http: z
    .strictObject({
      path: text(checkPathGrammar)
        .default('/')
        .meta({ description: 'What is asked for, with its query if any.' }),
      method: z
        .enum(['GET', 'HEAD', 'OPTIONS', 'POST'])
        .default('GET')
        .meta({ description: 'Request method.' }),
      host: text(checkHostGrammar)
        .optional()
        .meta({ description: 'Host header. Default: the endpoint address.' }),
      headers: z
        .record(text(checkHeaderGrammar), fieldValue)
        .default({})
        .meta({ description: 'Further header lines of the request.' }),
      expect: z
        .union([statusRange, z.array(statusRange).min(1)])
        .default('200-399')
        .meta({ description: 'Status codes that are healthy: `200`, `200-299`, or a list.' }),
      body: z
        .union([
          z.strictObject({ contains: z.string().min(1).meta({ description: 'This text, anywhere.' }) }),
          z.strictObject({
            regex: text(regexGrammar).meta({ description: 'A match of this regular expression.' }),
          }),
        ])
        .optional()
        .meta({ description: 'What the first 64 KiB of the body must have.' }),
    })
    .optional()
    .meta({ description: 'Sends a request and judges the response.' }),
  tcp: z.strictObject({}).optional().meta({ description: 'Opens a connection and closes it: `{}`.' }),
  interval: positiveDuration.prefault('5s').meta({ description: 'Start to start.' }),
  fastInterval: positiveDuration.prefault('1s').meta({
    description:
      'Used while the state is in transition (some but not all of fall or rise reached) and while it is unknown.',
  }),
  downInterval: positiveDuration.optional().meta({
    description:
      'Used while unhealthy. Default: the smaller of interval and 1s, so that a returning endpoint is used soon.',
  }),
  jitterPercent: z
    .number()
    .min(0)
    .max(50)
    .default(10)
    .meta({ description: 'Each interval varies by up to this share, so that checks do not march in step.' }),
  timeout: positiveDuration.prefault('2s').meta({ description: 'From the start of a check to its verdict.' }),
  fall: z.number().int().min(1).default(3).meta({ description: 'Failures in a row that make it unhealthy.' }),
  rise: z.number().int().min(1).default(2).meta({ description: 'Successes in a row that make it healthy.' }),
  initial: z.enum(['healthy', 'unknown', 'unhealthy']).default('unknown').meta({
    description:
      '`unknown`: usable until the first check says otherwise (one check decides). `unhealthy`: must pass `rise` checks first.',
  }),
  port: z
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .meta({ description: 'Checks another port than the one that takes traffic.' }),
});

export type HealthCheckConfig = z.output<typeof healthCheck>;

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

/** Which failed attempts are tried again. Only what is proven safe ever is. */
export const retry = z.strictObject({
  attempts: z
    .number()
    .int()
    .min(0)
    .max(10)
    .default(2)
    .meta({ description: 'Attempts beyond the first; 0 switches retries off.' }),
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
  bufferSize: size.prefault('64KiB').meta({ description: 'Request body kept for another attempt, at most.' }),
  deadline: positiveDuration
    .optional()
    .meta({ description: 'All attempts together. Default: none beyond the other timeouts.' }),
});

export type RetryConfig = z.output<typeof retry>;

export const pool = z.strictObject({
  name: name.meta({ description: 'Routes refer to it; shown in metrics and logs.' }),
  policy: z.enum(POLICY_NAMES).default('random-two').meta({ description: 'How an endpoint is chosen.' }),
  hash: z
    .strictObject({
      key: hashKey.default('client-ip').meta({
        description: '`client-ip`, `path`, `host`, or a header, cookie or query parameter by its name.',
      }),
      boundedLoad: z.number().min(1).max(10).default(1.25).meta({
        description: 'No endpoint takes more than this times the average load; it spills to the next.',
      }),
      tableSize: z
        .number()
        .int()
        .min(7)
        .max(5_000_011)
        .default(65_537)
        .meta({ description: 'Maglev: slots, a prime.' }),
      pointsPerWeight: z
        .number()
        .int()
        .min(1)
        .max(1024)
        .default(160)
        .meta({ description: 'Ring: points per unit of weight.' }),
    })
    .prefault({})
    .meta({ description: 'For the policies `ring-hash` and `maglev`: what is hashed and how.' }),
  endpoints: z
    .array(endpoint)
    .min(1)
    .meta({ description: 'The endpoints: `10.0.0.1:3000`, or an object where more is to be said.' }),
  healthCheck: healthCheck.optional().meta({ description: 'Probes every endpoint. Default: none.' }),
  outlierDetection: z
    .union([z.literal(false), outlierDetection])
    .prefault({})
    .meta({
      description: 'Ejects an endpoint for a while when real traffic fails on it. `false` switches it off.',
    }),
  affinity: affinity
    .optional()
    .meta({ description: 'The same client goes to the same endpoint (sticky sessions). Default: none.' }),
  protocol: z.enum(['http1']).default('http1').meta({ description: 'What is spoken to endpoints.' }),
  timeouts: z
    .strictObject({
      connect: positiveDuration.prefault('2s').meta({ description: 'To open a connection to an endpoint.' }),
      response: positiveDuration
        .prefault('30s')
        .meta({ description: 'From the end of the request to the response head.' }),
      responseBody: positiveDuration
        .prefault('60s')
        .meta({ description: 'Between two pieces of a response body.' }),
      idle: positiveDuration
        .prefault('4s')
        .meta({ description: 'How long an idle connection to an endpoint is kept for reuse.' }),
      maxAge: positiveDuration
        .prefault('1h')
        .meta({ description: 'How old a connection to an endpoint may get.' }),
    })
    .prefault({})
    .meta({ description: 'How long endpoints may take.' }),
  maxIdleConnections: z
    .number()
    .int()
    .min(0)
    .default(256)
    .meta({ description: 'Idle connections kept per endpoint.' }),
  queue: z
    .strictObject({
      size: z
        .number()
        .int()
        .min(0)
        .default(1000)
        .meta({ description: 'Requests that may wait; 0 is none. More: 503.' }),
      timeout: positiveDuration.prefault('5s').meta({ description: 'How long one may wait. Longer: 503.' }),
    })
    .prefault({})
    .meta({ description: 'Where requests wait while every endpoint is at `maxConnections`.' }),
  slowStart: duration
    .prefault('0')
    .meta({ description: 'How long an endpoint that returns takes to reach its full share.' }),
  panicPercent: z
    .number()
    .min(0)
    .max(100)
    .default(50)
    .meta({ description: 'Below this share of healthy endpoints, all are used.' }),
  retry: retry.prefault({}).meta({ description: 'Which failed attempts are tried again.' }),
});

export type PoolConfig = z.output<typeof pool>;
