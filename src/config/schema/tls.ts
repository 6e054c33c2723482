import { z } from 'zod';

import { hostPatternGrammar, isHost, quote } from './syntax.ts';
import { text } from './text.ts';
import { parseDurationMs, positiveDuration } from './units.ts';

/** A file that the configuration names, with what it held when the configuration was read. */
export interface NamedFile {
  /** As it was written; beside the configuration file when it is not absolute. */
  readonly path: string;
  /** Filled in when the configuration is checked, one character a byte. */
  content: string;
}

/** The name of a file whose content belongs to the configuration. */
export function file(description: string, examples: readonly string[]) {
  return text((value) => (value === '' ? 'the name of a file is needed' : undefined), 'the name of a file')
    .transform((path): NamedFile => ({ path, content: '' }))
    .meta({ description, examples: [...examples] });
}

const certificate = z.strictObject({
  cert: file('PEM: the certificate, then those that lead to its CA.', ['/etc/pointsman/example.com.pem']),
  key: file('PEM: its private key.', ['/etc/pointsman/example.com.key']),
  passphraseFile: file('Holds the passphrase of the key.', ['/run/secrets/key-passphrase'])
    .optional()
    .meta({ description: 'Holds the passphrase of the key. Default: it has none.' }),
  names: z.array(text(hostPatternGrammar)).min(1).optional().meta({
    description: 'Names that it is used for, `*.example.com` too. Default: those in the certificate.',
  }),
  ocspResponse: file('OCSP response (DER) that is shown with it.', [])
    .optional()
    .meta({ description: 'OCSP response (DER) that is shown with it. Default: none.' }),
});

/** Proofs that need no DNS are for single names only (RFC 8555 section 8.3, RFC 8737 section 3). */
const ownName = text((value) =>
  isHost(value) && /[a-z]/i.test(value) && !value.includes(':')
    ? undefined
    : `${quote(value)} is not a name for which a certificate can be had without DNS`,
).transform((value) => value.toLowerCase());

/** A certificate that is asked for and renewed by ourselves. */
export interface AutomaticCertificateConfig {
  readonly names: readonly string[];
  /** In the storage; without content until there is one. */
  readonly cert: NamedFile;
  readonly key: NamedFile;
}

const automaticCertificate = z
  .union([
    ownName,
    z.strictObject({
      names: z.array(ownName).min(1).max(100).meta({ description: 'Names of one certificate.' }),
    }),
  ])
  .transform((written): AutomaticCertificateConfig => {
    const names = typeof written === 'string' ? [written] : written.names;
    return { names, cert: { path: '', content: '' }, key: { path: '', content: '' } };
  });

const version = z.enum(['1.2', '1.3']);

/** A word of a list that OpenSSL reads: nothing that would mean something else to it. */
const word = text((value) =>
  /^[A-Za-z0-9_-]+$/.test(value) ? undefined : `${quote(value)} is not a name of OpenSSL`,
);

const protocolKeys = {
  minVersion: version.default('1.2').meta({ description: 'Oldest version of TLS that is spoken.' }),
  maxVersion: version.default('1.3').meta({ description: 'Newest version of TLS that is spoken.' }),
  ciphers: z
    .array(word)
    .min(1)
    .default([
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES256-GCM-SHA384',
      'ECDHE-ECDSA-CHACHA20-POLY1305',
      'ECDHE-RSA-CHACHA20-POLY1305',
    ])
    .meta({
      description:
        'Cipher suites of TLS 1.2, by their names in OpenSSL, the preferred one first. Who asks for ChaCha20 first gets it.',
    }),
  cipherSuites: z
    .array(word)
    .min(1)
    .default(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])
    .meta({
      description: 'Cipher suites of TLS 1.3, the preferred one first. Who asks for ChaCha20 first gets it.',
    }),
  curves: z
    .array(word)
    .min(1)
    .default(['X25519', 'P-256', 'P-384'])
    .meta({ description: 'Groups of the key exchange, the preferred one first.' }),
};

/** HSTS counts in years, timers of the runtime in weeks. */
const longDuration = text(
  (value) =>
    parseDurationMs(value) === undefined ? `${quote(value)} is not a duration such as 365d` : undefined,
  'a duration such as 365d',
)
  .transform((value) => parseDurationMs(value)!)
  .meta({ examples: ['365d'] });

