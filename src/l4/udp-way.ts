import type { Party } from '../net/datagram-socket.ts';

/** A socket by which the datagrams of clients come and answers leave. It stays open as long as a session needs it. */
export interface UdpWay {
  /** Takes no new sessions: only those that came by it go on. */
  readonly closing: boolean;
  send(party: Party, bytes: Buffer, length: number): void;
  /** A session that came by it has begun, or is over. */
  sessionBegan(): void;
  sessionEnded(): void;
}
