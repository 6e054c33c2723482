import { test } from 'bun:test';

/** How often it is looked whether the machine goes on, and how late that may be until it counts as a stall. */
const LOOK_EVERY_MS = 10;
const STALL_MS = 50;
const ATTEMPTS = 4;
/** Of all attempts. */
const TIMEOUT_MS = 120_000;

/** Sees stalls of the machine by a timer that comes late. */
class StallWatch implements Disposable {
  /** The longest so far, milliseconds. */
  worstMs = 0;
  #lastMs = performance.now();
  readonly #timer = setInterval(() => this.look(), LOOK_EVERY_MS);

  look(): void {
    const now = performance.now();
    this.worstMs = Math.max(this.worstMs, now - this.#lastMs - LOOK_EVERY_MS);
    this.#lastMs = now;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/**
 * A test that counts failures in a short time, or measures a time. When it fails and the machine stood still meanwhile,
 * it runs again: what was seen tells of the machine then, and not of the program. On a machine that goes on, the first
 * failure counts. (`test/run.ts` runs a file that failed once more for whatever reason; this is for what a stall explains,
 * three times more, without the rest of the file.)
 */
export function steadyTest(name: string, measure: () => Promise<void>): void {
  test(
    name,
    async () => {
      for (let attempt = 1; ; attempt++) {
        using watch = new StallWatch();
        try {
          return await measure();
        } catch (error) {
          watch.look();
          if (watch.worstMs < STALL_MS || attempt === ATTEMPTS) throw error;
          process.stderr.write(
            `${name}: the machine stood still for ${Math.round(watch.worstMs)} ms, once more\n`,
          );
        }
      }
    },
    TIMEOUT_MS,
  );
}
