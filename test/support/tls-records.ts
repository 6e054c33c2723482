import { CString, dlopen, FFIType, JSCallback, type Pointer } from 'bun:ffi';
import { createCipheriv, createHmac } from 'node:crypto';

import { createContext, type ProtocolSettings } from '../../src/net/tls/context.ts';
import { type Handle, openSsl } from '../../src/net/tls/openssl.ts';

/** Content types of records (RFC 8446 section 5.1). */
export const CONTENT = { ALERT: 21, HANDSHAKE: 22, DATA: 23 } as const;

const { ptr: pointer } = FFIType;
const TAG_BYTES = 16;

/** HKDF-Expand-Label of RFC 8446 section 7.1, with an empty context, for at most 32 bytes. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

/**
 * A TLS 1.3 client that seals its records itself once the handshake is over, so that a test can send what no library would: any content
 * type, any padding, empty and oversized records, key updates as many as it likes. TLS_AES_128_GCM_SHA256 only.
 */
export class RecordClient {
  readonly #ssl: Handle;
  readonly #input: Handle;
  readonly #output: Handle;
  #secret: Buffer = Buffer.alloc(0);
  #sequence = 0n;

  constructor(settings: ProtocolSettings) {
    const { ssl, crypto } = openSsl();
    const { SSL_CTX_set_keylog_callback: setKeyLog } = dlopen('libssl.so.3', {
      SSL_CTX_set_keylog_callback: { args: [pointer, pointer], returns: FFIType.void },
    }).symbols;
    const context = createContext({ ...settings, cipherSuites: 'TLS_AES_128_GCM_SHA256' }, false);
    const keyLog = new JSCallback(
      (_ssl: Pointer, line: Pointer) => {
        const [label, , secret] = new CString(line).split(' ');
        if (label === 'CLIENT_TRAFFIC_SECRET_0') this.#secret = Buffer.from(secret!, 'hex');
      },
      { args: ['ptr', 'ptr'], returns: 'void' },
    );
    setKeyLog(context, keyLog.ptr);
    this.#ssl = ssl.SSL_new(context)!;
    ssl.SSL_CTX_free(context);
    this.#input = crypto.BIO_new(crypto.BIO_s_mem())!;
    this.#output = crypto.BIO_new(crypto.BIO_s_mem())!;
    ssl.SSL_set_bio(this.#ssl, this.#input, this.#output);
    ssl.SSL_set_connect_state(this.#ssl);
  }

  /** A step of the handshake: takes what the server said. Returns what to send to it. */
  shakeHands(heard: Buffer): Buffer {
    const { ssl, crypto } = openSsl();
    if (heard.length > 0) crypto.BIO_write(this.#input, heard, heard.length);
    ssl.SSL_do_handshake(this.#ssl);
    const sent = Buffer.alloc(64 * 1024);
    return sent.subarray(0, Math.max(0, crypto.BIO_read(this.#output, sent, sent.length)));
  }

  /** One record with `content`, its true type and `padding` zeros sealed in it (RFC 8446 section 5.2). */
  record(type: number, content: Buffer | string, padding = 0): Buffer {
    return this.sealed(Buffer.concat([Buffer.from(content), Buffer.from([type]), Buffer.alloc(padding)]));
  }

  /** One record with whatever is to be in it. */
  sealed(inner: Buffer): Buffer {
    const header = Buffer.from([CONTENT.DATA, 3, 3, 0, 0]);
    header.writeUInt16BE(inner.length + TAG_BYTES, 3);
    const nonce = Buffer.from(expandLabel(this.#secret, 'iv', 12));
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ this.#sequence++, 4);
    const cipher = createCipheriv('aes-128-gcm', expandLabel(this.#secret, 'key', 16), nonce);
    cipher.setAAD(header);
    return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }

  /** A KeyUpdate, and the next keys from then on (RFC 8446 sections 4.6.3 and 7.2). `request`: whether an answer is wanted, 0 or 1. */
  keyUpdate(request: number): Buffer {
    const record = this.record(CONTENT.HANDSHAKE, Buffer.from([24, 0, 0, 1, request]));
    this.#secret = expandLabel(this.#secret, 'traffic upd', 32);
    this.#sequence = 0n;
    return record;
  }
}
