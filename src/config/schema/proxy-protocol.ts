import { z } from 'zod';

import { network } from './match.ts';
import { positiveDuration } from './units.ts';

/** `listeners[].proxyProtocol` */
export const listenerProxyProtocol = z.strictObject({
  from: z.array(network).min(1).meta({
    description: 'Networks of the balancers before this one. Nobody else is believed.',
  }),
  required: z.boolean().default(true).meta({
    description:
      'Refuse connections that do not begin with a header, and those from other networks. `false`: both are served as they come.',
  }),
  timeout: positiveDuration.prefault('3s').meta({
    description: 'How long the header may take to arrive.',
  }),
});

export type ListenerProxyProtocolConfig = z.output<typeof listenerProxyProtocol>;

/** What version 2 may tell besides the addresses. */
const proxyTlv = z.enum(['alpn', 'authority', 'ssl', 'crc32c', 'unique-id']);

const proxyVersion = z.enum(['v1', 'v2']);

const poolProxyObject = z.strictObject({
  version: proxyVersion.meta({ description: 'As the endpoints expect it.' }),
  tlvs: z.array(proxyTlv).default([]).meta({
    description:
      'What v2 tells besides the addresses, as far as it is known: `alpn`, `authority` (the name that the client asked for by TLS), `ssl`, `unique-id`, and `crc32c`, a checksum.',
  }),
});

/** `pools[].proxyProtocol` */
export const poolProxyProtocol = z.union([
  proxyVersion.transform((version): PoolProxyProtocolConfig => ({ version, tlvs: [] })),
  poolProxyObject,
]);

export type PoolProxyProtocolConfig = z.output<typeof poolProxyObject>;
