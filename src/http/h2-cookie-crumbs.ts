import type { Fields } from '../model/fields.ts';
import { Known } from '../model/known-fields.ts';

const SEMICOLON = 59;
const SP = 32;
const COOKIE = 'cookie: ';

/**
 * The pieces that HTTP/2 may cut a cookie into, so that each compresses well: they are one field again before HTTP/1.1 sees them
 * (RFC 9113 section 8.2.3).
 */
export class CookieCrumbs {
  /** Lines of cookies. */
  #lines = 0;
  /** The last of them. */
  #last = -1;

  reset(): void {
    this.#lines = 0;
    this.#last = -1;
  }

  /**
   * A piece has come: `bytes[start, end)`. One right behind another is moved to it.
   * @returns whether that was so; else it becomes a line of its own, the next of `fields`.
   */
  join(fields: Fields, bytes: Buffer, start: number, end: number): boolean {
    const last = fields.count - 1;
    if (++this.#lines === 1 || this.#last !== last) {
      this.#last = fields.count;
      return false;
    }
    const at = fields.at[last * 4 + 3]!;
    bytes[at] = SEMICOLON;
    bytes[at + 1] = SP;
    bytes.copyWithin(at + 2, start, end);
    this.#lines--;
    fields.extend(last, at + 2 + end - start);
    return true;
  }

  /** All have come: makes one line of those that did not come one behind the other. */
  finish(fields: Fields): void {
    if (this.#lines < 2) return;
    const values: string[] = [];
    for (let index = 0; index < fields.count; index++) {
      if (fields.ids[index] !== Known.Cookie) continue;
      values.push(fields.value(index));
      fields.drop(index);
    }
    fields.append(Known.Cookie, COOKIE, values.join('; '));
  }
}
