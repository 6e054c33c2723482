import {
  proxyHeaderV1,
  proxyHeaderV2,
  type ProxyTlvs,
} from '../../src/net/proxy-protocol/write-proxy-header.ts';

const NO_TLVS: ProxyTlvs = { alpn: '', authority: '', uniqueId: undefined, tls: undefined, checksum: false };

/** The client that test headers speak of. */
export const CLIENT = '203.0.113.7';
export const CLIENT_PORT = 4711;

const addresses = (ip: string) => ({
  source: { ip, port: CLIENT_PORT },
  destination: { ip: ip.includes(':') ? '2001:db8::80' : '198.51.100.80', port: 443 },
});

export function headerV1(ip = CLIENT): Buffer {
  return proxyHeaderV1(addresses(ip));
}

export function headerV2(ip = CLIENT, tlvs: Partial<ProxyTlvs> = {}): Buffer {
  return proxyHeaderV2(addresses(ip), { ...NO_TLVS, ...tlvs });
}
