import { copyBytes } from './copy-bytes.ts';
import { equalBytes, hashOf } from './hpack-hash.ts';
import { STATIC_COUNT } from './hpack-static.ts';
import { findStatic, findStaticValue, staticSecret } from './hpack-static-index.ts';
import { writeInteger, writeString } from './hpack-write.ts';
import { ENTRY_OVERHEAD, HpackTable } from './hpack-table.ts';

const PATH_INDEX = 4;
const QUESTION_MARK = 63;

const SLOTS = 256;
const NAME_SLOTS = 64;
const PROBES = 4;
const SEEN = 128;

/** Where a line is put together in the case and layout of the table; one for all encoders. */
let line = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * The encoder of one direction of an HTTP/2 connection (RFC 7541). A field that repeats costs a look-up and one byte. It enters the
 * table when it comes a second time within a while, so that what is different in every message (dates of change, ids of
 * requests) never displaces what is not. Secrets are sent as never indexed.
 */
export class HpackEncoder {
  /** Counts the states of the table: in the same one, what was encoded before says the same. */
  version = 0;
  /** Counts what the encoder has learned: if nothing, it would encode the same fields in the same way again. */
  learned = 0;
  readonly #table: HpackTable;
  readonly #maxTableBytes: number;
  /** What the peer allows. */
  #peerTableBytes = 4096;
  /** Smallest size that was allowed since the last block; -1 when nothing has changed. */
  #resizeTo = -1;
  /** Serials of lines and of names, by hash; whether they are alive the table knows. */
  #slots: Float64Array | undefined = undefined;
  #nameSlots: Float64Array | undefined = undefined;
  /** Hashes of lines that came once. */
  #seen: Int32Array | undefined = undefined;

