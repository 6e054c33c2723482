import type { Origin } from './origin.ts';
import type { OutBuffer } from './out-buffer.ts';
import type { ProxyHeader } from './proxy-protocol/proxy-header.ts';
import type { TlsInfo } from './tls/tls-info.ts';
import type { Transport, TransportEvents } from './transport.ts';

/**
 * Why a connection ended without our asking. `refused`: instead of any data came a TLS alert about our certificate, or that one is
 * wanted. In TLS 1.3 our side of the handshake is over before the peer has looked at that, so it has acted on nothing.
 */
export type CloseCause = 'closed' | 'reset' | 'error' | 'refused';

/** Who serves a connection. Replaced when a connection changes hands (idle, in use, tunnel). */
export interface ConnectionHandler {
  /** Bytes arrived. They are there until this returns: what is to be kept is copied. */
  onData(bytes: Buffer): void;
  /** The peer will send no more (FIN); we may still write. */
  onEnd(): void;
  /** What was written could not all be taken: stop producing until `onDrain`. */
  onCongested(): void;
  /** Everything that waited has been taken. */
  onDrain(): void;
  /** The connection is gone. Called once, and not when we ended it ourselves. */
  onClose(cause: CloseCause): void;
}

/** One TCP (or TLS) connection as every room above `net/` sees it. */
export interface Connection extends Origin {
  handler: ConnectionHandler;
  readonly closed: boolean;
  /** What was agreed on in its TLS handshake; undefined when it is plain TCP, or not yet over. */
  tls: TlsInfo | undefined;
  /** Bytes that we were given to write and the kernel has not taken. */
  readonly bufferedBytes: number;
  /** The peer has sent FIN. */
  readonly readEnded: boolean;
  /**
   * The buffer in which to put the next piece, with at least `room` bytes free. It is written when this event-loop turn ends or when
   * another connection needs the buffer, so pieces of one turn leave as one.
   */
  open(room: number): OutBuffer;
  /** Writes `bytes[start, end)`; small pieces are joined with what `open` collected, large ones are not copied. */
  write(bytes: Buffer, start: number, end: number): void;
  /** Writes now what `open` collected. Returns whether the kernel has taken everything. */
  flush(): boolean;
  /** Whether the peer has sent nothing, FIN and reset included, that the handler was not told of yet. One system call. */
  silent(): boolean;
  /** Stops reading: the peer is held back by TCP. */
  pause(): void;
  resume(): void;
  /** Probes a peer that was silent for so long, in whole seconds from 1; one that does not answer is gone after about as long again. */
  keepAlive(idleMs: number): void;
  /** Sends FIN when everything is written; reading goes on. */
  shutdown(): void;
  /** Writes what waits as far as the kernel takes it, and closes. */
  close(): void;
  /** Writes what waits, and closes when the kernel takes all of it. False when it does not: then the connection stays as it is. */
  finish(): boolean;
  /** Closes at once with RST. */
  reset(): void;
  /** From now on it stands for the client of which a trusted peer told. */
  introduce(header: ProxyHeader): void;
  /** Puts something between the connection and its socket; nothing may wait to be written. */
  layer(make: (inner: Transport, events: TransportEvents) => Transport): void;
}

/** Usual capacity of the buffer that `open` hands out, bytes. */
export const MAX_PIECE: number = 128 * 1024;
