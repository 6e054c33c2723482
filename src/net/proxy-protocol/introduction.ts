import { randomUUID } from 'node:crypto';

import type { PoolProxyProtocolConfig } from '../../config/schema/proxy-protocol.ts';
import type { dial } from '../dial.ts';
import type { Origin } from '../origin.ts';
import { proxyHeaderLocal, proxyHeaderV1, proxyHeaderV2, type ProxyTlvs } from './write-proxy-header.ts';

/** Ids that were given to connections which came without one. */
const ids = new WeakMap<Origin, Buffer>();

function uniqueIdOf(origin: Origin): Buffer {
  const known = origin.proxied?.uniqueId ?? ids.get(origin);
  if (known !== undefined) return known;
  const id = Buffer.from(randomUUID(), 'latin1');
  ids.set(origin, id);
  return id;
}

/** What we agreed on with the client, or else who stands before us. */
function tlsOf({ tls, proxied }: Origin): ProxyTlvs['tls'] {
  if (tls !== undefined)
    return { version: tls.version, cipher: tls.cipher, verified: tls.peer !== undefined };
  return proxied?.tls?.secure === true ? proxied.tls : undefined;
}

/**
 * The header that tells an endpoint for whom we connect: the same bytes each time for the same connection of a client, so that they
 * tell connections apart.
 * @param serverName Name that the client asked for by TLS that is passed on; empty for none.
 */
export function introductionOf(
  origin: Origin,
  { version, tlvs }: PoolProxyProtocolConfig,
  serverName = '',
): Buffer {
  const { remoteAddress, remotePort, localAddress, localPort, proxied } = origin;
  // It is gone, so nobody will miss what cannot be said.
  if (localAddress === '') return selfIntroduction(version);
  const addresses = {
    source: { ip: remoteAddress, port: remotePort },
    destination: { ip: localAddress, port: localPort },
  };
  if (version === 'v1') return proxyHeaderV1(addresses);
  return proxyHeaderV2(addresses, {
    alpn: tlvs.includes('alpn') ? (origin.tls?.alpn ?? proxied?.alpn ?? '') : '',
    authority: tlvs.includes('authority')
      ? origin.tls?.serverName || serverName || (proxied?.authority ?? '')
      : '',
    uniqueId: tlvs.includes('unique-id') ? uniqueIdOf(origin) : undefined,
    tls: tlvs.includes('ssl') ? tlsOf(origin) : undefined,
    checksum: tlvs.includes('crc32c'),
  });
}

/** The header of a connection that we make for ourselves: a health check. */
export function selfIntroduction(version: PoolProxyProtocolConfig['version']): Buffer {
  return version === 'v1' ? proxyHeaderV1(undefined) : proxyHeaderLocal();
}

/** Dials as `connect` does, and begins each connection with `header`. */
export function dialIntroduced(connect: typeof dial, header: Buffer): typeof dial {
  return (wheel, host, port, timeoutMs, dialler) => connect(wheel, host, port, timeoutMs, dialler, header);
}
