/** Why a handshake of a client failed. */
export const HANDSHAKE_FAILURES = [
  'timeout',
  'closed',
  'not-tls',
  'malformed',
  'too-large',
  'unknown-name',
  'no-protocol',
  'version',
  'cipher',
  'certificate',
  'certificate-missing',
  'alert',
  'other',
] as const;

export type HandshakeFailureReason = (typeof HANDSHAKE_FAILURES)[number];

const FAILURES_AT = 3;

/** 64-bit words of memory that the counters need. */
export const TLS_TOTALS: number = FAILURES_AT + HANDSHAKE_FAILURES.length;

/** TLS with the clients of one listener since the start. They lie in memory that others can read. */
export class TlsStats {
  readonly #totals: Float64Array;

  constructor(totals: Float64Array) {
    this.#totals = totals;
  }

  succeeded(resumed: boolean): void {
    this.#totals[0]!++;
    if (resumed) this.#totals[1]!++;
  }

  failed(reason: HandshakeFailureReason): void {
    this.#totals[FAILURES_AT + HANDSHAKE_FAILURES.indexOf(reason)]!++;
  }

  violated(): void {
    this.#totals[2]!++;
  }

  /** Handshakes that were completed. */
  get handshakes(): number {
    return this.#totals[0]!;
  }

  /** Those of them that resumed a session. */
  get resumed(): number {
    return this.#totals[1]!;
  }

  /** Connections that were ended because of what came on them after the handshake. */
  get violations(): number {
    return this.#totals[2]!;
  }

  failures(reason: HandshakeFailureReason): number {
    return this.#totals[FAILURES_AT + HANDSHAKE_FAILURES.indexOf(reason)]!;
  }
}
