/**
 * What an endpoint may send of a response before its client has taken any of it, bytes; and what that grows to as the client takes it. So a
 * client that reads nothing costs little, however many requests it has under way.
 */
export const STREAM_WINDOW: number = 64 * 1024;
export const MAX_STREAM_WINDOW: number = 256 * 1024;

/** The flow-control window of one response (RFC 9113 section 5.2), which opens as its client takes what comes. */
export class ResponseWindow {
  /** Bytes that the endpoint may still send. */
  left = 0;
  /** Bytes that were taken, and that it was not told of. */
  #credit = 0;
  /** Bytes that it may send ahead of the client at present. */
  #ahead = STREAM_WINDOW;

  /** Of another response. */
  begin(): void {
    this.left = STREAM_WINDOW;
    this.#ahead = STREAM_WINDOW;
    this.#credit = 0;
  }

  /** So many bytes have come. Returns false when they were more than the endpoint might send. */
  take(length: number): boolean {
    this.left -= length;
    this.#credit += length;
    return this.left >= 0;
  }

  /** So many make it worth while to tell of them. */
  get half(): number {
    return this.#ahead >> 1;
  }

  /** Lets the endpoint send more when at least `least` bytes were taken, 1 or more. Returns the increment to tell it; 0 for none. */
  widen(least: number): number {
    if (this.#credit < least) return 0;
    const ahead = this.#ahead;
    if (this.#credit >= this.half) this.#ahead = Math.min(MAX_STREAM_WINDOW, ahead * 2);
    const increment = this.#credit + this.#ahead - ahead;
    this.left += increment;
    this.#credit = 0;
    return increment;
  }
}
