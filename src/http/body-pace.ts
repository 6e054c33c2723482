import { turnNowMs } from '../net/turn.ts';

/** How a request body has to come. */
export interface BodyPaceRules {
  /** Between two pieces, milliseconds. */
  readonly idleMs: number;
  /** For how long it may come more slowly than it must, milliseconds. */
  readonly graceMs: number;
  /** On average, once `graceMs` have passed; 0 for no limit. */
  readonly bytesPerSecond: number;
}

/**
 * How long the next piece of a request body may take. A byte now and then would hold an endpoint for as long as the client likes, so the
 * time for the whole grows with each byte and not with each piece (slow POST; what MinRate is to mod_reqtimeout of Apache). The time
 * in which nobody listens to the client is not its own.
 */
export class BodyPace {
  #sinceMs = 0;
  #latestMs = 0;
  /** When the client began to be held back; negative while it is not. */
  #heldMs = -1;

  /** A body is to come from now on. */
  begin(): void {
    this.#sinceMs = turnNowMs();
    this.#heldMs = -1;
  }

  /** The client is held back. */
  hold(): void {
    if (this.#heldMs < 0) this.#heldMs = turnNowMs();
  }

  /** It may go on. */
  go(): void {
    if (this.#heldMs >= 0) this.#sinceMs += turnNowMs() - this.#heldMs;
    this.#heldMs = -1;
  }

  /** How long from now the next piece may take, milliseconds. `bytes` have come so far. */
  leftMs(bytes: number, { idleMs, graceMs, bytesPerSecond }: BodyPaceRules): number {
    const nowMs = turnNowMs();
    this.#latestMs = nowMs;
    if (bytesPerSecond === 0) return idleMs;
    const forAllMs = graceMs + (bytes * 1000) / bytesPerSecond;
    return Math.min(idleMs, Math.max(0, this.#sinceMs + forAllMs - nowMs));
  }

  /** Whether nothing has come for so long: then it is not the average that was missed. */
  isIdle(idleMs: number): boolean {
    return turnNowMs() - this.#latestMs >= idleMs;
  }
}
