import { LineCounter, parseDocument } from 'yaml';

import type { Path } from './issue.ts';
import { readJson } from './json-text.ts';
import { documentProblems, type SyntaxProblem, TOO_DEEP, tooDeep } from './yaml-problems.ts';
import { YamlTree } from './yaml-tree.ts';

/** Where a character stands; both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A parsed text: its value, or what is wrong with it, and the place of every part. */
export interface YamlSource {
  readonly value: unknown;
  readonly problems: readonly SyntaxProblem[];
  /** Place of the value at `path` or of its key; that of the nearest part around it when it is not there. */
  locate(path: Path, on: 'key' | 'value'): Position;
  position(offset: number): Position;
}

/** Parts after aliases are expanded. A real configuration of 10 000 routes has about 200 000. */
const MOST_PARTS = 5_000_000;

/** Parses YAML 1.2 (of which JSON is a part) with merge keys. Never throws. */
export function parseYaml(text: string): YamlSource {
  const value = readJson(text);
  if (value === undefined) return parseText(text);
  // Only who has something to say of it asks for places.
  let parsed: YamlSource | undefined;
  const places = (): YamlSource => (parsed ??= parseText(text));
  return {
    value,
    problems: [],
    position: (offset) => places().position(offset),
    locate: (path, on) => places().locate(path, on),
  };
}

function parseText(text: string): YamlSource {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.min(Math.max(offset, 0), text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const failed = (problems: readonly SyntaxProblem[]): YamlSource => ({
    value: undefined,
    problems,
    position,
    locate: () => ({ line: 1, column: 1 }),
  });
  try {
    const deep = tooDeep(text);
    if (deep !== undefined) {
      lines.addNewLine(0);
      for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1);
      return failed([deep]);
    }
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
    const found = documentProblems(document, text);
    if (found.length > 0) return failed(found);
    const tree = new YamlTree(document);
    const { value, problems } = tree.read();
    if (problems.length > 0) return failed(problems);
    if (countParts(value) > MOST_PARTS) {
      return failed([{ offset: 0, message: 'the aliases of this file expand to more than 5 million parts' }]);
    }
    return { value, problems: [], position, locate: (path, on) => position(tree.offsetOf(path, on)) };
  } catch (error) {
    const message =
      error instanceof RangeError ? TOO_DEEP : error instanceof Error ? error.message : String(error);
    return failed([{ offset: 0, message }]);
  }
}

/** Parts of a value when every alias is written out. Linear in the written size. */
function countParts(value: unknown): number {
  const known = new Map<object, number>();
  const count = (part: unknown): number => {
    if (typeof part !== 'object' || part === null) return 1;
    const before = known.get(part);
    if (before !== undefined) return before;
    let total = 1;
    for (const child of Object.values(part)) total += count(child);
    known.set(part, total);
    return total;
  };
  return count(value);
}
