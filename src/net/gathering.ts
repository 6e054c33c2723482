/**
 * When it pays to let events gather before the next look: exchanges that share connections then share system calls too. As the moderation of
 * interrupts in network cards, it only happens under load, and by Little's law (L = rate x time) it is known what it costs: a pause that is
 * short beside the time that an exchange waits for its answer anyway is not felt.
 */

/** The pause, microseconds. The kernel adds its timer slack, about 50. */
export const PAUSE_US = 50;
/** A pause brings together two exchanges or more when so many begin in a millisecond. */
const LEAST_RATE = 20;
/** How long exchanges wait for their answer at least, on average, milliseconds: ten times a pause with its slack. */
const LEAST_WAIT_MS = 1;
/** The rate is that of the last so many milliseconds: longer than a burst, of which a steady load at half the rate consists too. */
const WINDOW_MS = 10;

let waiting = 0;
let begun = 0;

/** An exchange begins that shares its connection with others: it waits for its answer. */
export function exchangeBegins(): void {
  waiting++;
  begun++;
}

/** ... is answered, or will never be. */
export function exchangeAnswered(): void {
  waiting--;
}

/** Exchanges that wait for their answer now. */
export function exchangesWaiting(): number {
  return waiting;
}

/** Decides on the pauses of one poller. */
export class Gathering {
  #sinceMs = 0;
  #begunBefore = 0;
  #rate = 0;
  #idle = false;

  /** Nothing was ready: there is time to spare. A process that is busy all the time would only lose by a pause. */
  onIdle(): void {
    this.#idle = true;
  }

  /** Whether to pause now. At most once each time there was nothing to do. */
  pays(nowMs: number): boolean {
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs >= WINDOW_MS) {
      this.#rate = (begun - this.#begunBefore) / elapsedMs;
      this.#begunBefore = begun;
      this.#sinceMs = nowMs;
    }
    if (!this.#idle || this.#rate < LEAST_RATE || waiting < this.#rate * LEAST_WAIT_MS) return false;
    this.#idle = false;
    return true;
  }
}
