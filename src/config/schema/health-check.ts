import { z } from 'zod';

import { tcpCheck, udpCheck } from './send-expect.ts';
import { dnsCheck, mysqlCheck, postgresCheck, redisCheck, smtpCheck, tlsCheck } from './service-checks.ts';
import { statusRange } from './status-range.ts';
import { checkHeaderGrammar, checkPathGrammar, isHost, quote, regexGrammar, type Grammar } from './syntax.ts';
import { fieldValue, text } from './text.ts';
import { positiveDuration } from './units.ts';

const checkHostGrammar: Grammar = (value) =>
  isHost(value.replace(/:\d{1,5}$/, '')) || /^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/.test(value)
    ? undefined
    : `${quote(value)} is not a host`;

const grpcServiceGrammar: Grammar = (value) =>
  /^[A-Za-z0-9_.]{0,200}$/.test(value) ? undefined : `${quote(value)} is not the name of a gRPC service`;

/** What an endpoint can be asked by; a check has one of them at most. */
export const CHECK_KINDS = [
  'http',
  'grpc',
  'tcp',
  'tls',
  'udp',
  'dns',
  'redis',
  'postgres',
  'mysql',
  'smtp',
] as const;

/** Active health check: one of `CHECK_KINDS`; TCP when none is given. */
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
    .meta({ description: 'Sends a request and judges the response.', examples: [{ path: '/health' }] }),
  grpc: z
    .strictObject({
      service: text(grpcServiceGrammar).default('').meta({
        description: 'Service that is asked for; empty: the server as a whole.',
      }),
    })
    .optional()
    .meta({
      description:
        'Asks `grpc.health.v1.Health/Check` over HTTP/2; only SERVING passes. Over TLS with `protocol: h2`, else without.',
    }),
  tcp: tcpCheck.optional().meta({
    description: 'Opens a connection and closes it: `{}`. With `send` and `expect`, talks in between.',
  }),
  tls: tlsCheck
    .optional()
    .meta({ description: 'Opens a connection, completes a TLS handshake and closes it.' }),
  udp: udpCheck.optional().meta({ description: 'Sends a datagram and waits for the answer.' }),
  dns: dnsCheck
    .optional()
    .meta({ description: 'Sends a query to a name server, by UDP, and judges the code of the answer.' }),
  redis: redisCheck.optional().meta({
    description:
      'Sends PING to a Redis; one that is loading its data, or wants a password that it was not given, fails.',
  }),
  postgres: postgresCheck.optional().meta({
    description: 'Begins a session with a PostgreSQL; one that is starting up, shutting down or full fails.',
  }),
  mysql: mysqlCheck.optional().meta({
    description: 'Logs in to a MySQL or MariaDB; one that is full, or has blocked this host, fails.',
  }),
  smtp: smtpCheck
    .optional()
    .meta({ description: 'Waits for the greeting of a mail server, says EHLO and QUIT.' }),
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
  proxyProtocol: z.boolean().optional().meta({
    description:
      'Begin each check with a PROXY header that says it is a check. Default: `true` when the pool has `proxyProtocol`.',
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
