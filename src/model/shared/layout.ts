import { ENDPOINT_TOTALS } from '../endpoint-stats.ts';
import { LISTENER_TOTALS, ROUTE_TOTALS } from '../listener-stats.ts';
import { POOL_TOTALS } from '../pool-stats.ts';
import { COUNTS, countsOf, type Kind } from './cells.ts';

/** Raised whenever words change their meaning without any of the figures below being different. */
const VERSION = 1;
/** "PMAN", read as a little-endian number. */
const MAGIC = 0x4e41_4d50;
/** Mappings begin at multiples of this: the largest page that a processor we run on has. */
export const PAGE_BYTES = 65_536;
const HEADER_WORDS = 16;

export const KINDS = Object.keys(COUNTS) as readonly Kind[];

/** 64-bit words of totals that an object has in each column. */
export const TOTALS: Readonly<Record<Kind, number>> = {
  pool: POOL_TOTALS,
  endpoint: ENDPOINT_TOTALS,
  listener: LISTENER_TOTALS,
  route: ROUTE_TOTALS,
};

/** How many objects of a kind there can be. Costs addresses, not memory: only what is used is ever backed. */
export type Capacity = Readonly<Record<Kind, number>> & {
  /** For tables of any size; whole pages. */
  readonly arenaBytes: number;
};

export const CAPACITY: Capacity = {
  pool: 8192,
  endpoint: 65_536,
  listener: 1024,
  route: 65_536,
  arenaBytes: 2 ** 32,
};

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/**
 * Where everything lies in the memory that all processes of one Pointsman share. See the picture in
 * `docs/decisions/shared-memory.md`.
 */
export class Layout {
  /** Columns, of which each worker has one; there may be fewer workers. */
  readonly workers: number;
  readonly capacity: Capacity;
  /** From the counts of one worker to those of the next, 32-bit words. */
  readonly countsStride: number;
  /** From the totals of one worker to those of the next, bytes. */
  readonly totalsBytes: number;
  readonly countsAt: number = PAGE_BYTES;
  readonly countsBytes: number;
  readonly arenaAt: number;
  readonly sizeBytes: number;
  readonly #lanes = new Map<string, { readonly at: number; readonly words: number }>();
  readonly #records = new Map<Kind, number>();

  constructor(workers: number, capacity: Capacity) {
    this.workers = workers;
    this.capacity = capacity;
    let lane = 0;
    let record = 0;
    for (const kind of KINDS) {
      for (const [count, { WORDS }] of countsOf(kind)) {
        this.#lanes.set(`${kind}.${count}`, { at: lane, words: WORDS });
        lane += capacity[kind] * WORDS;
      }
      this.#records.set(kind, record);
      record += capacity[kind] * TOTALS[kind];
    }
    this.countsStride = pages(lane * 4) / 4;
    this.countsBytes = this.countsStride * 4 * workers;
    this.totalsBytes = pages(record * 8);
    this.arenaAt = this.totalsAt(workers + 1);
    this.sizeBytes = this.arenaAt + capacity.arenaBytes;
  }

  /** First byte of the totals of a column. The one after the last worker holds what dead workers counted. */
  totalsAt(column: number): number {
    return this.countsAt + this.countsBytes + column * this.totalsBytes;
  }

  /** Index of the first word of a count within the words of a column. Counts of one name lie side by side: policies read many at once. */
  countAt(kind: Kind, count: string, slot: number): number {
    const { at, words } = this.#lanes.get(`${kind}.${count}`)!;
    return at + slot * words;
  }

  /** Index of a record within the totals of a column, 64-bit words. */
  recordAt(kind: Kind, slot: number): number {
    return this.#records.get(kind)! + slot * TOTALS[kind];
  }

  /** What the first words of the memory say, so that nobody reads it in another way than it was written. */
  header(): Int32Array {
    const shape = KINDS.map((kind) => [
      kind,
      countsOf(kind).map(([count, { WORDS }]) => [count, WORDS]),
      TOTALS[kind],
    ]);
    const words = Int32Array.of(
      MAGIC,
      VERSION,
      checksum(JSON.stringify(shape)),
      this.workers,
      ...KINDS.map((kind) => this.capacity[kind]),
      this.capacity.arenaBytes / PAGE_BYTES,
    );
    const header = new Int32Array(HEADER_WORDS);
    header.set(words);
    header[HEADER_WORDS - 1] = checksum(words.join());
    return header;
  }
}

/**
 * Reads how a memory is laid out.
 * @throws Error when it is not of this version of Pointsman, or damaged.
 */
export function readLayout(header: Int32Array): Layout {
  const [magic, , , workers = 0] = header;
  if (magic !== MAGIC) throw new Error('this is not the shared memory of Pointsman');
  const of = (index: number): number => header[4 + index] ?? 0;
  const slots = Object.fromEntries(KINDS.map((kind, index) => [kind, of(index)])) as Record<Kind, number>;
  const capacity = { ...slots, arenaBytes: of(KINDS.length) * PAGE_BYTES };
  const layout = new Layout(workers, capacity);
  if (!layout.header().every((word, index) => word === header[index]))
    throw new Error(
      'the shared memory is of another version of Pointsman, or damaged; if the files of the program were replaced: pointsman upgrade',
    );
  return layout;
}

/** FNV-1a (Fowler, Noll, Vo), 32 bits. */
function checksum(text: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return hash;
}
