import { JSCallback } from 'bun:ffi';

import { CTRL, type Handle, openSsl } from './openssl.ts';

const OK = 0;
const NOACK = 3;

/** OCSP responses (DER) by the certificates of the library that they are about. */
const responses = new Map<Handle, Buffer>();

let stapling: JSCallback | undefined;

/** Called by the library within a handshake, when the client asks and its certificate has been chosen. */
function staple(ssl: Handle): number {
  const library = openSsl();
  const certificate = library.ssl.SSL_get_certificate(ssl);
  const response = certificate === null ? undefined : responses.get(certificate);
  if (response === undefined) return NOACK;
  const copy = library.crypto.CRYPTO_malloc(response.length, null, 0);
  if (copy === null) return NOACK;
  library.crypto.memcpy(copy, response, response.length);
  library.ssl.SSL_ctrl(ssl, CTRL.SET_TLSEXT_STATUS_REQ_OCSP_RESP, response.length, copy);
  return OK;
}

/**
 * Shows `response`, an OCSP response in DER, to clients that ask for one and are shown `certificate` (RFC 6066 section 8); with undefined
 * nothing. To be said of every certificate that is used: a new one may lie where one that is gone has lain.
 */
export function staplesWith(context: Handle, certificate: Handle, response: Buffer | undefined): void {
  if (response === undefined) {
    responses.delete(certificate);
    return;
  }
  responses.set(certificate, response);
  stapling ??= new JSCallback(staple, { args: ['ptr', 'ptr'], returns: 'i32' });
  openSsl().ssl.SSL_CTX_callback_ctrl(context, CTRL.SET_TLSEXT_STATUS_REQ_CB, stapling.ptr);
}
