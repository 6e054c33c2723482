import { crc32c } from '../../util/crc32c.ts';
import { ipIntoBytes } from '../../util/ip.ts';
import { type ProxyAddresses, SIGNATURE_V2, SSL_CLIENT, TLV } from './proxy-header.ts';

/** What version 2 tells besides the addresses; what is empty or undefined is left out. */
export interface ProxyTlvs {
  readonly alpn: string;
  readonly authority: string;
  readonly uniqueId: Buffer | undefined;
  readonly tls: { readonly version: string; readonly cipher: string; readonly verified: boolean } | undefined;
  /** Adds a checksum over the whole. */
  readonly checksum: boolean;
}

const COMMAND = { LOCAL: 0x20, PROXY: 0x21 } as const;
const FAMILY = { UNSPEC: 0x00, TCP4: 0x11, TCP6: 0x21 } as const;

/** Both addresses have to be of one family: IPv4 goes inside IPv6 when only one of them is that. */
function isIpv6({ source, destination }: ProxyAddresses): boolean {
  return source.ip.includes(':') || destination.ip.includes(':');
}

/** The address without its zone, for version 1. */
function written(ip: string, ipv6: boolean): string {
  const zone = ip.indexOf('%');
  const plain = zone < 0 ? ip : ip.slice(0, zone);
  return ipv6 && !plain.includes(':') ? `::ffff:${plain}` : plain;
}

/** A header of version 1; UNKNOWN without addresses. */
export function proxyHeaderV1(addresses: ProxyAddresses | undefined): Buffer {
  if (addresses === undefined) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const { source, destination } = addresses;
  const ipv6 = isIpv6(addresses);
  const ips = `${written(source.ip, ipv6)} ${written(destination.ip, ipv6)}`;
  return Buffer.from(
    `PROXY ${ipv6 ? 'TCP6' : 'TCP4'} ${ips} ${source.port} ${destination.port}\r\n`,
    'latin1',
  );
}

/** A header of version 2 about a client. */
export function proxyHeaderV2(addresses: ProxyAddresses, tlvs: ProxyTlvs): Buffer {
  const ipv6 = isIpv6(addresses);
  const parts: Buffer[] = [
    fixedPart(COMMAND.PROXY, ipv6 ? FAMILY.TCP6 : FAMILY.TCP4),
    addressPart(addresses, ipv6),
  ];
  if (tlvs.alpn !== '') parts.push(tlv(TLV.ALPN, Buffer.from(tlvs.alpn, 'latin1')));
  if (tlvs.authority !== '') parts.push(tlv(TLV.AUTHORITY, Buffer.from(tlvs.authority, 'latin1')));
  if (tlvs.uniqueId !== undefined) parts.push(tlv(TLV.UNIQUE_ID, tlvs.uniqueId));
  if (tlvs.tls !== undefined) parts.push(tlv(TLV.SSL, tlsPart(tlvs.tls)));
  if (tlvs.checksum) parts.push(tlv(TLV.CRC32C, Buffer.alloc(4)));
  const header = Buffer.concat(parts);
  header.writeUInt16BE(header.length - 16, 14);
  if (tlvs.checksum) header.writeUInt32BE(crc32c(header, 0, header.length), header.length - 4);
  return header;
}

/** A header of version 2 that says: this connection is our own, of a health check. */
export function proxyHeaderLocal(): Buffer {
  return fixedPart(COMMAND.LOCAL, FAMILY.UNSPEC);
}

function fixedPart(command: number, family: number): Buffer {
  return Buffer.concat([SIGNATURE_V2, Buffer.from([command, family, 0, 0])]);
}

function addressPart({ source, destination }: ProxyAddresses, ipv6: boolean): Buffer {
  const length = ipv6 ? 16 : 4;
  const part = Buffer.alloc(2 * length + 4);
  ipIntoBytes(source.ip, part, 0, length);
  ipIntoBytes(destination.ip, part, length, length);
  part.writeUInt16BE(source.port, 2 * length);
  part.writeUInt16BE(destination.port, 2 * length + 2);
  return part;
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value]);
}

function tlsPart({ version, cipher, verified }: NonNullable<ProxyTlvs['tls']>): Buffer {
  const client = SSL_CLIENT.TLS | (verified ? SSL_CLIENT.CERT_CONNECTION | SSL_CLIENT.CERT_SESSION : 0);
  // 0 is a certificate that was verified; anything else is none.
  const parts: Buffer[] = [Buffer.from([client, 0, 0, 0, verified ? 0 : 1])];
  if (version !== '') parts.push(tlv(TLV.SSL_VERSION, Buffer.from(version, 'latin1')));
  if (cipher !== '') parts.push(tlv(TLV.SSL_CIPHER, Buffer.from(cipher, 'latin1')));
  return Buffer.concat(parts);
}
