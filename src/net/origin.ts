import type { ProxyHeader } from './proxy-protocol/proxy-header.ts';
import type { TlsInfo } from './tls/tls-info.ts';

/** Where a connection comes from and where it was going. Addresses are without brackets or port. */
export interface Origin {
  /** Address of the client: of the peer, or what a trusted peer said in its PROXY header. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Address of the peer on the wire. */
  readonly peerAddress: string;
  readonly peerPort: number;
  /** Where the client connected to: our own address, or what a trusted peer said. Empty and 0 when it is not known. */
  readonly localAddress: string;
  readonly localPort: number;
  /** What a trusted peer said of the client; undefined when it said nothing. */
  readonly proxied: ProxyHeader | undefined;
  /** What was agreed on in its TLS handshake; undefined when it is plain TCP, or not yet over. */
  readonly tls: TlsInfo | undefined;
}