/** `listeners[].tls` */
export const listenerTls = z.strictObject({
  certificates: z.array(certificate).default([]).meta({
    description:
      'The certificate for a client is found by the name that it asks for: exact names first, then wildcards. An RSA and an ECDSA certificate for one name are both used, each for the clients that can verify it.',
  }),
  acme: z
    .array(automaticCertificate)
    .default([])
    .meta({
      description:
        'Names, each with a certificate that is asked for and renewed by the top-level `acme`; `{ names: [...] }` is one certificate for several.',
      examples: [['example.com', { names: ['example.org', 'www.example.org'] }]],
    }),
  defaultCertificate: text((value) =>
    isHost(value.startsWith('*.') ? value.slice(2) : value) ? undefined : `${quote(value)} is not a name`,
  )
    .optional()
    .meta({
      description:
        'Name whose certificate is shown to clients that ask for none, or for one that there is not. Default: the first certificate.',
    }),
  strictSni: z.boolean().default(false).meta({
    description: 'Refuse clients that ask for a name that there is no certificate for.',
  }),
  alpn: z
    .array(z.enum(['h3', 'h2', 'http/1.1']))
    .min(1)
    .default(['h2', 'http/1.1'])
    .meta({
      description:
        'Protocols that are offered to clients, the preferred one first. `h3` (experimental) listens on the UDP port of the same number as well.',
    }),
  altSvc: z
    .union([
      z.literal(false),
      z.strictObject({
        port: z.number().int().min(1).max(65_535).optional().meta({
          description: 'Port that clients are told. Default: that of the listener.',
        }),
        maxAge: longDuration.prefault('1d').meta({ description: 'How long clients remember it.' }),
      }),
    ])
    .prefault({})
    .meta({ description: 'With `h3`: tells clients of it, by Alt-Svc (RFC 7838).' }),
  ...protocolKeys,
  clientCertificate: z
    .strictObject({
      mode: z.enum(['required', 'optional']).default('required').meta({
        description: '`optional`: who shows none is served too; one that is shown is verified all the same.',
      }),
      ca: file('PEM: the CAs whose certificates are accepted.', ['/etc/pointsman/clients-ca.pem']),
      depth: z.number().int().min(1).max(16).default(3).meta({
        description: 'Most CAs between the certificate and the root.',
      }),
      crl: file('PEM: revoked certificates are refused.', [])
        .optional()
        .meta({ description: 'PEM: lists of revoked certificates. Default: none is looked at.' }),
      forward: z.boolean().default(true).meta({
        description: 'Tell endpoints, as Client-Cert and Client-Cert-Chain (RFC 9440).',
      }),
    })
    .optional()
    .meta({ description: 'Asks clients for a certificate. Default: does not.' }),
  sessionTickets: z
    .union([
      z.literal(false),
      z.strictObject({
        rotate: positiveDuration.prefault('12h').meta({
          description: 'How often a new key is made. The two before it are still accepted.',
        }),
        lifetime: positiveDuration.prefault('1d').meta({
          description: 'How long a session may be resumed.',
        }),
        keyFile: file('Keys of 80 random bytes each, for several machines; the first seals.', [])
          .optional()
          .meta({
            description:
              'Keys of 80 random bytes each, the same on several machines; the first seals, the others are accepted. Replaces rotation. Default: keys of our own.',
          }),
      }),
    ])
    .prefault({})
    .meta({
      description: 'Lets clients resume a session without a full handshake. `false` switches it off.',
    }),
  handshakeTimeout: positiveDuration
    .prefault('10s')
    .meta({ description: 'How long a client may take for its handshake.' }),
  hsts: z
    .union([
      z.literal(false),
      z.strictObject({
        maxAge: longDuration.prefault('365d').meta({ description: 'How long browsers remember it.' }),
        includeSubDomains: z.boolean().default(false).meta({ description: 'It holds for all names below.' }),
        preload: z.boolean().default(false).meta({ description: 'Consent to lists built into browsers.' }),
      }),
    ])
    .default(false)
    .meta({
      description: 'Sends Strict-Transport-Security (RFC 6797) with every response; `{}` takes the defaults.',
    }),
});

export type ListenerTlsConfig = z.output<typeof listenerTls>;

/** `pools[].tls` */
export const poolTls = z.strictObject({
  verify: z.boolean().default(true).meta({
    description:
      'Verify the certificate of the endpoint and its name. `false` makes the connection private to nobody.',
  }),
  ca: file('PEM: the CAs that are believed.', ['/etc/pointsman/internal-ca.pem'])
    .optional()
    .meta({ description: 'PEM: the CAs that are believed. Default: those of the system.' }),
  sni: text((value) => (isHost(value) ? undefined : `${quote(value)} is not a name`))
    .optional()
    .meta({
      description:
        'Name that is asked for and must stand in the certificate. Default: the host of the endpoint.',
    }),
  clientCertificate: z
    .strictObject({
      cert: file('PEM: our certificate, then those that lead to its CA.', []),
      key: file('PEM: its private key.', []),
      passphraseFile: file('Holds the passphrase of the key.', [])
        .optional()
        .meta({ description: 'Holds the passphrase of the key. Default: it has none.' }),
    })
    .optional()
    .meta({ description: 'What we show when the endpoint asks for a certificate. Default: nothing.' }),
  ...protocolKeys,
  sessionReuse: z.boolean().default(true).meta({
    description: 'Resume sessions, so that a new connection to an endpoint costs less.',
  }),
});

export type PoolTlsConfig = z.output<typeof poolTls>;
