/** A worker that lived this long was well: what ends it then is news. */
const STEADY_MS = 10_000;
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;

/**
 * When a worker that died is started again: at once, but one that dies again and again soon after its start only after a second, then
 * two, four ... 30 at most, so that a crash loop costs little and its log can be read.
 */
export class RespawnPace {
  /** Deaths in a row soon after the start. */
  #early = 0;

  /** @param livedMs How long the worker ran. Returns how long to wait, milliseconds. */
  delayMs(livedMs: number): number {
    this.#early = livedMs >= STEADY_MS ? 0 : this.#early + 1;
    return this.#early < 2 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#early - 2));
  }

  /** Deaths in a row soon after the start; from 2 on it is a crash loop. */
  get early(): number {
    return this.#early;
  }
}
