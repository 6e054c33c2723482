import { copyBytes } from './copy-bytes.ts';
import { BlockReader, FAILED } from './hpack-block-reader.ts';
import type { HeaderSink, HpackError } from './hpack-header-sink.ts';
import { HeaderKind, headerKind, isHeaderValue } from './hpack-kinds.ts';
import {
  STATIC_COUNT,
  staticKind,
  staticLines,
  staticNameLength,
  staticStart,
  staticValueLength,
} from './hpack-static.ts';
import { type BlockEffect, TableAdditions } from './hpack-effect.ts';
import { ENTRY_OVERHEAD, HpackTable } from './hpack-table.ts';

/** Beside the kind in the table: the value breaks the grammar, the name does not. */
const BAD_VALUE = 0x80;

/** Where lines are written, and what reads blocks: one for all decoders, because a block is decoded in one go. */
let lines = Buffer.allocUnsafeSlow(0);
const reader = new BlockReader();

/**
 * The decoder of one direction of an HTTP/2 connection (RFC 7541). Names and values go from the block to lines of bytes, no
 * strings between. It is bounded in every way: a block can make it write no more than `maxListBytes`, whatever it repeats.
 */
export class HpackDecoder {
  /** Size of the last block by RFC 9113 section 10.5.1: names, values and 32 bytes a field. Not counted beyond the limit. */
  listBytes = 0;
  /** The last block was larger than allowed: what came behind the limit was not handed out. The table is as it should be. */
  tooLarge = false;
  /** Counts the states of the table: in the same one, an index means the same. */
  version = 0;
  readonly #table: HpackTable;
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  /** What the last block did: fields of the dynamic table were named; entries were added; the table became smaller, or was emptied. */
  #usedTable = false;
  #additions = 0;
  #resized = false;
  /** ... it could not be decoded. */
  #failed = false;
  /** What was repeated adds to the table when somebody looks. */
  #owed: TableAdditions | undefined = undefined;
  #owedTimes = 0;
  /** Where the line that is handed out next begins. */
  #position = 0;
  /** Kind of the name that was copied last from an entry. */
  #lastKind = 0;

  /**
   * @param maxTableBytes what we announce as SETTINGS_HEADER_TABLE_SIZE
   * @param maxListBytes what we announce as SETTINGS_MAX_HEADER_LIST_SIZE
   */
  constructor(maxTableBytes: number, maxListBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#maxListBytes = maxListBytes;
    this.#table = new HpackTable(maxTableBytes);
    // A line that is too much for the list may still have to go into the table.
    const room = maxListBytes + maxTableBytes + 64;
    if (lines.length < room) lines = Buffer.allocUnsafeSlow(room);
  }

  /** The lines of the last block, valid until the next one is decoded, by whichever decoder. */
  get lines(): Buffer {
    return lines;
  }

  /** Where the lines of the last block end. */
  get linesEnd(): number {
    return this.#position;
  }

