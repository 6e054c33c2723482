import type { Path, Problem } from './issue.ts';

interface NotYet {
  /** Keys from the root; `*` is any item of a list. */
  readonly at: readonly string[];
  /** Only these values are missing; every value when not given. */
  readonly values?: readonly string[];
}

/** Parts of the configuration language that come with later versions. Delete a line when its part lands. */
const NOT_YET: readonly NotYet[] = [];

/** What `findNotYet` found: its problems, and the places about which nothing else is to be said. */
export interface NotYetFindings {
  readonly problems: readonly Problem[];
  readonly silenced: readonly Path[];
}

/** Finds what the configuration language has and this version has not. */
export function findNotYet(input: unknown): NotYetFindings {
  const problems: Problem[] = [];
  const silenced: Path[] = [];
  for (const entry of NOT_YET) {
    for (const { at, value } of expand(input, entry.at)) {
      if (entry.values !== undefined && !entry.values.includes(value as string)) continue;
      const subject =
        entry.values === undefined ? JSON.stringify(at.at(-1)) : `${at.at(-1)} ${JSON.stringify(value)}`;
      problems.push({
        code: 'not-yet',
        at,
        on: entry.values === undefined ? 'key' : 'value',
        message: `${subject} is not supported yet by this version`,
      });
      silenced.push(at);
    }
  }
  return { problems, silenced };
}

interface Place {
  readonly at: Path;
  readonly value: unknown;
}

function expand(input: unknown, pattern: readonly string[]): Place[] {
  let places: Place[] = [{ at: [], value: input }];
  for (const step of pattern) {
    const next: Place[] = [];
    for (const { at, value } of places) {
      if (step === '*') {
        if (!Array.isArray(value)) continue;
        for (const [index, item] of value.entries()) next.push({ at: [...at, index], value: item });
      } else if (typeof value === 'object' && value !== null && Object.hasOwn(value, step)) {
        next.push({ at: [...at, step], value: (value as Record<string, unknown>)[step] });
      }
    }
    places = next;
  }
  return places;
}
