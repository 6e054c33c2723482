import type { Path, Problem } from '../issue.ts';

/** Where checks put what they find, and what they may ask about the file as it was written. */
export interface Report {
  /** The configuration cannot be used. */
  error(problem: Problem): void;
  /** It can, but something in it is surely not meant. */
  warning(problem: Problem): void;
  /** Whether the file itself has this key, so that defaults are not blamed. */
  written(at: Path): boolean;
}
