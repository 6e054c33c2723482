/** A certificate and its key, as they lie in the storage. */
export interface StoredCertificate {
  /** The chain, PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}
