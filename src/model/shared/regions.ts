import { PAGE_BYTES } from './layout.ts';

/** Where a region lies: bytes from the beginning of the memory. Plain data. */
export interface Region {
  readonly offset: number;
  readonly sizeBytes: number;
}

interface Held extends Region {
  /** Since when nobody asks for it; undefined when somebody does. */
  restingSinceMs: number | undefined;
}

/** How long a region rests before something else gets it, milliseconds. */
const REST_MS = 60_000;

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** Gives out whole pages of a stretch of memory, for tables of any size: first fit. */
export class Regions {
  readonly #from: number;
  readonly #end: number;
  readonly #held = new Map<string, Held>();
  readonly #freed: (region: Region) => void;

  /**
   * @param from First byte, at the beginning of a page.
   * @param freed Told of what nobody has any more.
   */
  constructor(from: number, sizeBytes: number, freed: (region: Region) => void = () => {}) {
    this.#freed = freed;
    this.#from = from;
    this.#end = from + sizeBytes;
  }

  /**
   * Regions for all that is asked for; what has one keeps it.
   * @returns all of them, and the keys of those that are new.
   * @throws Error when not all fit; then nothing was given out.
   */
  assign(
    wanted: readonly (readonly [key: string, sizeBytes: number])[],
    nowMs: number,
  ): { readonly regions: ReadonlyMap<string, Region>; readonly fresh: readonly string[] } {
    this.#sweep(nowMs);
    const fresh: string[] = [];
    for (const [key, sizeBytes] of wanted) {
      const held = this.#held.get(key);
      if (held !== undefined) {
        held.restingSinceMs = undefined;
        continue;
      }
      const offset = this.#gap(wholePages(sizeBytes));
      if (offset === undefined) {
        for (const one of fresh) this.#held.delete(one);
        throw new Error(
          'rate limits and limits of clients together remember more keys than there is shared memory for; lower maxKeys',
        );
      }
      this.#held.set(key, { offset, sizeBytes, restingSinceMs: undefined });
      fresh.push(key);
    }
    return { regions: new Map(wanted.map(([key]) => [key, this.#held.get(key)!])), fresh };
  }

  /** Whether that one has its memory still, in use or resting. */
  holds(key: string): boolean {
    return this.#held.has(key);
  }

  /** Nobody uses others than these any more. */
  retain(keys: ReadonlySet<string>, nowMs: number): void {
    for (const [key, held] of this.#held)
      held.restingSinceMs = keys.has(key) ? undefined : (held.restingSinceMs ?? nowMs);
  }

  #sweep(nowMs: number): void {
    for (const [key, { offset, sizeBytes, restingSinceMs }] of this.#held) {
      if (restingSinceMs === undefined || nowMs - restingSinceMs < REST_MS) continue;
      this.#held.delete(key);
      this.#freed({ offset, sizeBytes: wholePages(sizeBytes) });
    }
  }

  #gap(bytes: number): number | undefined {
    let at = this.#from;
    for (const { offset, sizeBytes } of [...this.#held.values()].toSorted((a, b) => a.offset - b.offset)) {
      if (offset - at >= bytes) return at;
      at = offset + wholePages(sizeBytes);
    }
    return this.#end - at >= bytes ? at : undefined;
  }
}
