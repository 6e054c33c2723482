import { type ClientHello, parseClientHello } from './client-hello.ts';

/** Why a connection does not begin with a ClientHello that we take. */
export type HelloRefusal = 'not-tls' | 'sslv2' | 'malformed' | 'too-large';

/**
 * What the bytes so far amount to. `end` is where the ClientHello ends: what follows (early data) belongs to whoever takes the
 * connection, together with everything before it.
 */
export type HelloVerdict =
  | { readonly kind: 'more' }
  | { readonly kind: 'hello'; readonly hello: ClientHello; readonly end: number }
  | { readonly kind: 'refused'; readonly refusal: HelloRefusal; readonly detail: string };

const MORE: HelloVerdict = { kind: 'more' };

/** Content type of handshake records, RFC 8446 section 5.1. */
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;
/** RFC 8446 section 5.1. */
const MAX_RECORD_BYTES = 16 * 1024;

function refused(refusal: HelloRefusal, detail: string): HelloVerdict {
  return { kind: 'refused', refusal, detail };
}

/**
 * Finds the ClientHello at the beginning of a connection (RFC 8446 sections 4.1.2 and 5.1) without decrypting anything, however it is
 * split over segments and records. One scanner looks at one connection; it holds no bytes. The caller keeps them (or peeks at them) and
 * calls `scan` whenever more have come, each time with all of them from the first on: work that is done is not done again.
 *
 * It decides as early as it can: what cannot become a ClientHello is refused with the first byte that says so, and what claims to be
 * larger than the limit is refused by the claim. How long a client may take is the caller's affair.
 */
export class ClientHelloScanner {
  readonly #maxBytes: number;
  /** Where the record begins that is not whole yet. */
  #recordAt = 0;
  /** Bytes of the message in the records before it. */
  #messageBytes = 0;
  /** Type and length of the message, as far as they are there. */
  #header = 0;
  #headerBytes = 0;

  /** @param maxBytes Most that the ClientHello may take with its record headers. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @param bytes Everything that the client has sent so far. */
  scan(bytes: Buffer): HelloVerdict {
    for (;;) {
      const at = this.#recordAt;
      const problem = this.#checkRecordHeader(bytes, at);
      if (problem !== undefined) return problem;
      const contentAt = at + RECORD_HEADER_BYTES;
      if (bytes.length < contentAt) return contentAt > this.#maxBytes ? this.#tooLarge() : MORE;
      const recordBytes = bytes.readUInt16BE(at + 3);
      if (recordBytes === 0 || recordBytes > MAX_RECORD_BYTES)
        return refused('malformed', `a record of ${recordBytes} bytes`);
      if (contentAt + recordBytes > this.#maxBytes) return this.#tooLarge();
      const wrong = this.#readMessageHeader(bytes, contentAt, recordBytes);
      if (wrong !== undefined) return wrong;
      if (bytes.length < contentAt + recordBytes) return MORE;
      this.#messageBytes += recordBytes;
      this.#recordAt = contentAt + recordBytes;
      if (this.#headerBytes === MESSAGE_HEADER_BYTES && this.#messageBytes === this.#wholeBytes)
        return this.#parse(bytes);
    }
  }

  /** Length of the message with its header; known when the header is. */
  get #wholeBytes(): number {
    return MESSAGE_HEADER_BYTES + (this.#header & 0xff_ffff);
  }

  #tooLarge(): HelloVerdict {
    return refused('too-large', `the ClientHello is larger than ${this.#maxBytes} bytes`);
  }

  /** Looks at as much of the header of a record as is there, but for its length. */
  #checkRecordHeader(bytes: Buffer, at: number): HelloVerdict | undefined {
    if (bytes.length <= at) return undefined;
    const type = bytes[at]!;
    if (type !== HANDSHAKE) {
      if (at > 0) return refused('malformed', `a record of type ${type} within the ClientHello`);
      return beginsLikeSslv2(bytes) ? this.#checkSslv2(bytes) : refused('not-tls', 'no TLS record');
    }
    if (bytes.length > at + 1 && bytes[at + 1] !== 3)
      return at === 0
        ? refused('not-tls', 'no TLS record')
        : refused('malformed', 'a record of another version');
    return undefined;
  }

  /** RFC 5246 appendix E.2. Nobody speaks it any more; it is told apart so that the log says what came. */
  #checkSslv2(bytes: Buffer): HelloVerdict {
    return bytes.length < 4 ? MORE : refused('sslv2', 'a ClientHello of SSL 2.0');
  }

  #readMessageHeader(bytes: Buffer, contentAt: number, recordBytes: number): HelloVerdict | undefined {
    const there = Math.min(bytes.length - contentAt, recordBytes);
    while (this.#headerBytes < MESSAGE_HEADER_BYTES && this.#headerBytes - this.#messageBytes < there) {
      this.#header = this.#header * 256 + bytes[contentAt + this.#headerBytes - this.#messageBytes]!;
      if (this.#headerBytes++ === 0 && this.#header !== CLIENT_HELLO)
        return refused('malformed', `handshake message ${this.#header} instead of a ClientHello`);
    }
    if (this.#headerBytes < MESSAGE_HEADER_BYTES) return undefined;
    if (this.#wholeBytes > this.#maxBytes) return this.#tooLarge();
    // Nothing may follow in the same record: the client has nothing more to say before it is answered.
    return this.#messageBytes + recordBytes > this.#wholeBytes
      ? refused('malformed', 'bytes behind the ClientHello in its record')
      : undefined;
  }

  #parse(bytes: Buffer): HelloVerdict {
    const end = this.#recordAt;
    const oneRecord = end === RECORD_HEADER_BYTES + this.#messageBytes;
    const message = oneRecord ? bytes.subarray(RECORD_HEADER_BYTES, end) : joinRecords(bytes, end);
    const hello = parseClientHello(message, MESSAGE_HEADER_BYTES, message.length);
    return typeof hello === 'string' ? refused('malformed', hello) : { kind: 'hello', hello, end };
  }
}

/** The two bytes of length with the highest bit set, then CLIENT-HELLO and a version, as far as they are there. */
function beginsLikeSslv2(bytes: Buffer): boolean {
  if ((bytes[0]! & 0x80) === 0) return false;
  if (bytes.length > 2 && bytes[2] !== CLIENT_HELLO) return false;
  return bytes.length <= 3 || bytes[3] === 3 || bytes[3] === 0;
}

function joinRecords(bytes: Buffer, end: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < end;) {
    const contentAt = at + RECORD_HEADER_BYTES;
    const next = contentAt + bytes.readUInt16BE(at + 3);
    parts.push(bytes.subarray(contentAt, next));
    at = next;
  }
  return Buffer.concat(parts);
}
