/** A certificate as a peer showed it, DER, and those that lead to its CA. */
export interface PeerCertificate {
  readonly leaf: Buffer;
  /** From the issuer of the leaf on, without the root; empty after a resumed handshake. */
  readonly chain: readonly Buffer[];
}

/** What was agreed on in the handshake of a connection. */
export interface TlsInfo {
  /** `TLSv1.3`, `TLSv1.2`. */
  readonly version: string;
  /** By its standard name: `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string;
  /** Protocol chosen by ALPN; empty when the peer asked for none. */
  readonly alpn: string;
  /** Name that the client asked for; empty when it named none. */
  readonly serverName: string;
  readonly resumed: boolean;
  /** The client's certificate, verified; undefined when it showed none. */
  readonly peer: PeerCertificate | undefined;
  /** Whether the certificate of this connection is also the one for `host`, lower case and without a port. */
  covers(host: string): boolean;
}
