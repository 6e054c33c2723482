import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';

import type { Path } from './issue.ts';

/** Offset of a node in the text. */
export function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** The node itself, or the one that an alias stands for; undefined when there is none. */
export function resolve(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** Whether a pair is `<<: ...`. */
export function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && (pair.key.source === '<<' || typeof pair.key.value === 'symbol');
}

/** What a merge key takes its keys from; a later one loses. */
export function mergeSources(document: Document, pair: Pair): unknown[] {
  const from = resolve(document, pair.value);
  return isSeq(from) ? from.items.map((source) => resolve(document, source)) : [from];
}

/** Offset of the value at `path` or of its key; of the nearest part around it when it is not there. */
export function offsetOf(document: Document, path: Path, on: 'key' | 'value'): number {
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
