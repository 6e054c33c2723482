/** What a made-up ClientHello says; the fields that are left out are those of an ordinary client. */
export interface HelloParts {
  readonly legacyVersion?: number;
  readonly sessionId?: Buffer;
  readonly suites?: Buffer;
  readonly compressions?: Buffer;
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  readonly versions?: readonly number[];
  /** Further extensions, by type. */
  readonly extensions?: readonly (readonly [type: number, body: Buffer])[];
  /** Instead of all extensions with their length; empty for none at all. */
  readonly extensionBlock?: Buffer;
  /** Behind the extensions. */
  readonly tail?: Buffer;
}

const u8 = (value: number): Buffer => Buffer.from([value & 255]);

export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);

export const vector8 = (body: Buffer): Buffer => Buffer.concat([u8(body.length), body]);

export const vector16 = (body: Buffer): Buffer => Buffer.concat([u16(body.length), body]);

/** The list of the server name extension. */
export function serverNames(...names: readonly (Buffer | string)[]): Buffer {
  return vector16(
    Buffer.concat(
      names.map((name) => Buffer.concat([u8(0), vector16(Buffer.from(name as string, 'latin1'))])),
    ),
  );
}

/** The list of the ALPN extension. */
export function protocolNames(...names: readonly string[]): Buffer {
  return vector16(Buffer.concat(names.map((name) => vector8(Buffer.from(name, 'latin1')))));
}

function extensionBlockOf(parts: HelloParts): Buffer {
  const all: (readonly [number, Buffer])[] = [];
  if (parts.serverName !== undefined) all.push([0, serverNames(parts.serverName)]);
  if (parts.alpn !== undefined) all.push([16, protocolNames(...parts.alpn)]);
  if (parts.versions !== undefined) all.push([43, vector8(Buffer.concat(parts.versions.map(u16)))]);
  all.push(...(parts.extensions ?? []));
  return vector16(Buffer.concat(all.map(([type, body]) => Buffer.concat([u16(type), vector16(body)]))));
}

/** The body of the message, without any header. */
export function helloBody(parts: HelloParts = {}): Buffer {
  return Buffer.concat([
    u16(parts.legacyVersion ?? 0x0303),
    Buffer.alloc(32, 7),
    vector8(parts.sessionId ?? Buffer.alloc(32, 9)),
    vector16(parts.suites ?? Buffer.from([0x13, 0x01, 0xc0, 0x2f])),
    vector8(parts.compressions ?? Buffer.from([0])),
    parts.extensionBlock ?? extensionBlockOf(parts),
    parts.tail ?? Buffer.alloc(0),
  ]);
}

/** A handshake message of any type around a body. */
export function handshakeMessage(body: Buffer, type = 1): Buffer {
  return Buffer.concat([u8(type), u8(body.length >> 16), u16(body.length & 0xffff), body]);
}

/** One record. */
export function tlsRecord(content: Buffer, type = 22, version = 0x0301): Buffer {
  return Buffer.concat([u8(type), u16(version), vector16(content)]);
}

/** A whole ClientHello in one record. */
export function clientHello(parts: HelloParts = {}): Buffer {
  return tlsRecord(handshakeMessage(helloBody(parts)));
}

/** The same message over records of these sizes, the last one as large as is left. */
export function helloInRecords(parts: HelloParts, sizes: readonly number[]): Buffer {
  const message = handshakeMessage(helloBody(parts));
  const records: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at + size >= message.length) break;
    records.push(tlsRecord(message.subarray(at, at + size)));
    at += size;
  }
  records.push(tlsRecord(message.subarray(at)));
  return Buffer.concat(records);
}
