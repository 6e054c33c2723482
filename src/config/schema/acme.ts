import { isAbsolute } from 'node:path';

import { z } from 'zod';

import { quote } from './syntax.ts';
import { text } from './text.ts';

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

const directoryUrl = text((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url?.protocol === 'https:'
    ? undefined
    : `${quote(value)} is not an https URL; an ACME directory is one such as ${LETS_ENCRYPT}`;
});

const absolutePath = text((value) =>
  isAbsolute(value) && !value.includes('\0') ? undefined : `${quote(value)} is not an absolute path`,
);

const email = text((value) =>
  /^[^\s@,;<>]+@[^\s@,;<>]+$/.test(value) ? undefined : `${quote(value)} is not an e-mail address`,
);

const base64url = text((value) =>
  /^[A-Za-z0-9_-]+$/.test(value) ? undefined : 'must be base64url, as the certificate authority gives it out',
);

/** `acme`: certificates that Pointsman asks for and renews by itself (RFC 8555). */
export const acme = z.strictObject({
  directory: directoryUrl.default(LETS_ENCRYPT).meta({
    description: "The server's directory. Using it means agreeing to the terms of service that it names.",
  }),
  email: email.optional().meta({ description: 'Where the authority may write to. Default: nowhere.' }),
  storage: absolutePath.default('/var/lib/pointsman/acme').meta({
    description:
      'Directory for account, keys and certificates; only its owner can read it. It may be shared by several machines.',
  }),
  challenge: z.enum(['http-01', 'tls-alpn-01']).default('http-01').meta({
    description:
      'How names are proved: `http-01` needs a plain listener that the authority reaches on port 80, `tls-alpn-01` a TLS listener on port 443.',
  }),
  keyType: z.enum(['ecdsa', 'rsa']).default('ecdsa').meta({ description: 'P-256, or RSA of 2048 bits.' }),
  preferredChain: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Common name of the root to prefer, where the authority offers several.' }),
  ca: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "File with the CA of the server's own certificate. Default: those of the system." }),
  externalAccount: z
    .strictObject({
      kid: z.string().min(1).meta({ description: 'Identifier of the key.' }),
      hmacKey: base64url.meta({ description: 'The key, base64url.' }),
    })
    .optional()
    .meta({ description: 'External account binding, where the authority asks for one.' }),
});

export type AcmeConfig = z.output<typeof acme>;
