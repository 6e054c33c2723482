import { ENTRY_OVERHEAD, type HpackTable } from './hpack-table.ts';

/** Entries that a block adds to the table, whatever is in it before. */
export class TableAdditions {
  readonly #lines: Buffer;
  readonly #nameLengths: Int32Array;
  readonly #valueLengths: Int32Array;
  readonly #kinds: Uint8Array;
  /** What they take in the table (RFC 7541 section 4.1), bytes. */
  readonly #sizeBytes: number;

  /** The latest `count` entries of `table`. */
  constructor(table: HpackTable, count: number) {
    this.#nameLengths = new Int32Array(count);
    this.#valueLengths = new Int32Array(count);
    this.#kinds = new Uint8Array(count);
    const first = table.added - count;
    let bytes = 0;
    for (let index = 0; index < count; index++) {
      this.#nameLengths[index] = table.nameLength(first + index);
      this.#valueLengths[index] = table.valueLength(first + index);
      this.#kinds[index] = table.kind(first + index);
      bytes += this.#nameLengths[index]! + this.#valueLengths[index]! + 4;
    }
    this.#sizeBytes = bytes + count * (ENTRY_OVERHEAD - 4);
    this.#lines = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (let index = 0; index < count; index++) at = table.copyLine(first + index, this.#lines, at);
  }

  /** Adds them `times`, as far as it can be seen afterwards: what would be evicted again is left out. */
  addTo(table: HpackTable, times: number): void {
    const visible = Math.floor(table.capacityBytes / this.#sizeBytes) + 1;
    for (let left = Math.min(times, visible); left > 0; left--) {
      let at = 0;
      for (let index = 0; index < this.#kinds.length; index++) {
        const nameLength = this.#nameLengths[index]!;
        const valueLength = this.#valueLengths[index]!;
        table.add(this.#lines, at, nameLength, valueLength, this.#kinds[index]!);
        at += nameLength + valueLength + 4;
      }
    }
  }
}

/** What a header block means beside its fields, when it comes again. */
export interface BlockEffect {
  /** The state of the table in which it means the same again; -1 when it means the same in all. */
  readonly version: number;
  readonly additions: TableAdditions | undefined;
  /** As `HpackDecoder.listBytes`. */
  readonly listBytes: number;
}
