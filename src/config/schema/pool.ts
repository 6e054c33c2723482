import { z } from 'zod';

import { endpointAddress, formatAddress } from './address.ts';
import { affinity } from './filters.ts';
import { healthCheck } from './health-check.ts';
import { poolHttp2 } from './pool-http2.ts';
import { outlierDetection } from './outlier-detection.ts';
import { poolProxyProtocol } from './proxy-protocol.ts';
import { retry } from './retry.ts';
import { quote, tokenGrammar, type Grammar } from './syntax.ts';
import { name, text } from './text.ts';
import { poolTls } from './tls.ts';
import { duration, positiveDuration } from './units.ts';

export { healthCheck, type HealthCheckConfig } from './health-check.ts';
export type { OutlierDetectionConfig } from './outlier-detection.ts';

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
  z.enum(['client-ip', 'client-ip-port', 'path', 'host']),
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

export const endpointWeight = z.number().int().min(0).max(256);
export const endpointState = z.enum(['enabled', 'draining', 'disabled']);

const endpointObject = z.strictObject({
  address: endpointAddress.meta({
    description: 'Where it is reached: `10.0.0.1:3000`, `app.internal:80`, `[::1]:3000`.',
  }),
  name: endpointName
    .optional()
    .meta({ description: 'Stable name in metrics, logs and cookies. Default: the address.' }),
  weight: endpointWeight
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
  state: endpointState
    .default('enabled')
    .meta({ description: '`draining`: bound (sticky) sessions only. `disabled`: nothing at all.' }),
});

/** One item of `endpoints`. */
export const endpoint = z
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

export const pool = z.strictObject({
  name: name.meta({ description: 'Routes refer to it; shown in metrics and logs.' }),
  policy: z.enum(POLICY_NAMES).default('random-two').meta({ description: 'How an endpoint is chosen.' }),
  hash: z
    .strictObject({
      key: hashKey.default('client-ip').meta({
        description:
          '`client-ip`, `path`, `host`, or a header, cookie or query parameter by its name. For tcp and udp listeners: `client-ip` or `client-ip-port`.',
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
  healthCheck: healthCheck.optional().meta({
    description: 'Probes every endpoint. Default: none.',
    examples: [{ http: { path: '/health' } }],
  }),
  outlierDetection: z
    .union([z.literal(false), outlierDetection])
    .prefault({})
    .meta({
      description: 'Ejects an endpoint for a while when real traffic fails on it. `false` switches it off.',
    }),
  affinity: affinity.optional().meta({
    description: 'The same client goes to the same endpoint (sticky sessions). Default: none.',
    examples: [{ cookie: { name: 'SERVERID' } }],
  }),
  protocol: z.enum(['http1', 'h2', 'h2c']).default('http1').meta({
    description:
      'What is spoken to endpoints: `http1`; `h2`, HTTP/2 over TLS; `h2c`, HTTP/2 without TLS, by prior knowledge.',
  }),
  http2: poolHttp2.prefault({}).meta({ description: 'For HTTP/2 to endpoints: how connections are shared.' }),
  tls: poolTls.optional().meta({
    description: 'Speaks TLS to endpoints, health checks included. Default: plain TCP.',
    examples: [{ ca: 'internal-ca.pem', sni: 'api.internal' }],
  }),
  proxyProtocol: poolProxyProtocol.optional().meta({
    description:
      'Tells endpoints whom a connection is for, before its first byte: `v1`, `v2`, or a version and what else to tell. Default: off.',
  }),
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
    .default(1024)
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
    .meta({
      description: 'Where requests wait while every endpoint is at `maxConnections`.',
      examples: [{ size: 1000, timeout: '5s' }],
    }),
  slowStart: duration
    .prefault('0')
    .meta({ description: 'How long an endpoint that returns takes to reach its full share.' }),
  onEndpointDown: z.enum(['keep', 'close']).default('keep').meta({
    description:
      'What becomes of TCP sessions and tunnels of an endpoint that the health check finds unhealthy: they go on as long as they can, or are reset at once.',
  }),
  panicPercent: z
    .number()
    .min(0)
    .max(100)
    .default(50)
    .meta({ description: 'Below this share of healthy endpoints, all are used.' }),
  retry: retry.prefault({}).meta({
    description: 'Which failed attempts are tried again.',
    examples: [{ attempts: 2, budgetPercent: 20 }],
  }),
});

export type PoolConfig = z.output<typeof pool>;
