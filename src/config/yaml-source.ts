import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';

import type { Path } from './issue.ts';

/** A problem of the text itself, by its offset in the text. */
export interface SyntaxProblem {
  readonly offset: number;
  readonly message: string;
  readonly hint?: string;
}

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
const MOST_LEVELS = 200;
const TOO_DEEP = 'the file is nested too deeply';
/** Tokens of the lexer that stand for no text. */
const MARKS: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f']);

/** Parses YAML 1.2 (of which JSON is a part) with merge keys. Never throws. */
export function parseYaml(text: string): YamlSource {
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
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      merge: true,
      logLevel: 'error',
    });
    const problems = [...documentProblems(document, text), ...nodeProblems(document)];
    if (problems.length > 0) return failed(problems);
    const value: unknown = document.toJS({ maxAliasCount: -1 });
    const parts = countParts(value);
    if (parts > MOST_PARTS) {
      const message = Number.isFinite(parts)
        ? 'the aliases of this file expand to more than 5 million parts'
        : 'an alias contains itself';
      return failed([{ offset: firstAliasOffset(document), message }]);
    }
    return {
      value,
      problems: [],
      position,
      locate: (path, on) => position(offsetOf(document, path, on)),
    };
  } catch (error) {
    const message =
      error instanceof RangeError ? TOO_DEEP : error instanceof Error ? error.message : String(error);
    return failed([{ offset: 0, message }]);
  }
}

/**
 * Finds where lists and maps are nested beyond all reason. The parser would take minutes over 20 000 levels on one line;
 * its lexer is linear. Nesting by indentation is bounded by the size of the file, which grows with its square.
 */
function tooDeep(text: string): SyntaxProblem | undefined {
  let offset = 0;
  let flow = 0;
  let block = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') flow++;
    else if (token === ']' || token === '}') flow = Math.max(0, flow - 1);
    else if (token === '-' || token === '?') block++;
    else if (token.startsWith('\n')) block = 0;
    if (flow > MOST_LEVELS || block > MOST_LEVELS) return { offset, message: TOO_DEEP };
    if (!MARKS.has(token)) offset += token.length;
  }
  return undefined;
}

function documentProblems(document: Document, text: string): SyntaxProblem[] {
  const found: SyntaxProblem[] = [];
  for (const error of document.errors) found.push(describe(error.code, error.message, error.pos[0], text));
  for (const warning of document.warnings) {
    found.push(describe(warning.code, warning.message, warning.pos[0], text));
  }
  // One mistake often makes the parser stumble again on the same line; the first message is the useful one.
  const seen = new Set<number>();
  return found.filter(({ offset }) => {
    const start = text.lastIndexOf('\n', offset - 1);
    if (seen.has(start)) return false;
    seen.add(start);
    return true;
  });
}

