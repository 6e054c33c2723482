import type { UdpListenerConfig } from '../config/schema/udp-listener.ts';

/** When a UDP session is over, as far as datagrams and answers say: `session` of a listener. */
export class SessionRules {
  /** Answers are expected, so that their absence is a failure. */
  readonly expectsAnswers: boolean;
  readonly #requests: number;
  readonly #responses: number | undefined;

  constructor({ requests, responses }: UdpListenerConfig['session']) {
    this.#requests = requests;
    this.#responses = responses;
    this.expectsAnswers = responses !== undefined && responses > 0;
  }

  /** A session takes one datagram, so it need not be found again. */
  get single(): boolean {
    return this.#requests === 1;
  }

  /** Whether a session takes no more datagrams of its client. */
  isSpent(requests: number): boolean {
    return this.#requests > 0 && requests >= this.#requests;
  }

  /**
   * Whether nothing is to come any more: it is spent, if it ever is, and all answers are there. Never where the number of answers is not
   * known; where none is expected, only of a session that is spent.
   */
  isComplete(requests: number, responses: number): boolean {
    if (this.#responses === undefined) return false;
    const open = this.#requests > 0 ? !this.isSpent(requests) : this.#responses === 0;
    return !open && responses >= this.#responses * requests;
  }
}
