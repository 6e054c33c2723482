import { countsOf, type Kind, OBJECT_KINDS } from './cells.ts';
import { type Capacity, CAPACITY, Layout, TOTALS } from './layout.ts';
import { Regions } from './regions.ts';
import type { SharedFile } from './shared-file.ts';
import { SharedState } from './shared-state.ts';
import { type SlotKeys, type SlotMap, SlotTable } from './slots.ts';
import { TallyTable, tallyTableBytes } from './tally-table.ts';

/** Counts get memory in pieces of this. */
const BACKED_BYTES = 4096;

/** Bytes of memory that so many columns need; most of them stay untouched. */
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
  readonly #tallies = new Map<
    string,
    { readonly table: TallyTable; readonly keys: number; readonly offset: number }
  >();
  readonly #prepareRegion: (memory: Uint8Array) => void;
  /** Totals by column, as far as they were looked at. */
  readonly #columns = new Map<number, Float64Array>();
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
    this.#regions = new Regions(layout.arenaAt, layout.capacity.arenaBytes, ({ offset, sizeBytes }) =>
      file.release(offset, sizeBytes),
    );
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
    const tallied = new Map(keys.regions.map(({ id, tallyKeys }) => [id, tallyKeys]));
    for (const id of fresh) {
      const { offset, sizeBytes } = regions.get(id)!;
      const tallyKeys = tallied.get(id);
      // Shares of workers that there are not yet get memory when they come.
      const usedBytes = tallyKeys === undefined ? sizeBytes : tallyTableBytes(tallyKeys, this.state.workers);
      this.#file.clear(offset, usedBytes);
      this.#prepareRegion(this.#file.map(offset, sizeBytes));
    }
    const { workers } = this.state.layout;
    for (const [id, tallyKeys] of tallied) {
      if (tallyKeys === undefined) continue;
      const region = regions.get(id)!;
      const table = new TallyTable(this.state.region(region), tallyKeys, { workers, own: 0 });
      this.#tallies.set(id, { table, keys: tallyKeys, offset: region.offset });
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
    for (const { table } of this.#tallies.values()) table.clear(worker);
    const { layout, counts } = this.state;
    const totals = this.#column(worker);
    const retired = this.#column(layout.workers);
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
    const { layout, routeTotals } = this.state;
    const columns = this.#columnsInUse().map((column) => this.#column(column));
    for (const kind of OBJECT_KINDS) {
      for (const slot of this.#slots.used(kind)) {
        const { totals } = this.state.cells(kind, slot);
        const from = layout.recordAt(kind, slot);
        totals.fill(0);
        for (const column of columns)
          for (let index = 0; index < totals.length; index++) totals[index]! += column[from + index]!;
      }
    }
    const routesAt = layout.recordAt('route', 0);
    for (const slot of this.#slots.used('route')) {
      let requests = 0;
      for (const column of columns) requests += column[routesAt + slot]!;
      routeTotals[slot] = requests;
    }
  }

  /**
   * There are so many workers from now on. Columns that are left out must belong to nobody any more; workers must be told before those of
   * new columns begin.
   * @throws Error when no memory is left for the columns of more workers; then there are as many as before.
   */
  span(workers: number): void {
    const before = this.state.workers;
    for (let column = before; column < workers; column++) {
      this.#slots.forEach((kind, slot) => {
        this.#prepareCounts(kind, slot, column);
        this.#clearTotals(kind, slot, column);
      });
      for (const { keys, offset } of this.#tallies.values()) {
        const from = tallyTableBytes(keys, column);
        this.#file.clear(offset + from, tallyTableBytes(keys, column + 1) - from);
      }
    }
    this.state.span(workers);
  }

  #prepare(kind: Kind, slot: number): void {
    for (let worker = 0; worker < this.state.workers; worker++) this.#prepareCounts(kind, slot, worker);
    for (const column of this.#columnsInUse()) this.#clearTotals(kind, slot, column);
  }

  #prepareCounts(kind: Kind, slot: number, worker: number): void {
    this.#forEachWord(kind, slot, worker, (word) => {
      this.#back(Math.floor((word * 4) / BACKED_BYTES));
      Atomics.store(this.state.counts, word, 0);
    });
  }

  #clearTotals(kind: Kind, slot: number, column: number): void {
    const { layout } = this.state;
    this.#file.clear(layout.totalsAt(column) + layout.recordAt(kind, slot) * 8, TOTALS[kind] * 8);
  }

  /** Of the workers that there are, and of those that are dead. */
  #columnsInUse(): readonly number[] {
    const { workers, layout } = this.state;
    return [...Array.from({ length: workers }, (_, column) => column), layout.workers];
  }

  /** The totals of a column; it is not mapped before it is used. */
  #column(column: number): Float64Array {
    const known = this.#columns.get(column);
    if (known !== undefined) return known;
    const totals = this.state.columnTotals(column);
    this.#columns.set(column, totals);
    return totals;
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
      for (let worker = 0; worker < this.state.workers; worker++)
        if (Atomics.load(counts, first + worker * layout.countsStride) !== 0) return false;
    }
    return true;
  }
}