function describe(code: string, message: string, offset: number, text: string): SyntaxProblem {
  switch (code) {
    case 'DUPLICATE_KEY': {
      const key = /^["']?([^\s:"']+)/.exec(text.slice(offset, offset + 100))?.[1] ?? '';
      return { offset, message: `the key "${key}" is here twice`, hint: 'keep one of them' };
    }
    case 'TAB_AS_INDENT':
      return { offset, message: 'a tab is used to indent', hint: 'YAML is indented with spaces' };
    case 'MULTIPLE_DOCS':
      return { offset, message: 'a second document starts here', hint: 'a configuration is one document' };
    case 'TAG_RESOLVE_FAILED':
      return {
        offset,
        message: message.replace('Unresolved tag:', 'unknown tag'),
        hint: 'tags are not used',
      };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return {
        offset,
        message: 'a key with a value cannot stand here',
        hint: 'check the indentation; a text with ": " in it needs quotes',
      };
    case 'MULTILINE_IMPLICIT_KEY':
      return {
        offset,
        message: 'a key must stand on one line',
        hint: 'write a blank after the ":" of a key',
      };
    case 'BAD_SCALAR_START':
      return { offset, message: `a text cannot start with ${text[offset] ?? ''}`, hint: 'put it in quotes' };
    case 'MISSING_CHAR':
    case 'BAD_INDENT': {
      const unclosed = /end with an? ([\]}])|closing (["'])quote/.exec(message);
      const missing = unclosed?.[1] ?? unclosed?.[2];
      if (missing !== undefined) {
        const what = missing === ']' ? 'list' : missing === '}' ? 'map' : 'text';
        return { offset, message: `a ${what} ends nowhere`, hint: `close it with ${missing}` };
      }
      if (!message.startsWith('All ')) break;
      const items = message.includes('mapping') ? 'keys of a map' : 'items of a list';
      return { offset, message: `the ${items} must start in the same column`, hint: 'check the indentation' };
    }
    default:
  }
  return { offset, message: message.charAt(0).toLowerCase() + message.slice(1) };
}

function nodeProblems(document: Document): SyntaxProblem[] {
  const problems: SyntaxProblem[] = [];
  visit(document, {
    Alias(_, alias) {
      if (resolve(document, alias) === undefined) {
        problems.push({ offset: startOf(alias), message: `there is no anchor &${alias.source}` });
      }
    },
    Pair(_, pair) {
      if (isMerge(pair) && !mergeSources(document, pair).every(isMap)) {
        const offset = isNode(pair.key) ? startOf(pair.key) : 0;
        problems.push({ offset, message: '"<<" takes the keys of another map', hint: 'write "<<: *anchor"' });
      }
      if (isScalar(pair.key) || isAlias(pair.key)) return;
      if (isNode(pair.key))
        problems.push({ offset: startOf(pair.key), message: 'a key must be a plain text' });
    },
  });
  return problems;
}

/** Parts of a value when every alias is written out; Infinity when that never ends. Linear in the written size. */
function countParts(value: unknown): number {
  const known = new Map<object, number>();
  const count = (part: unknown): number => {
    if (typeof part !== 'object' || part === null) return 1;
    const before = known.get(part);
    if (before !== undefined) return before;
    known.set(part, Number.POSITIVE_INFINITY);
    let total = 1;
    for (const child of Object.values(part)) total += count(child);
    known.set(part, total);
    return total;
  };
  return count(value);
}

function firstAliasOffset(document: Document): number {
  let offset = 0;
  visit(document, {
    Alias(_, alias) {
      offset = startOf(alias);
      return visit.BREAK;
    },
  });
  return offset;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

function resolve(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function offsetOf(document: Document, path: Path, on: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? startOf(node) : 0;
  for (const [depth, part] of path.entries()) {
    const collection = resolve(document, node);
    if (!isCollection(collection)) return offset;
    if (isSeq(collection)) {
      node = collection.items[Number(part)];
    } else {
      const pair = isMap(collection) ? pairOf(document, collection, String(part)) : undefined;
      if (pair === undefined) return offset;
      const last = depth === path.length - 1;
      if (isNode(pair.key) && ((last && on === 'key') || isEmpty(pair.value))) return startOf(pair.key);
      node = pair.value;
    }
    if (!isNode(node)) return offset;
    offset = startOf(node);
  }
  return offset;
}

/** `key:` with nothing behind it has no place of its own. */
function isEmpty(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === null && value.source === '');
}

function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && (pair.key.source === '<<' || typeof pair.key.value === 'symbol');
}

/** What a merge key takes its keys from; a later one loses. */
function mergeSources(document: Document, pair: Pair): unknown[] {
  const from = resolve(document, pair.value);
  return isSeq(from) ? from.items.map((source) => resolve(document, source)) : [from];
}

function pairOf(document: Document, map: YAMLMap, key: string): Pair | undefined {
  let merged: Pair | undefined;
  for (const pair of map.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    if (String(pair.key.value) === key) return pair;
    if (!isMerge(pair)) continue;
    for (const source of mergeSources(document, pair)) {
      if (isMap(source)) merged ??= pairOf(document, source, key);
    }
  }
  return merged;
}
