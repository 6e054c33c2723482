import type { CloseCause } from './connection.ts';

/** What the caller gives in the same breath behind what it writes, so that both may leave together. */
export const Follows = { Nothing: 0, Bytes: 1, Fin: 2 } as const;
export type FollowsKind = (typeof Follows)[keyof typeof Follows];

/** What a connection needs of the system: one socket, and nothing kept in between. */
export interface Transport {
  /** Address of the peer, without brackets or port. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Our own address, asked of the system each time; empty when the connection is gone. */
  readonly localAddress: string;
  readonly localPort: number;
  /**
   * Gives bytes to the kernel. Returns how many it took, 0 when it is full; bytes for a dead socket are taken and lost.
   * @param follows `Bytes`: `write` is the next call; `Fin`: `shutdown` or `close` is; unless some were not taken. `Nothing` when absent.
   */
  write(bytes: Buffer, start: number, end: number, follows?: FollowsKind): number;
  /**
   * Whether nothing has come that was not told yet: no bytes, no FIN, no reset. Asks the system, where it can be asked, and so knows what
   * events will only say later.
   */
  silent(): boolean;
  /** Whether to be told when the kernel has room again. */
  wantRoom(wanted: boolean): void;
  /** Whether to read. */
  read(wanted: boolean): void;
  /** Asks the kernel to probe a peer that was silent for so long (TCP keep-alive), in whole seconds from 1. */
  keepAlive(idleMs: number): void;
  /** Sends FIN. */
  shutdown(): void;
  close(): void;
  /** Closes with RST. */
  reset(): void;
  /** Tells `events` from now on, and not who was told before. */
  tellTo(events: TransportEvents): void;
}

/** What a transport tells. */
export interface TransportEvents {
  /** Bytes arrived, valid until this returns. */
  onBytes(bytes: Buffer): void;
  onRoom(): void;
  /** The peer sent FIN. */
  onFin(): void;
  /** The socket is dead or was closed. */
  onGone(cause: CloseCause): void;
}
