import { JSCallback } from 'bun:ffi';

import { type Handle, openSsl } from './openssl.ts';

const NEGOTIATED = 1;
const ALPN = { OK: 0, FATAL: 2 } as const;

/** The protocols of the handshake whose step runs now. */
let offered: Buffer = Buffer.alloc(0);
let choosing: JSCallback | undefined;

/** Called by the library within a step of a handshake; it chooses by our order, and refuses when nothing fits (RFC 7301 section 3.2). */
function choose(_ssl: number, out: never, outLength: never, wanted: never, wantedLength: number): number {
  const result = openSsl().ssl.SSL_select_next_proto(
    out,
    outLength,
    offered,
    offered.length,
    wanted,
    wantedLength,
  );
  return result === NEGOTIATED ? ALPN.OK : ALPN.FATAL;
}

/** Handshakes of this context choose one of the protocols that `offerProtocols` named last. */
export function choosesProtocol(context: Handle): void {
  choosing ??= new JSCallback(choose, {
    args: ['ptr', 'ptr', 'ptr', 'ptr', 'u32', 'ptr'],
    returns: 'i32',
  });
  openSsl().ssl.SSL_CTX_set_alpn_select_cb(context, choosing.ptr, null);
}

/** For the step of a handshake that follows. @param protocols In order of preference, as they are on the wire. */
export function offerProtocols(protocols: Buffer): void {
  offered = protocols;
}
