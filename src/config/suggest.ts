import { plainWord } from './advice.ts';

/**
 * Edits between two texts: insert, delete, replace, swap two neighbours (optimal string alignment, after Damerau 1964).
 */
function distance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const current = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        best = Math.min(best, beforePrevious[j - 2]! + 1);
      }
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length]!;
}

/** Longer texts are not typing errors of short names; comparing them would only cost time. */
const LONGEST = 64;
/** As many candidates are compared; a list beyond that is generated, not typed. */
const MOST_CANDIDATES = 2000;

/** The candidate that `word` was probably meant to be; undefined when none is near. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > LONGEST) return undefined;
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  let left = MOST_CANDIDATES;
  for (const candidate of candidates) {
    if (left-- === 0) break;
    if (candidate.length > LONGEST) continue;
    if (plainWord(candidate) === plainWord(word)) return candidate;
    const edits = distance(word, candidate);
    if (edits < bestDistance && edits <= Math.max(1, Math.floor(candidate.length / 3))) {
      best = candidate;
      bestDistance = edits;
    }
  }
  return best;
}

/** A list for a message: `a, b, c`, cut after `most`. */
export function listed(items: readonly string[], most = 12): string {
  const shown = items.slice(0, most).join(', ');
  return items.length > most ? `${shown} and ${items.length - most} more` : shown;
}

/** `did you mean "web"? (pools: web, api)`; without a near one `known pools: web, api`. */
export function didYouMean(word: string, candidates: readonly string[], plural: string): string | undefined {
  if (candidates.length === 0) return undefined;
  const near = closest(word, candidates);
  const all = `${plural}: ${listed(candidates)}`;
  return near === undefined ? `known ${all}` : `did you mean "${near}"? (${all})`;
}
