import type { Kind } from './cells.ts';
import { type Capacity, KINDS } from './layout.ts';
import type { Region } from './regions.ts';

/** Slots by key, of each kind. Plain data, to be sent to workers. */
export type SlotMap = Readonly<Record<Kind, readonly (readonly [key: string, slot: number])[]>> & {
  readonly regions: readonly (readonly [key: string, region: Region])[];
};

/** A table of any size. */
export interface RegionWish {
  /** As it is asked for. */
  readonly key: string;
  /** What stays the same from one snapshot to the next. */
  readonly id: string;
  readonly sizeBytes: number;
  /** It is a `TallyTable` for so many keys, of which the share of a dead worker is taken back. */
  readonly tallyKeys?: number;
}

/** Keys of all objects of a snapshot. */
export type SlotKeys = Readonly<Record<Kind, readonly string[]>> & {
  readonly regions: readonly RegionWish[];
};

const CALLED: Readonly<Record<Kind, string>> = {
  pool: 'pools',
  endpoint: 'endpoints',
  listener: 'listeners',
  route: 'routes',
};

/** How long a slot rests before another object gets it, milliseconds: whoever still counts for the old one is done by then. */
const REST_MS = 60_000;

/** Slots of one kind. A key that comes back while its slot rests gets it again, with what it has counted. */
class KindSlots {
  readonly #kind: Kind;
  readonly #capacity: number;
  readonly #slots = new Map<string, number>();
  /** Of keys that are in no snapshot any more: since when. */
  readonly #resting = new Map<string, number>();
  readonly #free: number[] = [];
  #used = 0;

  constructor(kind: Kind, capacity: number) {
    this.#kind = kind;
    this.#capacity = capacity;
  }

  used(): Iterable<number> {
    return this.#slots.values();
  }

  /** @throws Error when there are more than there can be. */
  require(keys: readonly string[]): readonly (readonly [key: string, slot: number])[] {
    let missing = 0;
    for (const key of keys) if (!this.#slots.has(key)) missing++;
    const left = this.#capacity - this.#used + this.#free.length;
    if (missing > left) {
      const what = CALLED[this.#kind];
      throw new Error(
        `${missing} new ${what} do not fit: there can be ${this.#capacity} ${what}, those that were removed in the last minute or still have work included`,
      );
    }
    return keys.filter((key) => !this.#slots.has(key)).map((key) => [key, this.#free.pop() ?? this.#used++]);
  }

  keep(assigned: readonly (readonly [key: string, slot: number])[]): void {
    for (const [key, slot] of assigned) this.#slots.set(key, slot);
  }

  giveBack(assigned: readonly (readonly [key: string, slot: number])[]): void {
    for (const [, slot] of assigned) this.#free.push(slot);
  }

  slotOf(key: string): number {
    return this.#slots.get(key)!;
  }

  retain(keys: ReadonlySet<string>, nowMs: number): void {
    for (const key of this.#slots.keys()) {
      if (keys.has(key)) this.#resting.delete(key);
      else if (!this.#resting.has(key)) this.#resting.set(key, nowMs);
    }
  }

  wake(keys: readonly string[]): void {
    for (const key of keys) this.#resting.delete(key);
  }

  sweep(nowMs: number, isQuiet: (slot: number) => boolean): void {
    for (const [key, sinceMs] of this.#resting) {
      const slot = this.#slots.get(key)!;
      if (nowMs - sinceMs < REST_MS || !isQuiet(slot)) continue;
      this.#resting.delete(key);
      this.#slots.delete(key);
      this.#free.push(slot);
    }
  }
}

/**
 * Which slot belongs to what. The supervisor alone assigns; a slot goes to another object only when no snapshot names the old one,
 * nothing is under way in it, and a minute has passed.
 */
export class SlotTable {
  readonly #kinds: Readonly<Record<Kind, KindSlots>>;
  /** Makes a slot empty and ready for use; throws when there is no memory left. */
  readonly #prepare: (kind: Kind, slot: number) => void;
  readonly #isQuiet: (kind: Kind, slot: number) => boolean;

  constructor(
    capacity: Capacity,
    prepare: (kind: Kind, slot: number) => void,
    isQuiet: (kind: Kind, slot: number) => boolean,
  ) {
    this.#kinds = Object.fromEntries(
      KINDS.map((kind) => [kind, new KindSlots(kind, capacity[kind])]),
    ) as Record<Kind, KindSlots>;
    this.#prepare = prepare;
    this.#isQuiet = isQuiet;
  }

  /**
   * Slots for everything in a snapshot; what has one keeps it.
   * @throws Error when not all fit, or no memory is left; then nothing was assigned.
   */
  assign(keys: SlotKeys, nowMs: number): Omit<SlotMap, 'regions'> {
    for (const kind of KINDS) this.#kinds[kind].sweep(nowMs, (slot) => this.#isQuiet(kind, slot));
    const assigned: [Kind, readonly (readonly [string, number])[]][] = [];
    try {
      for (const kind of KINDS) {
        const slots = this.#kinds[kind].require(keys[kind]);
        assigned.push([kind, slots]);
        for (const [, slot] of slots) this.#prepare(kind, slot);
      }
    } catch (error) {
      for (const [kind, slots] of assigned) this.#kinds[kind].giveBack(slots);
      throw error;
    }
    for (const [kind, slots] of assigned) {
      this.#kinds[kind].keep(slots);
      this.#kinds[kind].wake(keys[kind]);
    }
    return mapKinds((kind) => keys[kind].map((key) => [key, this.#kinds[kind].slotOf(key)]));
  }

  /** No worker uses a snapshot any more that names anything else than `keys`. */
  retain(keys: SlotKeys, nowMs: number): void {
    for (const kind of KINDS) this.#kinds[kind].retain(new Set(keys[kind]), nowMs);
  }

  /** Slots of a kind that were assigned and not given back. */
  used(kind: Kind): Iterable<number> {
    return this.#kinds[kind].used();
  }

  /** Calls `visit` with every slot that was assigned and not given back. */
  forEach(visit: (kind: Kind, slot: number) => void): void {
    for (const kind of KINDS) for (const slot of this.used(kind)) visit(kind, slot);
  }
}

function mapKinds<T>(of: (kind: Kind) => T): Readonly<Record<Kind, T>> {
  return Object.fromEntries(KINDS.map((kind) => [kind, of(kind)])) as Record<Kind, T>;
}
