import { BytesReader } from '../../util/bytes-reader.ts';

/** What the first message of a TLS client says in the clear, checked and brought to one spelling. */
export interface ClientHello {
  /** Name that the client asks for (RFC 6066 section 3): lower case, without a dot at its end; empty when it names none. */
  readonly serverName: string;
  /** Protocols that it offers, in its order (RFC 7301), one character a byte. */
  readonly alpn: readonly string[];
  /** Versions that it offers, 0x0303 is TLS 1.2, in its order; without the reserved ones of GREASE (RFC 8701). */
  readonly versions: readonly number[];
  /** Signature schemes that it takes in certificates, in its order; empty when it does not say (RFC 8446 section 4.2.3). */
  readonly signatureSchemes: readonly number[];
  /** Cipher suites that it offers, in its order, without GREASE. */
  readonly cipherSuites: readonly number[];
  /**
   * It has an encrypted ClientHello, or pretends to (GREASE): `serverName` may be a public name that stands for others (RFC 9849
   * section 6.1).
   */
  readonly encrypted: boolean;
}

type Draft = { -readonly [Key in keyof ClientHello]: ClientHello[Key] };

const EXTENSION = { SERVER_NAME: 0, SIGNATURE_ALGORITHMS: 13, ALPN: 16, VERSIONS: 43, ECH: 0xfe0d } as const;
const HOST_NAME = 0;
/** What the extension for an encrypted ClientHello holds, RFC 9849 section 5: the encrypted one, or the mark of a decrypted one. */
const ECH = { OUTER: 0, INNER: 1 } as const;
/** Letters, digits, hyphen, underscore, in labels; addresses in figures pass too, as some clients send them. */
const SERVER_NAME =
  /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const MAX_NAME_BYTES = 253;

/** Values that clients throw in so that nobody relies on knowing all of them (RFC 8701): 0x0a0a, 0x1a1a ... 0xfafa. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

/** Reads a list of 16-bit values that fills `list`; undefined when there is none or half of one. */
function values16(list: BytesReader): number[] | undefined {
  if (list.left === 0 || list.left % 2 !== 0) return undefined;
  const values: number[] = [];
  while (list.left > 0) {
    const value = list.u16();
    if (!isGrease(value)) values.push(value);
  }
  return values;
}

/**
 * Parses the body of a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), strictly: every length has to come out even,
 * nothing may be left over, no extension may come twice.
 * @returns what it says, or what is wrong with it.
 */
export function parseClientHello(bytes: Buffer, start: number, end: number): ClientHello | string {
  const reader = new BytesReader(bytes, start, end);
  const version = reader.u16();
  reader.skip(32);
  const sessionId = reader.vector8();
  const suites = reader.vector16();
  const compressions = reader.vector8();
  if (reader.failed) return 'it is cut short';
  if (version >> 8 !== 3) return 'its version is not one of TLS';
  if (sessionId.left > 32) return 'its session id is longer than 32 bytes';
  const cipherSuites = values16(suites);
  if (cipherSuites === undefined) return 'its list of cipher suites is malformed';
  if (compressions.left === 0) return 'its list of compression methods is empty';
  const hello: Draft = {
    serverName: '',
    alpn: [],
    versions: [version],
    signatureSchemes: [],
    cipherSuites,
    encrypted: false,
  };
  // Clients before TLS 1.2 may have no extensions at all.
  if (reader.left === 0) return hello;
  const extensions = reader.vector16();
  if (reader.failed || reader.left > 0) return 'its extensions do not end where it ends';
  return readExtensions(extensions, hello) ?? hello;
}

/** Takes from the extensions what we know. Returns what is wrong with them. */
function readExtensions(extensions: BytesReader, hello: Draft): string | undefined {
  const seen = new Set<number>();
  while (extensions.left > 0) {
    const type = extensions.u16();
    const body = extensions.vector16();
    if (extensions.failed) return 'an extension is cut short';
    if (seen.has(type)) return `it has extension ${type} twice`;
    seen.add(type);
    const problem = readExtension(type, body, hello);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function readExtension(type: number, body: BytesReader, hello: Draft): string | undefined {
  switch (type) {
    case EXTENSION.SERVER_NAME:
      return readServerName(body, hello);
    case EXTENSION.ALPN:
      return readAlpn(body, hello);
    case EXTENSION.VERSIONS: {
      const versions = values16(body.vector8());
      if (versions === undefined || body.failed || body.left > 0) return 'its list of versions is malformed';
      hello.versions = versions;
      return undefined;
    }
    case EXTENSION.SIGNATURE_ALGORITHMS: {
      const schemes = values16(body.vector16());
      if (schemes === undefined || body.failed || body.left > 0)
        return 'its list of signature schemes is malformed';
      hello.signatureSchemes = schemes;
      return undefined;
    }
    case EXTENSION.ECH: {
      const kind = body.u8();
      if (body.failed || kind > ECH.INNER) return 'its encrypted ClientHello is malformed';
      hello.encrypted = kind === ECH.OUTER;
      return undefined;
    }
    default:
      return undefined;
  }
}

/** RFC 6066 section 3: a list with one name, of the only type there is. */
function readServerName(body: BytesReader, hello: Draft): string | undefined {
  const list = body.vector16();
  const type = list.u8();
  const name = list.vector16();
  if (body.failed || list.failed || body.left > 0) return 'its server name is malformed';
  if (type !== HOST_NAME || list.left > 0)
    return 'it has more than one server name, or one of an unknown type';
  const written = name.latin1().toLowerCase();
  const text = written.endsWith('.') ? written.slice(0, -1) : written;
  if (text.length > MAX_NAME_BYTES || !SERVER_NAME.test(text)) return 'its server name is not a host name';
  hello.serverName = text;
  return undefined;
}

/** RFC 7301 section 3.1: a list of names, none of them empty. */
function readAlpn(body: BytesReader, hello: Draft): string | undefined {
  const list = body.vector16();
  if (body.failed || body.left > 0 || list.left === 0) return 'its list of protocols is malformed';
  const names: string[] = [];
  while (list.left > 0) {
    const name = list.vector8();
    if (list.failed || name.left === 0) return 'its list of protocols is malformed';
    names.push(name.latin1());
  }
  hello.alpn = names;
  return undefined;
}
