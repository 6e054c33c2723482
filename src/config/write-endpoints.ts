import { isMap, isScalar, isSeq, type Node, parseDocument, type YAMLSeq } from 'yaml';

import { loadYaml } from './load.ts';
import { formatAddress } from './schema/address.ts';
import type { EndpointConfig, PoolConfig } from './schema/pool.ts';

export type Rewritten =
  | { readonly ok: true; readonly text: string }
  /** Why it cannot be done, for people. */
  | { readonly ok: false; readonly message: string };

/** A piece of the text and what takes its place. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** An endpoint as a configuration says it: only what is not the default. */
function written({ address, name, weight, maxConnections, priority, state }: EndpointConfig): unknown {
  const spelled = formatAddress(address);
  const entry = {
    address: spelled,
    ...(name === spelled ? {} : { name }),
    ...(weight === 1 ? {} : { weight }),
    ...(maxConnections === 0 ? {} : { maxConnections }),
    ...(priority === 0 ? {} : { priority }),
    ...(state === 'enabled' ? {} : { state }),
  };
  return Object.keys(entry).length === 1 ? spelled : entry;
}

/** On one line. JSON where it stands among JSON, else without quotes that nobody would write. */
function render(value: unknown, json: boolean): string {
  if (json) return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return plain(value);
  return `{ ${Object.entries(value)
    .map(([key, part]) => `${key}: ${plain(part)}`)
    .join(', ')} }`;
}

function plain(value: unknown): string {
  return typeof value === 'string' && !/^[A-Za-z0-9][A-Za-z0-9._-]*(:\d+)?$/.test(value)
    ? JSON.stringify(value)
    : String(value);
}

function rangeOf(node: unknown): { readonly start: number; readonly end: number } {
  const [start, end] = (node as Node).range!;
  return { start, end };
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** Behind the line break of the line in which `offset` is. */
function lineEnd(text: string, offset: number): number {
  const at = text.indexOf('\n', offset);
  return at < 0 ? text.length : at + 1;
}

/** The edits for one item whose state or weight changes. */
function tune(item: unknown, before: EndpointConfig, after: EndpointConfig, json: boolean): Edit[] {
  if (!isMap(item)) return [{ ...rangeOf(item), text: render(written(after), json) }];
  const map = item;
  const edits: Edit[] = [];
  for (const key of ['state', 'weight'] as const) {
    if (before[key] === after[key]) continue;
    const value = map.get(key, true);
    if (isScalar(value)) {
      edits.push({ ...rangeOf(value), text: render(after[key], json) });
      continue;
    }
    const first = map.items[0]!;
    const { start } = rangeOf(first.key);
    const pair = `${json ? JSON.stringify(key) : key}: ${render(after[key], json)}`;
    // Before the first key, where no comment and no bracket can be in the way.
    edits.push({ start, end: start, text: map.flow === true ? `${pair}, ` : `${pair}\n${INDENT}` });
  }
  return edits;
}

/** Stands for the indentation of the line into which a text goes. */
const INDENT = '\u{e000}';

/** Edits of one list of endpoints. */
function editList(text: string, list: YAMLSeq, before: PoolConfig, after: PoolConfig, json: boolean): Edit[] {
  const flow = list.flow === true;
  const wanted = new Map(after.endpoints.map((endpoint) => [endpoint.name, endpoint]));
  const known = new Set(before.endpoints.map(({ name }) => name));
  const added = after.endpoints.filter(({ name }) => !known.has(name));
  const gone = before.endpoints.some(({ name }) => !wanted.has(name));
  if (flow && (gone || added.length > 0)) {
    const all = after.endpoints.map((endpoint) => render(written(endpoint), json));
    return [{ ...rangeOf(list), text: `[${all.join(', ')}]` }];
  }
  const edits: Edit[] = [];
  for (const [index, entry] of before.endpoints.entries()) {
    const item = list.items[index];
    const next = wanted.get(entry.name);
    const { start, end } = rangeOf(item);
    if (next === undefined) {
      const dash = text.lastIndexOf('-', start - 1);
      edits.push({ start: lineStart(text, dash), end: lineEnd(text, end - 1), text: '' });
    } else if (Bun.deepEquals({ ...entry, state: next.state, weight: next.weight }, next))
      edits.push(...tune(item, entry, next, json));
    else edits.push({ start, end: trimmedEnd(text, start, end), text: render(written(next), json) });
  }
  if (added.length > 0) {
    const { start, end } = rangeOf(list.items.at(-1));
    const dash = text.lastIndexOf('-', start - 1);
    const indent = text.slice(lineStart(text, dash), dash);
    const at = lineEnd(text, trimmedEnd(text, start, end) - 1);
    const lines = added.map((endpoint) => `${indent}- ${render(written(endpoint), json)}\n`).join('');
    edits.push({ start: at, end: at, text: at > 0 && text[at - 1] !== '\n' ? `\n${lines}` : lines });
  }
  return edits;
}

/** A block mapping ends where the next thing begins: without the blanks and line breaks in between. */
function trimmedEnd(text: string, start: number, end: number): number {
  return start + text.slice(start, end).trimEnd().length;
}

function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { start, end, text: piece } of [...edits].sort((a, b) => b.start - a.start)) {
    const column = start - lineStart(text, start);
    result = result.slice(0, start) + piece.replaceAll(INDENT, ' '.repeat(column)) + result.slice(end);
  }
  return result;
}

/**
 * The text of a YAML or JSON configuration with other endpoints in some pools; everything else, comments too, stays as it is.
 * @param file What the text says.
 * @param wanted The same pools as they are to be.
 */
export function writeEndpoints(
  text: string,
  file: readonly PoolConfig[],
  wanted: readonly PoolConfig[],
): Rewritten {
  const document = parseDocument(text, { merge: true });
  const json = text.trimStart().startsWith('{');
  const edits: Edit[] = [];
  for (const [index, before] of file.entries()) {
    const after = wanted.find(({ name }) => name === before.name);
    if (after === undefined || Bun.deepEquals(before.endpoints, after.endpoints)) continue;
    const list: unknown = document.getIn(['pools', index, 'endpoints'], true);
    if (!isSeq(list) || list.items.length !== before.endpoints.length)
      return refuse(`the endpoints of pool ${before.name} are not a plain list in the file`);
    if (after.endpoints.length === 0) return refuse(`pool ${before.name} would have no endpoint`);
    edits.push(...editList(text, list, before, after, json));
  }
  const rewritten = applyEdits(text, edits);
  const check = loadYaml(rewritten, 'configuration');
  if (!check.ok || !sameEndpoints(check.config.pools, wanted))
    return refuse('the file is written in a way that cannot be changed safely');
  return { ok: true, text: rewritten };
}

function refuse(message: string): Rewritten {
  return { ok: false, message };
}

function sameEndpoints(a: readonly PoolConfig[], b: readonly PoolConfig[]): boolean {
  const sorted = ({ endpoints }: PoolConfig) => [...endpoints].sort((x, y) => (x.name < y.name ? -1 : 1));
  return (
    a.length === b.length &&
    a.every((pool, index) => {
      const other = b[index]!;
      return pool.name === other.name && Bun.deepEquals(sorted(pool), sorted(other));
    })
  );
}
