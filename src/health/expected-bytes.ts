import type { Expectation } from '../config/schema/send-expect.ts';
import { bytesOf } from '../config/written-bytes.ts';
import { shownBytes } from './probe.ts';

/** How far an answer goes towards what is expected: the bytes up to where it was met, or whether more could still bring it. */
export type Match = { readonly end: number } | 'more' | 'never';

export interface Matcher {
  /** What is expected, in words: `that contains "+PONG"`. */
  readonly words: string;
  match(received: Buffer): Match;
  /** What came instead, in words; absent when the bytes say it best. */
  describe?(received: Buffer): string;
}

/** A judge of answers, made from what the configuration expects. */
export function matcherOf(expected: Expectation): Matcher {
  if (typeof expected === 'string') return containing(Buffer.from(expected));
  if ('contains' in expected) return containing(bytesOf(expected.contains));
  if ('prefix' in expected) return beginning(bytesOf(expected.prefix));
  return matching(expected.regex);
}

function containing(wanted: Buffer): Matcher {
  return {
    words: `contains ${shownBytes(wanted)}`,
    match(received) {
      const at = received.indexOf(wanted);
      return at < 0 ? 'more' : { end: at + wanted.length };
    },
  };
}

function beginning(wanted: Buffer): Matcher {
  return {
    words: `begins with ${shownBytes(wanted)}`,
    match(received) {
      const length = Math.min(received.length, wanted.length);
      if (received.compare(wanted, 0, length, 0, length) !== 0) return 'never';
      return length < wanted.length ? 'more' : { end: length };
    },
  };
}

/** Each byte is one character, so that the expression can speak of any of them. */
function matching(source: string): Matcher {
  const pattern = new RegExp(source);
  return {
    words: `matches /${source}/`,
    match(received) {
      const found = pattern.exec(received.toString('latin1'));
      return found === null ? 'more' : { end: found.index + found[0].length };
    },
  };
}
