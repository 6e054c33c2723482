import { BytesReader } from '../../util/bytes-reader.ts';
import { crc32c } from '../../util/crc32c.ts';
import { ipFromBytes } from '../../util/ip.ts';
import {
  MAX_UNIQUE_ID_BYTES,
  type ProxyAddresses,
  type ProxyHeader,
  type ProxyTls,
  type ProxyVerdict,
  SIGNATURE_V2,
  SSL_CLIENT,
  TLV,
} from './proxy-header.ts';

/** Largest header that is read, bytes: room for a certificate's names many times over. */
const MAX_V2_BYTES = 4096;

/** Signature, version and command, family and protocol, length. */
const FIXED_BYTES = 16;
const COMMAND = { LOCAL: 0, PROXY: 1 } as const;
const FAMILY = { UNSPEC: 0, INET: 1, INET6: 2, UNIX: 3 } as const;
const PROTOCOL = { UNSPEC: 0, STREAM: 1, DGRAM: 2 } as const;
/** Bytes of the two addresses, with ports where there are any, by family. */
const ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];

type Draft = { -readonly [Key in keyof ProxyHeader]: ProxyHeader[Key] };

function refused(detail: string): ProxyVerdict {
  return { kind: 'refused', detail };
}

/** Reads a header of version 2. `bytes` begin with its signature. */
export function parseProxyV2(bytes: Buffer): ProxyVerdict {
  if (bytes.length <= SIGNATURE_V2.length) return { kind: 'more', certain: true };
  const versionAndCommand = bytes[12]!;
  const command = versionAndCommand & 15;
  if (versionAndCommand >> 4 !== 2) return refused(`version ${versionAndCommand >> 4}`);
  if (command > COMMAND.PROXY) return refused(`unknown command ${command}`);
  if (bytes.length < FIXED_BYTES) return { kind: 'more', certain: true };
  const end = FIXED_BYTES + bytes.readUInt16BE(14);
  if (end > MAX_V2_BYTES) return refused(`it claims ${end} bytes, more than ${MAX_V2_BYTES}`);
  if (bytes.length < end) return { kind: 'more', certain: true };
  const header: Draft = {
    version: 2,
    addresses: undefined,
    alpn: '',
    authority: '',
    uniqueId: undefined,
    tls: undefined,
  };
  // The sender speaks for itself: whatever follows is of no account, says the specification.
  if (command === COMMAND.LOCAL) return { kind: 'header', header, end };
  const problem = readBlock(bytes, end, header);
  return problem === undefined ? { kind: 'header', header, end } : refused(problem);
}

function readBlock(bytes: Buffer, end: number, header: Draft): string | undefined {
  const family = bytes[13]! >> 4;
  const protocol = bytes[13]! & 15;
  if (family > FAMILY.UNIX || protocol > PROTOCOL.DGRAM) return 'its family or protocol is unknown';
  if ((family === FAMILY.UNSPEC) !== (protocol === PROTOCOL.UNSPEC))
    return 'its family and its protocol do not go together';
  const tlvsAt = FIXED_BYTES + ADDRESS_BYTES[family]!;
  if (tlvsAt > end) return 'it is too short for its addresses';
  if (protocol === PROTOCOL.STREAM) header.addresses = addressesOf(bytes, family);
  return readTlvs(bytes, tlvsAt, end, header);
}

function addressesOf(bytes: Buffer, family: number): ProxyAddresses | undefined {
  if (family === FAMILY.UNIX) return undefined;
  const length = family === FAMILY.INET ? 4 : 16;
  const portsAt = FIXED_BYTES + 2 * length;
  return {
    source: { ip: ipFromBytes(bytes, FIXED_BYTES, length), port: bytes.readUInt16BE(portsAt) },
    destination: {
      ip: ipFromBytes(bytes, FIXED_BYTES + length, length),
      port: bytes.readUInt16BE(portsAt + 2),
    },
  };
}

/** Those that we know may come once; others are passed over. */
function readTlvs(bytes: Buffer, start: number, end: number, header: Draft): string | undefined {
  const reader = new BytesReader(bytes, start, end);
  const seen = new Set<number>();
  while (reader.left > 0) {
    const type = reader.u8();
    const value = reader.vector16();
    if (reader.failed) return 'a TLV is cut short';
    const known = type === TLV.SSL || (type <= TLV.UNIQUE_ID && type !== TLV.NOOP);
    if (known && seen.has(type)) return `it has TLV ${type} twice`;
    seen.add(type);
    const problem = readTlv(type, value, { bytes, end, valueAt: end - reader.left - value.left }, header);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Where a TLV lies, for the checksum. */
interface Place {
  readonly bytes: Buffer;
  readonly end: number;
  readonly valueAt: number;
}

function readTlv(type: number, value: BytesReader, place: Place, header: Draft): string | undefined {
  switch (type) {
    case TLV.ALPN:
      header.alpn = value.latin1();
      return undefined;
    case TLV.AUTHORITY:
      header.authority = value.latin1();
      return undefined;
    case TLV.CRC32C:
      return isChecksum(value, place) ? undefined : 'its checksum is wrong';
    case TLV.UNIQUE_ID:
      if (value.left > MAX_UNIQUE_ID_BYTES)
        return `its unique id is longer than ${MAX_UNIQUE_ID_BYTES} bytes`;
      header.uniqueId = value.rest();
      return undefined;
    case TLV.SSL:
      header.tls = readTls(value);
      return header.tls === undefined ? 'its TLV about TLS is malformed' : undefined;
    default:
      return undefined;
  }
}

/** The checksum is that of the whole header with zeros in its own place. */
function isChecksum(value: BytesReader, { bytes, end, valueAt }: Place): boolean {
  if (value.left !== 4) return false;
  const whole = Buffer.from(bytes.subarray(0, end));
  whole.fill(0, valueAt, valueAt + 4);
  return crc32c(whole, 0, end) === value.u32();
}

function readTls(value: BytesReader): ProxyTls | undefined {
  const client = value.u8();
  const verify = value.u32();
  const texts = new Map<number, string>();
  while (value.left > 0) {
    const type = value.u8();
    const text = value.vector16();
    if (value.failed || texts.has(type)) return undefined;
    texts.set(type, text.latin1());
  }
  if (value.failed) return undefined;
  const showed = (client & (SSL_CLIENT.CERT_CONNECTION | SSL_CLIENT.CERT_SESSION)) !== 0;
  return {
    secure: (client & SSL_CLIENT.TLS) !== 0,
    version: texts.get(TLV.SSL_VERSION) ?? '',
    cipher: texts.get(TLV.SSL_CIPHER) ?? '',
    verified: showed && verify === 0,
    commonName: texts.get(TLV.SSL_CN) ?? '',
  };
}
