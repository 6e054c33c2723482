/** One end of a connection. */
export interface ProxyAddress {
  /** As `canonicalIp` writes it. */
  readonly ip: string;
  readonly port: number;
}

/** What the sender says of the TLS connection that it ended (type 0x20). */
export interface ProxyTls {
  /** The client came over TLS. */
  readonly secure: boolean;
  /** `TLSv1.3`; empty when it is not said. So are the others. */
  readonly version: string;
  readonly cipher: string;
  /** The client showed a certificate and it was verified. */
  readonly verified: boolean;
  /** Common name in the certificate of the client. */
  readonly commonName: string;
}

/** The addresses of a connection as its client sees them. */
export interface ProxyAddresses {
  readonly source: ProxyAddress;
  readonly destination: ProxyAddress;
}

/** A PROXY header: what a peer says of the connection for which it stands. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Undefined when it speaks for itself (LOCAL, UNKNOWN), or of addresses that are not those of TCP: then the peer is the client. */
  readonly addresses: ProxyAddresses | undefined;
  /** Protocol that the client agreed on; empty when it is not said. */
  readonly alpn: string;
  /** Name that the client asked for; empty when it is not said. */
  readonly authority: string;
  /** Id that the sender gave to the connection, 128 bytes at most. */
  readonly uniqueId: Buffer | undefined;
  readonly tls: ProxyTls | undefined;
}

/** What the bytes so far amount to. */
export type ProxyVerdict =
  /** It may still become a header. `certain`: it can become nothing else. */
  | { readonly kind: 'more'; readonly certain: boolean }
  /** They are something else. */
  | { readonly kind: 'none' }
  /** `end`: where the header ends; what follows belongs to the protocol. */
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly end: number }
  /** They begin as a header does, and are none. */
  | { readonly kind: 'refused'; readonly detail: string };

/** Kinds of TLV of version 2, with those inside of SSL. */
export const TLV = {
  ALPN: 0x01,
  AUTHORITY: 0x02,
  CRC32C: 0x03,
  NOOP: 0x04,
  UNIQUE_ID: 0x05,
  SSL: 0x20,
  SSL_VERSION: 0x21,
  SSL_CN: 0x22,
  SSL_CIPHER: 0x23,
} as const;

/** Bits of the first byte of SSL. */
export const SSL_CLIENT = { TLS: 1, CERT_CONNECTION: 2, CERT_SESSION: 4 } as const;

/** Longest unique id, bytes. */
export const MAX_UNIQUE_ID_BYTES = 128;

export const SIGNATURE_V1: Buffer = Buffer.from('PROXY ', 'latin1');
export const SIGNATURE_V2: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