  /** @param maxTableBytes what we are willing to keep, whatever the peer allows; at most 4096 without its saying so */
  constructor(maxTableBytes: number) {
    this.#maxTableBytes = maxTableBytes;
    this.#table = new HpackTable(Math.min(maxTableBytes, 4096));
    if (maxTableBytes < 4096) this.#resizeTo = maxTableBytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE: said back to it in the next block (RFC 7541 section 4.2). */
  setPeerTableSize(bytes: number): void {
    if (bytes === this.#peerTableBytes) return;
    this.#peerTableBytes = bytes;
    const capacity = Math.min(bytes, this.#maxTableBytes);
    if (capacity === this.#table.capacityBytes && this.#resizeTo < 0) return;
    this.#resizeTo = this.#resizeTo < 0 ? capacity : Math.min(this.#resizeTo, capacity);
    this.#table.setCapacity(capacity);
    this.version++;
  }

  /** Begins a block in `to` at `at`, where there are 16 bytes of room. Returns the position behind. */
  begin(to: Buffer, at: number): number {
    if (this.#resizeTo < 0) return at;
    const smallest = this.#resizeTo;
    const capacity = this.#table.capacityBytes;
    this.#resizeTo = -1;
    const behind = smallest < capacity ? writeInteger(to, at, 0x20, 0x1f, smallest) : at;
    return writeInteger(to, behind, 0x20, 0x1f, capacity);
  }

  /**
   * Encodes one field whose name (any case) and value lie in `from`. There are 16 bytes more room in `to` than both are long.
   * @param sensitive it came as never indexed, and stays so
   */
  field(
    from: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    sensitive: boolean,
    to: Buffer,
    at: number,
  ): number {
    const nameLength = nameEnd - nameStart;
    const valueLength = valueEnd - valueStart;
    lowerInto(from, nameStart, nameLength, valueLength);
    const nameHash = hashOf(line, 0, nameLength, 0);
    let nameIndex = findStatic(line, nameHash, nameLength);
    if (sensitive || staticSecret[nameIndex] === 1) {
      if (nameIndex === 0) nameIndex = this.#findName(nameHash, nameLength);
      return this.#literal(from, nameLength, valueStart, valueEnd, nameIndex, 0x10, 0x0f, to, at);
    }
    if (nameIndex > 0) {
      const index = findStaticValue(nameIndex, from, valueStart, valueLength);
      if (index > 0) return writeInteger(to, at, 0x80, 0x7f, index);
    }
    const hash = hashOf(from, valueStart, valueEnd, nameHash + valueLength);
    const serial = this.#find(hash, from, nameLength, valueStart, valueLength);
    if (serial >= 0) return writeInteger(to, at, 0x80, 0x7f, STATIC_COUNT + this.#table.added - serial);
    const index = nameIndex > 0 ? nameIndex : this.#findName(nameHash, nameLength);
    if (!this.#enters(hash, nameIndex, from, valueStart, valueEnd, nameLength))
      return this.#literal(from, nameLength, valueStart, valueEnd, index, 0x00, 0x0f, to, at);
    const behind = this.#literal(from, nameLength, valueStart, valueEnd, index, 0x40, 0x3f, to, at);
    this.#add(hash, nameHash, from, nameLength, valueStart, valueEnd);
    return behind;
  }

  /** Whether the field is worth a place in the table. */
  #enters(
    hash: number,
    nameIndex: number,
    from: Buffer,
    valueStart: number,
    valueEnd: number,
    nameLength: number,
  ): boolean {
    const size = nameLength + valueEnd - valueStart + ENTRY_OVERHEAD;
    if (size > this.#table.capacityBytes >>> 1) return false;
    this.#seen ??= new Int32Array(SEEN);
    const slot = hash & (SEEN - 1);
    if (this.#seen[slot] !== hash) {
      this.#seen[slot] = hash;
      this.learned++;
      return false;
    }
    // Queries carry what is nobody's business.
    if (nameIndex === PATH_INDEX)
      for (let at = valueStart; at < valueEnd; at++) if (from[at] === QUESTION_MARK) return false;
    return true;
  }

  #literal(
    from: Buffer,
    nameLength: number,
    valueStart: number,
    valueEnd: number,
    index: number,
    pattern: number,
    mask: number,
    to: Buffer,
    at: number,
  ): number {
    let behind = writeInteger(to, at, pattern, mask, index);
    if (index === 0) behind = writeString(line, 0, nameLength, to, behind);
    return writeString(from, valueStart, valueEnd, to, behind);
  }

  #find(hash: number, from: Buffer, nameLength: number, valueStart: number, valueLength: number): number {
    const slots = this.#slots;
    if (slots === undefined) return -1;
    const table = this.#table;
    for (let probe = 0; probe < PROBES; probe++) {
      const serial = slots[(hash + probe) & (SLOTS - 1)]!;
      if (!table.isAlive(serial)) continue;
      if (table.nameLength(serial) !== nameLength || table.valueLength(serial) !== valueLength) continue;
      const start = table.start(serial);
      if (
        equalBytes(table.bytes, start + nameLength + 2, from, valueStart, valueLength) &&
        equalBytes(table.bytes, start, line, 0, nameLength)
      )
        return serial;
    }
    return -1;
  }

  /** Index of an entry of the dynamic table with the name in `line`; 0 when there is none. */
  #findName(nameHash: number, nameLength: number): number {
    const slots = this.#nameSlots;
    if (slots === undefined) return 0;
    const table = this.#table;
    const serial = slots[nameHash & (NAME_SLOTS - 1)]!;
    if (!table.isAlive(serial) || table.nameLength(serial) !== nameLength) return 0;
    if (!equalBytes(table.bytes, table.start(serial), line, 0, nameLength)) return 0;
    return STATIC_COUNT + table.added - serial;
  }

  #add(
    hash: number,
    nameHash: number,
    from: Buffer,
    nameLength: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    line[nameLength] = 58;
    line[nameLength + 1] = 32;
    const behind = copyBytes(from, valueStart, valueEnd, line, nameLength + 2);
    line[behind] = 13;
    line[behind + 1] = 10;
    const table = this.#table;
    const serial = table.added;
    this.version++;
    this.learned++;
    table.add(line, 0, nameLength, valueEnd - valueStart, 0);
    this.#slots ??= new Float64Array(SLOTS).fill(-1);
    this.#nameSlots ??= new Float64Array(NAME_SLOTS).fill(-1);
    let slot = hash & (SLOTS - 1);
    for (let probe = 0; probe < PROBES; probe++) {
      slot = (hash + probe) & (SLOTS - 1);
      if (!table.isAlive(this.#slots[slot]!)) break;
    }
    this.#slots[slot] = serial;
    this.#nameSlots[nameHash & (NAME_SLOTS - 1)] = serial;
  }
}

/** Puts the name into `line`, lower case; makes sure that a value of that length fits behind it. */
function lowerInto(from: Buffer, start: number, length: number, valueLength: number): void {
  const room = length + valueLength + 4;
  if (line.length < room) line = Buffer.allocUnsafeSlow(room * 2);
  for (let index = 0; index < length; index++) {
    const byte = from[start + index]!;
    line[index] = byte >= 65 && byte <= 90 ? byte | 32 : byte;
  }
}
