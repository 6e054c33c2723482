import { JSCallback } from 'bun:ffi';

import { CTRL, type Handle, openSsl } from './openssl.ts';

const OK = 0;
const NOACK = 3;

const callbacks = new Map<string, JSCallback>();

/** Shows `response`, an OCSP response in DER, to clients that ask for one (RFC 6066 section 8). */
export function staplesWith(context: Handle, response: Buffer): void {
  const key = response.toString('latin1');
  let callback = callbacks.get(key);
  if (callback === undefined) {
    callback = new JSCallback(
      (ssl: Handle) => {
        const library = openSsl();
        const copy = library.crypto.CRYPTO_malloc(response.length, null, 0);
        if (copy === null) return NOACK;
        library.crypto.memcpy(copy, response, response.length);
        library.ssl.SSL_ctrl(ssl, CTRL.SET_TLSEXT_STATUS_REQ_OCSP_RESP, response.length, copy);
        return OK;
      },
      { args: ['ptr', 'ptr'], returns: 'i32' },
    );
    callbacks.set(key, callback);
  }
  openSsl().ssl.SSL_CTX_callback_ctrl(context, CTRL.SET_TLSEXT_STATUS_REQ_CB, callback.ptr);
}
