/** What became of a datagram that was to be sent. */
export type Sent =
  | 'sent'
  /** The kernel has no room, or the datagram is larger than it takes: it is gone, as datagrams may be. */
  | 'lost'
  /** Nobody listens there (an ICMP message said so); the datagram was not sent. */
  | 'refused';

/** Who hears from one peer. */
export interface DatagramHandler {
  /** `bytes[0, length)`, there until this returns. */
  onDatagram(bytes: Buffer, length: number): void;
  /** The peer's machine, or one on the way, refuses what we send. `code` as the system names it: ECONNREFUSED ... */
  onRefused(code: string): void;
}

/** A UDP socket that is connected to one peer: it hears nobody else, and hears of what the peer refuses. */
export interface DatagramSocket {
  send(bytes: Buffer, length: number): Sent;
  close(): void;
}

/**
 * Who sent a datagram and to which of our addresses, in 32-bit words: the socket address as the kernel has it (sockaddr_in or
 * sockaddr_in6) in 0 to 6, the number of the interface in 7, our own address in 8 to 11. Words that mean nothing are 0, so that two
 * of them are the same if and only if all words are. Our own address is there only when the socket is bound to all of them.
 */
export type Party = Int32Array;

export const PARTY_WORDS = 12;

/** Who hears what arrives at a bound socket. */
export interface DatagramAcceptor {
  /** `bytes[0, length)` from `party`; both there until this returns. */
  onDatagram(bytes: Buffer, length: number, party: Party): void;
  /** A datagram was larger than any that can be passed on, and was dropped. */
  onTruncated(): void;
  /** The kernel did not take an answer. */
  onLost(): void;
}

/** A UDP socket that anybody sends to. */
export interface DatagramListener {
  /** The port in force, also when 0 was asked for. */
  readonly port: number;
  /** Answers `party` from the address that it sent to. What waits leaves when the datagrams that arrived together are served. */
  send(party: Party, bytes: Buffer, length: number): void;
  /** Hears no more and leaves what comes to others that have the socket; answers still leave. Only where descriptors are handed over. */
  mute?(): void;
  stop(): void;
}
