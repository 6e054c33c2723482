import { CString } from 'bun:ffi';

import { constantText, type Handle, openSsl } from './openssl.ts';
import type { PeerCertificate, TlsInfo } from './tls-info.ts';

const pointerCell = new BigUint64Array(512);
const lengthCell = new Uint32Array(1024);
const PIECE_BYTES = 64 * 1024;

/** What was agreed on: asked when the handshake is over. */
export function describeSession(ssl: Handle): Pick<TlsInfo, 'version' | 'cipher' | 'alpn' | 'resumed'> {
  const { ssl: lib } = openSsl();
  return {
    version: constantText(lib.SSL_get_version(ssl)),
    cipher: constantText(lib.SSL_CIPHER_standard_name(lib.SSL_get_current_cipher(ssl))),
    alpn: selectedProtocol(ssl),
    resumed: lib.SSL_session_reused(ssl) === 1,
  };
}

function selectedProtocol(ssl: Handle): string {
  lengthCell[0] = 0;
  openSsl().ssl.SSL_get0_alpn_selected(ssl, pointerCell, lengthCell);
  const [length] = lengthCell;
  return length === 0 ? '' : new CString(Number(pointerCell[0]), 0, length);
}

function derOf(certificate: Handle): Buffer {
  const { crypto } = openSsl();
  const bio = crypto.BIO_new(crypto.BIO_s_mem())!;
  crypto.i2d_X509_bio(bio, certificate);
  const bytes = Buffer.allocUnsafe(Math.min(crypto.BIO_ctrl_pending(bio), PIECE_BYTES));
  const length = crypto.BIO_read(bio, bytes, bytes.length);
  crypto.BIO_free(bio);
  return bytes.subarray(0, Math.max(length, 0));
}

/** The certificate that the peer showed; undefined when it showed none. */
export function peerCertificate(ssl: Handle): PeerCertificate | undefined {
  const { ssl: lib, crypto } = openSsl();
  const leaf = lib.SSL_get1_peer_certificate(ssl);
  if (leaf === null) return undefined;
  const chain: Buffer[] = [];
  const stack = lib.SSL_get0_verified_chain(ssl);
  const count = stack === null ? 0 : crypto.OPENSSL_sk_num(stack);
  // The first is the leaf, the last the root that we have ourselves (RFC 9440 section 2.3).
  for (let index = 1; index < count - 1; index++) chain.push(derOf(crypto.OPENSSL_sk_value(stack, index)!));
  const peer = { leaf: derOf(leaf), chain };
  crypto.X509_free(leaf);
  return peer;
}
