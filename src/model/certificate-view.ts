/** A certificate in force, as observers see it. */
export interface CertificateView {
  /** Names that it is used for. */
  readonly names: readonly string[];
  /** `rsa`, `ec`, `ed25519`. */
  readonly kind: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** Wall-clock time at which it expires, milliseconds since 1970. */
  readonly notAfterMs: number;
}
