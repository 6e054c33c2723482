import { turnNowMs } from '../net/turn.ts';

/** An allowance that is used up by events and comes back with time: at most `burst`, `perSecond` a second. */
export interface AllowanceConfig {
  readonly burst: number;
  readonly perSecond: number;
}

class Allowance {
  #left: number;
  #sinceMs: number;

  constructor({ burst }: AllowanceConfig) {
    this.#left = burst;
    this.#sinceMs = turnNowMs();
  }

  /** Takes `cost`. Returns whether there was enough. */
  take(cost: number, { burst, perSecond }: AllowanceConfig): boolean {
    const nowMs = turnNowMs();
    if (nowMs > this.#sinceMs) {
      this.#left = Math.min(burst, this.#left + ((nowMs - this.#sinceMs) * perSecond) / 1000);
      this.#sinceMs = nowMs;
    }
    this.#left -= cost;
    return this.#left >= 0;
  }

  earn(amount: number, { burst }: AllowanceConfig): void {
    this.#left = Math.min(burst, this.#left + amount);
  }
}

/** What a request, and a DATA frame that was sent, is good for: frames that clients send along with it. */
const FRAMES_PER_REQUEST = 8;
const FRAMES_PER_DATA = 4;
/** DATA of less content than this, in front of others, costs a part of a frame. */
export const TINY_DATA = 8;
const TINY_COST = 0.1;

/**
 * How a client behaves on an HTTP/2 connection: what costs the client nothing and us something has an allowance. Requests and responses fill it
 * up again, so that who works is not limited. Known attacks: rapid reset (CVE-2023-44487), MadeYouReset (CVE-2025-8671), floods of PING,
 * SETTINGS, PRIORITY, WINDOW_UPDATE and empty DATA (CVE-2019-9511 to -9518).
 */
export class Conduct {
  readonly #resets: Allowance;
  readonly #frames: Allowance;
  #seenDataFrames = 0;

  constructor(resets: AllowanceConfig, frames: AllowanceConfig) {
    this.#resets = new Allowance(resets);
    this.#frames = new Allowance(frames);
  }

  /** A stream was reset by the client, or because of what it did. */
  mayReset(config: AllowanceConfig): boolean {
    return this.#resets.take(1, config);
  }

  /** A frame that carries nothing of a request. `dataFrames`: how many the client was sent so far. */
  mayControl(config: AllowanceConfig, dataFrames: number): boolean {
    if (this.#frames.take(1, config)) return true;
    const earned = (dataFrames - this.#seenDataFrames) * FRAMES_PER_DATA;
    this.#seenDataFrames = dataFrames;
    if (earned === 0) return false;
    this.#frames.earn(earned, config);
    return this.#frames.take(0, config);
  }

  /** A piece of a body so small that its frame is larger. */
  mayDrip(config: AllowanceConfig): boolean {
    return this.#frames.take(TINY_COST, config);
  }

  onRequest(config: AllowanceConfig): void {
    this.#frames.earn(FRAMES_PER_REQUEST, config);
  }
}
