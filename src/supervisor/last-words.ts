import type { CancelTimer, Clock } from '../util/clock.ts';

/** Lines that are kept. */
const MOST_LINES = 20;
/** Of the text of these lines, characters. */
const MOST_CHARACTERS = 8192;
/** Somebody else may have the stream still, when its process has ended; milliseconds. */
const PATIENCE_MS = 250;

/** What a process that was started writes on its standard error: passed on as it comes, and its end remembered. */
export class LastWords {
  readonly #clock: Clock;
  readonly #read: Promise<void>;
  #text = '';

  /** @param passOn Where it goes; never throws. */
  constructor(stream: ReadableStream<Uint8Array>, clock: Clock, passOn: (bytes: Uint8Array) => void) {
    this.#clock = clock;
    this.#read = this.#follow(stream, passOn).catch(() => {});
  }

  async #follow(stream: ReadableStream<Uint8Array>, passOn: (bytes: Uint8Array) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      passOn(bytes);
      this.#text = (this.#text + decoder.decode(bytes, { stream: true })).slice(-MOST_CHARACTERS);
    }
  }

  /** The last lines, when its process has ended. */
  async lines(): Promise<readonly string[]> {
    let cancel: CancelTimer = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.after(PATIENCE_MS, resolve);
    });
    await Promise.race([this.#read, late]);
    cancel();
    const lines = this.#text.split('\n').map((line) => line.trimEnd());
    return lines.filter((line) => line !== '').slice(-MOST_LINES);
  }
}

/** The line of some that says best what went wrong: the last that names an error, else the last; undefined when there is none. */
export function tellingLine(lines: readonly string[]): string | undefined {
  return (lines.findLast((line) => /\berror\b|not found/i.test(line)) ?? lines.at(-1))?.trim();
}
