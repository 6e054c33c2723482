import { isIPv4 } from 'node:net';

import { z } from 'zod';

import { formatAddress, listenAddress } from './address.ts';
import { quote } from './syntax.ts';
import { text } from './text.ts';

/** Whether an address can be reached from this machine alone. */
export function isLoopbackHost(host: string): boolean {
  const plain = host.toLowerCase();
  return plain === 'localhost' || plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}

const token = text((value) =>
  /^[A-Za-z0-9._~+/-]{16,}=*$/.test(value)
    ? undefined
    : 'a token is at least 16 characters of letters, digits and ._~+/- (RFC 6750 section 2.1)',
);

/** A unix socket address holds 108 bytes with the zero at its end (unix(7)). */
const LONGEST_SOCKET_PATH = 107;

const socketPath = text((value) => {
  if (!value.startsWith('/')) return `${quote(value)} is not an absolute path`;
  return Buffer.byteLength(value) > LONGEST_SOCKET_PATH
    ? `the path of a unix socket has at most ${LONGEST_SOCKET_PATH} bytes`
    : undefined;
});

/** `admin`: where the process is watched. Reachable from elsewhere only with a token. */
export const admin = z
  .strictObject({
    address: listenAddress
      .prefault('127.0.0.1:9900')
      .meta({ description: 'Where it listens. Beyond loopback, `token` is needed.' }),
    unix: socketPath.optional().meta({
      description:
        'Unix socket on which it listens too, such as `/run/pointsman.sock`. Mode 0600; no token is asked for there. Default: none.',
    }),
    required: z.boolean().default(true).meta({
      description:
        'Whether Pointsman refuses to start when it cannot listen there. Without an `admin` of your own it does not: a second instance on the machine runs without the interface, and says so.',
    }),
    token: token.optional().meta({
      description:
        'Asked for as `Authorization: Bearer TOKEN` by everything but /healthz and /readyz. Default: none is asked for.',
    }),
  })
  .superRefine(({ address, token }, context) => {
    if (token !== undefined || isLoopbackHost(address.host)) return;
    context.addIssue({
      code: 'custom',
      path: ['address'],
      message: `${formatAddress(address)} can be reached from other machines; set admin.token, or listen on 127.0.0.1`,
    });
  });

export type AdminConfig = z.output<typeof admin>;
