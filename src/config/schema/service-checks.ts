import { z } from 'zod';

import { isHost, quote, type Grammar } from './syntax.ts';
import { text } from './text.ts';
import { file } from './tls.ts';

const nameGrammar: Grammar = (value) =>
  value === '' || /[\0\r\n]/.test(value) || Buffer.byteLength(value) > 255
    ? `${quote(value)} cannot be sent: 1 to 255 bytes without NUL and line breaks`
    : undefined;
const serviceName = text(nameGrammar);

const hostGrammar: Grammar = (value) => (isHost(value) ? undefined : `${quote(value)} is not a host name`);
const hostName = text(hostGrammar);

/** `healthCheck.redis` */
export const redisCheck = z.strictObject({
  username: serviceName.optional().meta({ description: 'For AUTH with an ACL user. Needs `password`.' }),
  password: serviceName.optional().meta({ description: 'For AUTH. Default: no AUTH is sent.' }),
  role: z.enum(['any', 'primary', 'replica']).default('any').meta({
    description: '`primary`: takes writes. `replica`: its link to the primary is up. Asked for by ROLE.',
  }),
});

export type RedisCheck = z.output<typeof redisCheck>;

/** `healthCheck.postgres` */
export const postgresCheck = z.strictObject({
  user: serviceName.default('pointsman').meta({
    description:
      'Role named in the start-up message. It need not exist and no password is sent, but the server logs a role that it does not know.',
  }),
  database: serviceName.default('postgres').meta({ description: 'Database named in the start-up message.' }),
  startup: z.boolean().default(true).meta({
    description:
      '`false`: asks only whether the server speaks TLS. That leaves nothing in its log, but does not see that it is starting up, shutting down or full.',
  }),
});

export type PostgresCheck = z.output<typeof postgresCheck>;

/** `healthCheck.mysql` */
export const mysqlCheck = z.strictObject({
  user: serviceName.default('pointsman').meta({
    description:
      'User that is named, without a password. It need not exist; a server that refuses it takes sessions all the same.',
  }),
});

export type MysqlCheck = z.output<typeof mysqlCheck>;

/** `healthCheck.smtp` */
export const smtpCheck = z.strictObject({
  hello: hostName.default('localhost').meta({ description: 'Name in EHLO.' }),
});

export type SmtpCheck = z.output<typeof smtpCheck>;

/** `healthCheck.tls` */
export const tlsCheck = z.strictObject({
  sni: hostName.optional().meta({
    description:
      'Name sent and, when verified, expected in the certificate. Default: the host of the endpoint.',
  }),
  verify: z.boolean().default(true).meta({
    description: 'Whether the certificate must be trusted, in force and of that name. `false`: any will do.',
  }),
  ca: file('PEM: the CAs that are believed.', ['/etc/pointsman/internal-ca.pem'])
    .optional()
    .meta({ description: 'PEM: the CAs that are believed. Default: those of the runtime.' }),
  alpn: z
    .array(z.string().min(1).max(255))
    .min(1)
    .max(8)
    .optional()
    .meta({ description: 'Protocols to offer; the endpoint must choose one of them.' }),
});

export type TlsCheck = z.output<typeof tlsCheck>;

/** RFC 1035 section 2.3.4: labels of 63 bytes at most, 255 in all. */
const dnsNameGrammar: Grammar = (value) =>
  value === '.' || (isHost(value) && !/^[\d.]+$/.test(value) && !value.includes(':'))
    ? undefined
    : `${quote(value)} is not a domain name`;

/** What a name server may say that works (RFC 1035 section 4.1.1). */
export const DNS_RCODES = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
} as const;
export const DNS_TYPES = { A: 1, NS: 2, SOA: 6, MX: 15, TXT: 16, AAAA: 28 } as const;

/** `healthCheck.dns` */
export const dnsCheck = z.strictObject({
  name: text(dnsNameGrammar).default('.').meta({ description: 'What is asked for.' }),
  type: z
    .enum(Object.keys(DNS_TYPES) as (keyof typeof DNS_TYPES)[])
    .default('A')
    .meta({ description: 'Type of the record.' }),
  rcodes: z
    .array(z.enum(Object.keys(DNS_RCODES) as (keyof typeof DNS_RCODES)[]))
    .min(1)
    .default(['NOERROR', 'NXDOMAIN'])
    .meta({ description: 'Response codes that are healthy.' }),
});

export type DnsCheck = z.output<typeof dnsCheck>;
