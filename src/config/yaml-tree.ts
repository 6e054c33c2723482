import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  visit,
  type YAMLMap,
} from 'yaml';

import type { Path } from './issue.ts';
import type { SyntaxProblem } from './yaml-problems.ts';

/**
 * The nodes of a parsed document with every alias resolved in one pass. (The parser's own resolution walks the whole document
 * for each alias: minutes for some thousand of them.)
 */
export class YamlTree {
  readonly #root: Node | null;
  readonly #targets = new Map<Alias, Node>();
  readonly #values = new Map<Node, unknown>();
  readonly #open = new Set<Node>();
  readonly #problems: SyntaxProblem[] = [];

  constructor(document: Document) {
    this.#root = isNode(document.contents) ? document.contents : null;
    const anchors = new Map<string, Node>();
    visit(document, {
      Node: (_, node) => {
        if (isAlias(node)) {
          const target = anchors.get(node.source);
          if (target === undefined) this.#report(node, `there is no anchor &${node.source}`);
          else this.#targets.set(node, target);
        } else if (node.anchor !== undefined) {
          anchors.set(node.anchor, node);
        }
      },
    });
  }

  /**
   * The plain value of the document and what stands in the way of one. Aliases of one anchor share one object, so
   * the value is as large as the text, not as what it expands to.
   */
  read(): { readonly value: unknown; readonly problems: readonly SyntaxProblem[] } {
    return { value: this.#valueOf(this.#root), problems: this.#problems };
  }

  /** Offset of the value at `path` or of its key; of the nearest part around it when it is not there. */
  offsetOf(path: Path, on: 'key' | 'value'): number {
    let node: unknown = this.#root;
    let offset = this.#root === null ? 0 : startOf(this.#root);
    for (const [depth, part] of path.entries()) {
      const around = this.#resolve(node);
      if (isSeq(around)) {
        node = around.items[Number(part)];
      } else {
        const pair = isMap(around) ? this.#pairOf(around, String(part)) : undefined;
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

  #resolve(node: unknown): unknown {
    return isAlias(node) ? this.#targets.get(node) : node;
  }

  #valueOf(written: unknown): unknown {
    const node = this.#resolve(written);
    if (isScalar(node)) return node.value;
    if (!isMap(node) && !isSeq(node)) return null;
    if (this.#values.has(node)) return this.#values.get(node);
    if (this.#open.has(node)) {
      if (isNode(written)) this.#report(written, 'an alias contains itself');
      return null;
    }
    this.#open.add(node);
    const value = isMap(node) ? this.#mapOf(node) : node.items.map((item) => this.#valueOf(item));
    this.#open.delete(node);
    this.#values.set(node, value);
    return value;
  }

  #mapOf(map: YAMLMap): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    for (const pair of map.items) {
      const key = this.#resolve(pair.key);
      if (isMerge(pair)) continue;
      if (isScalar(key)) define(value, String(key.value), this.#valueOf(pair.value));
      else if (isNode(pair.key)) this.#report(pair.key, 'a key must be a plain text');
    }
    // What the map has itself stands before what it takes, wherever the merge key is written.
    for (const pair of map.items.filter(isMerge)) {
      for (const source of this.#mergeSources(pair)) {
        const taken = isMap(this.#resolve(source)) ? this.#valueOf(source) : undefined;
        if (taken === undefined && isNode(pair.key)) {
          this.#report(pair.key, '"<<" takes the keys of another map', 'write "<<: *anchor"');
        }
        for (const [key, item] of Object.entries(taken ?? {})) {
          if (!Object.hasOwn(value, key)) define(value, key, item);
        }
      }
    }
    return value;
  }

  /** What a merge key takes its keys from; a later one loses. */
  #mergeSources(pair: Pair): readonly unknown[] {
    const from = this.#resolve(pair.value);
    return isSeq(from) ? from.items : [pair.value];
  }

  #pairOf(map: YAMLMap, key: string): Pair | undefined {
    const named = (pair: Pair): boolean => {
      const written = this.#resolve(pair.key);
      return isScalar(written) && String(written.value) === key;
    };
    const own = map.items.find((pair) => named(pair) && !isMerge(pair));
    if (own !== undefined) return own;
    for (const pair of map.items.filter(isMerge)) {
      for (const source of this.#mergeSources(pair)) {
        const target = this.#resolve(source);
        const found = isMap(target) ? this.#pairOf(target, key) : undefined;
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #report(node: Node, message: string, hint?: string): void {
    this.#problems.push({ offset: startOf(node), message, ...(hint === undefined ? {} : { hint }) });
  }
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** `<<: ...`; in quotes it is a key like others. */
function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === '<<' && pair.key.type === 'PLAIN';
}

/** `key:` with nothing behind it has no place of its own. */
function isEmpty(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === null && value.source === '');
}

/** Sets a key that may be `__proto__`. */
function define(map: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
}