  /** Decodes a whole header block (RFC 7541 section 3). Returns what is wrong with it, or undefined. */
  decode(block: Buffer, start: number, end: number, sink: HeaderSink): HpackError | undefined {
    if (this.#owedTimes > 0) this.#settle();
    this.#usedTable = false;
    this.#resized = false;
    const { added } = this.#table;
    const error = this.#decode(block, start, end, sink);
    this.#failed = error !== undefined;
    this.#additions = this.#table.added - added;
    if (this.#additions > 0 || this.#resized) this.version++;
    return error;
  }

  /** The state of the table in which the block that was decoded last means the same again; -1 for any, undefined for none. */
  get effectVersion(): number | undefined {
    const additions = this.#additions;
    if (this.#resized || this.tooLarge || this.#failed) return undefined;
    if (additions === 0) return this.#usedTable ? this.version : -1;
    // What it named may not be there any more, or be something that it added.
    return this.#usedTable || additions > this.#table.count ? undefined : -1;
  }

  /** What the block that was decoded last does when it comes again; `effectVersion` is defined. */
  effect(): BlockEffect {
    const additions = this.#additions;
    return {
      version: this.effectVersion!,
      additions: additions > 0 ? new TableAdditions(this.#table, additions) : undefined,
      listBytes: this.listBytes,
    };
  }

  /** A block comes again, in a state of the table in which it means the same. */
  repeat({ additions, listBytes }: BlockEffect): void {
    this.listBytes = listBytes;
    this.tooLarge = false;
    if (additions === undefined) return;
    this.version++;
    if (additions !== this.#owed) {
      if (this.#owedTimes > 0) this.#settle();
      this.#owed = additions;
    }
    this.#owedTimes++;
  }

  #settle(): void {
    const times = this.#owedTimes;
    this.#owedTimes = 0;
    this.#owed!.addTo(this.#table, times);
  }

  #decode(block: Buffer, start: number, end: number, sink: HeaderSink): HpackError | undefined {
    this.listBytes = 0;
    this.tooLarge = false;
    this.#position = 0;
    reader.begin(start);
    let mayResize = true;
    while (reader.at < end) {
      const byte = block[reader.at]!;
      if (byte >= 0x80) {
        mayResize = false;
        if (!this.#indexed(block, end, sink)) return reader.error;
      } else if ((byte & 0xe0) === 0x20) {
        if (!mayResize) return 'size_update_late';
        if (!this.#resize(block, end)) return reader.error;
      } else {
        mayResize = false;
        if (!this.#literal(block, end, byte, sink)) return reader.error;
      }
    }
    return undefined;
  }

  /** RFC 7541 section 6.1. */
  #indexed(block: Buffer, end: number, sink: HeaderSink): boolean {
    const index = reader.integer(block, end, 0x7f);
    if (index < 0) return false;
    if (index > 0 && index <= STATIC_COUNT) {
      const start = staticStart[index]!;
      return this.#copyLine(
        staticLines,
        start,
        staticNameLength[index]!,
        staticValueLength[index]!,
        staticKind[index]!,
        sink,
      );
    }
    this.#usedTable = true;
    const table = this.#table;
    const serial = table.added + STATIC_COUNT - index;
    if (!table.isAlive(serial)) return this.#fail('index_unknown');
    return this.#copyLine(
      table.bytes,
      table.start(serial),
      table.nameLength(serial),
      table.valueLength(serial),
      table.kind(serial),
      sink,
    );
  }

  #copyLine(
    from: Buffer,
    start: number,
    nameLength: number,
    valueLength: number,
    kind: number,
    sink: HeaderSink,
  ): boolean {
    if (!this.#fits(nameLength + valueLength)) return true;
    const position = this.#position;
    copyBytes(from, start, start + nameLength + valueLength + 4, lines, position);
    this.#handOut(kind, position, nameLength, valueLength, false, sink);
    return true;
  }

  /** Whether another field may be handed out; from the first that does not fit, none is. */
  #fits(length: number): boolean {
    this.listBytes += length + ENTRY_OVERHEAD;
    if (this.listBytes > this.#maxListBytes) this.tooLarge = true;
    return !this.tooLarge;
  }

  #handOut(
    kind: number,
    position: number,
    nameLength: number,
    valueLength: number,
    neverIndexed: boolean,
    sink: HeaderSink,
  ): void {
    const nameEnd = position + nameLength;
    const valueEnd = nameEnd + 2 + valueLength;
    const usable = kind < BAD_VALUE ? kind : HeaderKind.Malformed;
    if (sink.onHeader(usable, position, nameEnd, nameEnd + 2, valueEnd, neverIndexed))
      this.#position = valueEnd + 2;
  }

  /** RFC 7541 sections 6.2.1 to 6.2.3. */
  #literal(block: Buffer, end: number, first: number, sink: HeaderSink): boolean {
    const indexing = first >= 0x40;
    const index = reader.integer(block, end, indexing ? 0x3f : 0x0f);
    if (index < 0) return false;
    const position = this.#position;
    // Room for what stands behind a name or value in a line.
    const limit = lines.length - 4;
    const nameEnd =
      index === 0 ? reader.string(block, end, lines, position, limit) : this.#nameOf(index, position);
    if (nameEnd === FAILED) return false;
    const kind = index === 0 && nameEnd >= 0 ? headerKind(lines, position, nameEnd) : this.#lastKind;
    const valueStart = nameEnd + 2;
    const valueEnd = reader.string(block, end, lines, nameEnd < 0 ? position : valueStart, limit);
    if (valueEnd === FAILED) return false;
    if (nameEnd < 0 || valueEnd < 0) {
      // Larger than the whole table, and than what is left of the list.
      this.tooLarge = true;
      if (indexing) {
        this.#table.clear();
        this.#resized = true;
      }
      return true;
    }
    lines[nameEnd] = 58;
    lines[nameEnd + 1] = 32;
    lines[valueEnd] = 13;
    lines[valueEnd + 1] = 10;
    const nameLength = nameEnd - position;
    const valueLength = valueEnd - valueStart;
    const checked = isHeaderValue(lines, valueStart, valueEnd) ? kind : kind | BAD_VALUE;
    if (indexing && !this.#table.add(lines, position, nameLength, valueLength, checked)) this.#resized = true;
    if (this.#fits(nameLength + valueLength))
      this.#handOut(checked, position, nameLength, valueLength, (first & 0xf0) === 0x10, sink);
    return true;
  }

  /** Copies the name of an entry to `position`; keeps its kind. Returns where it ends. */
  #nameOf(index: number, position: number): number {
    if (index <= STATIC_COUNT) {
      this.#lastKind = staticKind[index]!;
      const start = staticStart[index]!;
      return copyBytes(staticLines, start, start + staticNameLength[index]!, lines, position);
    }
    this.#usedTable = true;
    const table = this.#table;
    const serial = table.added + STATIC_COUNT - index;
    if (!table.isAlive(serial)) {
      this.#fail('index_unknown');
      return FAILED;
    }
    this.#lastKind = table.kind(serial) & ~BAD_VALUE;
    const start = table.start(serial);
    return copyBytes(table.bytes, start, start + table.nameLength(serial), lines, position);
  }

  /** RFC 7541 section 6.3. */
  #resize(block: Buffer, end: number): boolean {
    const size = reader.integer(block, end, 0x1f);
    if (size < 0) return false;
    if (size > this.#maxTableBytes) return this.#fail('size_update_too_large');
    this.#table.setCapacity(size);
    this.#resized = true;
    return true;
  }

  #fail(error: HpackError): false {
    reader.error = error;
    return false;
  }
}
