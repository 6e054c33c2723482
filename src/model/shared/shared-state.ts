import { type Cells, type Count, makeCounts, type ObjectKind } from './cells.ts';
import { type Layout, readLayout, TOTALS } from './layout.ts';
import type { Region } from './regions.ts';
import type { WordsOfWorkers } from './shared-count.ts';
import type { SharedFile } from './shared-file.ts';
import { TallyTable } from './tally-table.ts';

const HEADER_BYTES = 64;

/** Who looks: a worker by its number, from 0, which writes its own column; or the supervisor, which reads the sum of all. */
export type Column = number | 'supervisor';

/**
 * What all workers count together, in memory that all of them have mapped.
 *
 * The supervisor makes it (`StateOwner`), and tells each worker the path of the memory, the number of its column and, with each
 * snapshot, the slots of its pools, endpoints, listeners and routes (`SlotMap`). A worker attaches and makes its objects over the cells
 * of their slots. From then on a pick, an admission or a count costs no message. When a worker has died the supervisor clears its column.
 */
export class SharedState {
  readonly layout: Layout;
  readonly #file: SharedFile;
  readonly #own: number;
  /** Of all columns; see `Layout.countAt`. */
  readonly counts: Int32Array;
  /** Of a worker: the totals that it writes. */
  readonly #totals: Float64Array | undefined;
  /** Has another worker look whom it can serve; what it is before workers can be called does nothing. */
  call: (worker: number) => void = () => {};
  readonly #call = (worker: number): void => this.call(worker);
  /** By slot. */
  readonly #cells: Readonly<Record<ObjectKind, Map<number, Cells<ObjectKind>>>> = {
    pool: new Map(),
    endpoint: new Map(),
    listener: new Map(),
  };
  /** Requests of every route by slot: of a worker those that it counts, of the supervisor the sums that `StateOwner.gather` fills in. */
  readonly routeTotals: Float64Array;
  #workers: number;

  /** @throws Error when the memory is of another version. */
  static attach(file: SharedFile, column: Column): SharedState {
    const header = file.map(0, HEADER_BYTES);
    const layout = readLayout(new Int32Array(header.buffer, header.byteOffset, HEADER_BYTES / 4));
    return new SharedState(file, layout, column);
  }

  constructor(file: SharedFile, layout: Layout, column: Column) {
    if (typeof column === 'number' && (column < 0 || column >= layout.workers))
      throw new RangeError(`there is no column ${column} in a memory for ${layout.workers} workers`);
    this.layout = layout;
    this.#workers = layout.workers;
    this.#file = file;
    this.#own = column === 'supervisor' ? -1 : column;
    const counts = file.map(layout.countsAt, layout.countsBytes);
    this.counts = new Int32Array(counts.buffer, counts.byteOffset, layout.countsBytes / 4);
    this.#totals = column === 'supervisor' ? undefined : this.columnTotals(column);
    const routesAt = layout.recordAt('route', 0);
    const { route } = layout.capacity;
    this.routeTotals = this.#totals?.subarray(routesAt, routesAt + route) ?? new Float64Array(route);
  }

  /** Workers that count, from the first column on: at first as many as there are columns. */
  get workers(): number {
    return this.#workers;
  }

  /** There are so many workers from now on, as many as there are columns at most. Columns that are left out must be 0. */
  span(workers: number): void {
    if (workers === this.#workers) return;
    this.#workers = workers;
    for (const cells of Object.values(this.#cells)) {
      for (const { counts } of cells.values())
        for (const count of Object.values<Count>(counts)) count.span(workers);
    }
  }

  /** The memory of one object. The same slot has the same cells, whoever asks: `Places` depends on it. */
  cells<K extends ObjectKind>(kind: K, slot: number): Cells<K> {
    const known = this.#cells[kind].get(slot);
    if (known !== undefined) return known as Cells<K>;
    const made: Cells<K> = {
      counts: makeCounts(kind, (count) => this.#words(kind, count, slot)),
      totals: this.#record(kind, slot),
    };
    this.#cells[kind].set(slot, made);
    return made;
  }

  /** The memory of a region. */
  region({ offset, sizeBytes }: Region): Uint8Array {
    return this.#file.map(offset, sizeBytes);
  }

  /** A region in which workers count together what each key has open. */
  tally(region: Region, maxKeys: number): TallyTable {
    return new TallyTable(this.region(region), maxKeys, { workers: this.layout.workers, own: this.#own });
  }

  /** Totals of one column; the one after the last worker holds what dead workers counted. */
  columnTotals(column: number): Float64Array {
    const { layout } = this;
    const bytes = this.#file.map(layout.totalsAt(column), layout.totalsBytes);
    return new Float64Array(bytes.buffer, bytes.byteOffset, layout.totalsBytes / 8);
  }

  /** Words of a count in a slot, one for each worker. */
  #words(kind: ObjectKind, count: string, slot: number): WordsOfWorkers {
    const { countsStride: stride } = this.layout;
    const workers = this.#workers;
    const first = this.layout.countAt(kind, count, slot);
    return { words: this.counts, first, stride, workers, own: this.#own, call: this.#call };
  }

  /** A worker's own record; for the supervisor one that `StateOwner.gather` fills. */
  #record(kind: ObjectKind, slot: number): Float64Array {
    const length = TOTALS[kind];
    if (this.#totals === undefined) return new Float64Array(length);
    const at = this.layout.recordAt(kind, slot);
    return this.#totals.subarray(at, at + length);
  }
}
