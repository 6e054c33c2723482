import { countsOf, type Kind } from './cells.ts';
import { type Capacity, CAPACITY, Layout, TOTALS } from './layout.ts';
import { Regions } from './regions.ts';
import type { SharedFile } from './shared-file.ts';
import { SharedState } from './shared-state.ts';
import { type SlotKeys, type SlotMap, SlotTable } from './slots.ts';
import { TallyTable } from './tally-table.ts';

/** Counts get memory in pieces of this. */
const BACKED_BYTES = 4096;

/** Bytes of memory that a number of workers needs; most of them stay untouched. */
export function sharedStateBytes(workers: number, capacity: Capacity = CAPACITY): number {
  return new Layout(workers, capacity).sizeBytes;
}

/**
 * The supervisor's side of the shared state, by the life of a process:
 *
 * - start: `StateOwner.create`, and each worker attaches to `path` with the number of its column
 * - load or reload: `assign` the keys of the new snapshot and send the slots along with it; when every worker has it in force, or it
 *   was refused everywhere, `retain` the keys of the snapshot that is in force
 * - a worker has died (and only then): `clearColumn`, before another gets its column
 * - before totals are read: `gather`
 */
export class StateOwner {
  /** What the supervisor sees. */
  readonly state: SharedState;
  readonly path: string;
  readonly #file: SharedFile;
  readonly #slots: SlotTable;
  readonly #regions: Regions;
  /** Regions that count what workers have open. */
  readonly #tallies = new Map<string, TallyTable>();
  readonly #prepareRegion: (memory: Uint8Array) => void;
  readonly #columns: readonly Float64Array[];
  /** Pages of counts that have memory. */
  readonly #backed = new Set<number>();

  /**
   * @param file As large as `sharedStateBytes` says, all 0.
   * @param prepareRegion Makes a new region, all 0, ready for use.
   */
  static create(
    file: SharedFile,
    workers: number,
    prepareRegion: (memory: Uint8Array) => void,
    capacity: Capacity = CAPACITY,
  ): StateOwner {
    const layout = new Layout(workers, capacity);
    const header = layout.header();
    const bytes = file.map(0, header.byteLength);
    new Int32Array(bytes.buffer, bytes.byteOffset, header.length).set(header);
    return new StateOwner(file, layout, prepareRegion);
  }

  private constructor(file: SharedFile, layout: Layout, prepareRegion: (memory: Uint8Array) => void) {
    this.path = file.path;
    this.#file = file;
    this.state = new SharedState(file, layout, 'supervisor');
    this.#prepareRegion = prepareRegion;
    this.#regions = new Regions(layout.arenaAt, layout.capacity.arenaBytes);
    this.#columns = Array.from({ length: layout.workers + 1 }, (_, index) => this.state.columnTotals(index));
    this.#slots = new SlotTable(
      layout.capacity,
      (kind, slot) => this.#prepare(kind, slot),
      (kind, slot) => this.#isQuiet(kind, slot),
    );
  }

  /**
   * Slots for everything in a snapshot; what has one keeps it.
   * @throws Error when not all fit, or no memory is left; then nothing was assigned.
   */
  assign(keys: SlotKeys, nowMs: number): SlotMap {
    const slots = this.#slots.assign(keys, nowMs);
    const wanted = keys.regions.map(({ id, sizeBytes }) => [id, sizeBytes] as const);
    const { regions, fresh } = this.#regions.assign(wanted, nowMs);
    for (const id of this.#tallies.keys()) if (!this.#regions.holds(id)) this.#tallies.delete(id);
    for (const id of fresh) {
      const { offset, sizeBytes } = regions.get(id)!;
      this.#file.clear(offset, sizeBytes);
      this.#prepareRegion(this.#file.map(offset, sizeBytes));
    }
    const { workers } = this.state.layout;
    for (const { id, tallyKeys } of keys.regions) {
      if (tallyKeys === undefined) continue;
      this.#tallies.set(
        id,
        new TallyTable(this.state.region(regions.get(id)!), tallyKeys, { workers, own: 0 }),
      );
    }
    return { ...slots, regions: keys.regions.map(({ key, id }) => [key, regions.get(id)!]) };
  }

  /** No worker uses a snapshot any more that names anything else than `keys`. */
  retain(keys: SlotKeys, nowMs: number): void {
    this.#slots.retain(keys, nowMs);
    this.#regions.retain(new Set(keys.regions.map(({ id }) => id)), nowMs);
  }

  /** A worker is dead: what it had under way is not any more, what it counted is kept. */
  clearColumn(worker: number): void {
    for (const tally of this.#tallies.values()) tally.clear(worker);
    const { layout, counts } = this.state;
    const totals = this.#columns[worker]!;
    const retired = this.#columns[layout.workers]!;
    this.#slots.forEach((kind, slot) => {
      this.#forEachWord(kind, slot, worker, (word) => Atomics.store(counts, word, 0));
      const from = layout.recordAt(kind, slot);
      for (let at = from; at < from + TOTALS[kind]; at++) {
        retired[at]! += totals[at]!;
        totals[at] = 0;
      }
    });
  }

  /** Brings the totals that the supervisor sees up to date. */
  gather(): void {
    const { layout } = this.state;
    this.#slots.forEach((kind, slot) => {
      const { totals } = this.state.cells(kind, slot);
      const from = layout.recordAt(kind, slot);
      totals.fill(0);
      for (const column of this.#columns)
        for (let index = 0; index < totals.length; index++) totals[index]! += column[from + index]!;
    });
  }

  #prepare(kind: Kind, slot: number): void {
    const { layout, counts } = this.state;
    for (let worker = 0; worker < layout.workers; worker++) {
      this.#forEachWord(kind, slot, worker, (word) => {
        this.#back(Math.floor((word * 4) / BACKED_BYTES));
        Atomics.store(counts, word, 0);
      });
    }
    for (let column = 0; column <= layout.workers; column++)
      this.#file.clear(layout.totalsAt(column) + layout.recordAt(kind, slot) * 8, TOTALS[kind] * 8);
  }

  /** Gives a page of counts memory, once: they are few, and lie close together. */
  #back(page: number): void {
    if (this.#backed.has(page)) return;
    this.#file.clear(this.state.layout.countsAt + page * BACKED_BYTES, BACKED_BYTES);
    this.#backed.add(page);
  }

  #forEachWord(kind: Kind, slot: number, worker: number, visit: (word: number) => void): void {
    const { layout } = this.state;
    for (const [count, { WORDS }] of countsOf(kind)) {
      const first = layout.countAt(kind, count, slot) + worker * layout.countsStride;
      for (let word = first; word < first + WORDS; word++) visit(word);
    }
  }

  #isQuiet(kind: Kind, slot: number): boolean {
    const { layout, counts } = this.state;
    for (const [count, { HOLDS }] of countsOf(kind)) {
      if (!HOLDS) continue;
      const first = layout.countAt(kind, count, slot);
      for (let worker = 0; worker < layout.workers; worker++)
        if (Atomics.load(counts, first + worker * layout.countsStride) !== 0) return false;
    }
    return true;
  }
}
