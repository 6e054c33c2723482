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

/** A certificate that is asked for and renewed, as observers see it. */
export interface AutomaticCertificateView {
  readonly names: readonly string[];
  /** Wall-clock time of the next attempt, milliseconds since 1970. */
  readonly nextAttemptMs: number;
  /** In a row. */
  readonly failures: number;
  /** Of the last attempt, when it failed. */
  readonly error: string | undefined;
}
