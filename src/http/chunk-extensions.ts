import { SP, TAB, TOKEN } from './tables.ts';

const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

const State = {
  /** Right behind the size, a name or a value: nothing is open. */
  Whole: 0,
  /** Blanks behind the size or a value: only another extension may follow. */
  Blank: 1,
  NameStart: 2,
  Name: 3,
  NameBlank: 4,
  ValueStart: 5,
  Value: 6,
  Quoted: 7,
  Escaped: 8,
} as const;
type StateName = (typeof State)[keyof typeof State];

/** What a quoted string may hold (RFC 9110 section 5.6.4). */
function isText(byte: number): boolean {
  return byte === TAB || (byte >= SP && byte !== 127);
}

/**
 * Checks chunk extensions (RFC 9112 section 7.1.1) byte by byte: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`. They
 * mean nothing here, but whoever reads them otherwise may see another end of the line.
 */
export class ChunkExtensions {
  #state: StateName = State.Whole;

  reset(): void {
    this.#state = State.Whole;
  }

  /** The line may end here. */
  get complete(): boolean {
    return this.#state === State.Whole || this.#state === State.Name || this.#state === State.Value;
  }

  /** Takes one byte; false when it must not stand there. */
  take(byte: number): boolean {
    const next = this.#next(byte);
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }

  #next(byte: number): StateName | undefined {
    const blank = byte === SP || byte === TAB;
    switch (this.#state) {
      case State.Whole:
      case State.Blank:
        return blank ? State.Blank : byte === SEMICOLON ? State.NameStart : undefined;
      case State.NameStart:
        return blank ? State.NameStart : TOKEN[byte] === 1 ? State.Name : undefined;
      case State.Name:
        if (TOKEN[byte] === 1) return State.Name;
        return blank ? State.NameBlank : this.#behindName(byte);
      case State.NameBlank:
        return blank ? State.NameBlank : this.#behindName(byte);
      case State.ValueStart:
        if (blank) return State.ValueStart;
        return byte === QUOTE ? State.Quoted : TOKEN[byte] === 1 ? State.Value : undefined;
      case State.Value:
        if (TOKEN[byte] === 1) return State.Value;
        return blank ? State.Blank : byte === SEMICOLON ? State.NameStart : undefined;
      case State.Quoted:
        if (byte === QUOTE) return State.Whole;
        return byte === BACKSLASH ? State.Escaped : isText(byte) ? State.Quoted : undefined;
      case State.Escaped:
        break;
    }
    return isText(byte) ? State.Quoted : undefined;
  }

  #behindName(byte: number): StateName | undefined {
    return byte === EQUALS ? State.ValueStart : byte === SEMICOLON ? State.NameStart : undefined;
  }
}
