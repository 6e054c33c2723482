/** What an entry costs beyond its name and value (RFC 7541 section 4.1). */
export const ENTRY_OVERHEAD = 32;

const MIN_STORE_BYTES = 1024;
const MIN_ENTRIES = 16;

// Of tables that hold nothing yet: most connections have one.
const NO_BYTES = Buffer.allocUnsafeSlow(0);
const NO_NUMBERS = new Int32Array(0);
const NO_KINDS = new Uint8Array(0);

/**
 * The dynamic table of HPACK (RFC 7541 section 2.3.2), for either direction: first in, first out, bounded by the sum of names,
 * values and 32 bytes an entry. Entries are lines `name: value` and CRLF in one buffer, ready to be copied. An entry is
 * known by its serial, the number of entries that were added before it.
 */
export class HpackTable {
  /** Entries ever added; the next one's serial. */
  added = 0;
  /** Entries evicted; those from here up to `added` are in the table. */
  evicted = 0;
  /** Size by RFC 7541 section 4.1, bytes. */
  sizeBytes = 0;
  /** Holds the lines of all entries. */
  bytes: Buffer = NO_BYTES;
  #capacityBytes: number;
  #end = 0;
  #mask = 0;
  #starts = NO_NUMBERS;
  #nameLengths = NO_NUMBERS;
  #valueLengths = NO_NUMBERS;
  #kinds = NO_KINDS;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  get count(): number {
    return this.added - this.evicted;
  }

  /** Changes the largest size and evicts what does not fit any more. */
  setCapacity(capacityBytes: number): void {
    this.#capacityBytes = capacityBytes;
    this.#evictTo(capacityBytes);
  }

  isAlive(serial: number): boolean {
    return serial >= this.evicted && serial < this.added;
  }

  start(serial: number): number {
    return this.#starts[serial & this.#mask]!;
  }

  nameLength(serial: number): number {
    return this.#nameLengths[serial & this.#mask]!;
  }

  valueLength(serial: number): number {
    return this.#valueLengths[serial & this.#mask]!;
  }

  /** What the owner gave as the kind. */
  kind(serial: number): number {
    return this.#kinds[serial & this.#mask]!;
  }

  /**
   * Adds a copy of the line that lies in `from` at `start`, laid out as the table keeps it. One that is larger than the whole
   * table empties it (RFC 7541 section 4.4), and false is returned. `from` may not be the table's own memory.
   */
  add(from: Buffer, start: number, nameLength: number, valueLength: number, kind: number): boolean {
    const size = nameLength + valueLength + ENTRY_OVERHEAD;
    if (size > this.#capacityBytes) {
      this.#evictTo(0);
      return false;
    }
    this.#evictTo(this.#capacityBytes - size);
    const length = nameLength + valueLength + 4;
    this.#makeRoom(length);
    if (this.count > this.#mask || this.#starts.length === 0) this.#growEntries();
    from.copy(this.bytes, this.#end, start, start + length);
    const slot = this.added & this.#mask;
    this.#starts[slot] = this.#end;
    this.#nameLengths[slot] = nameLength;
    this.#valueLengths[slot] = valueLength;
    this.#kinds[slot] = kind;
    this.#end += length;
    this.sizeBytes += size;
    this.added++;
    return true;
  }

  /** The line of an entry that is in the table, up to `to` at `at`. Returns the position behind. */
  copyLine(serial: number, to: Buffer, at: number): number {
    const start = this.start(serial);
    return (
      at + this.bytes.copy(to, at, start, start + this.nameLength(serial) + this.valueLength(serial) + 4)
    );
  }

  /** Evicts everything. */
  clear(): void {
    this.#evictTo(0);
  }

  #evictTo(sizeBytes: number): void {
    while (this.sizeBytes > sizeBytes) {
      this.sizeBytes -= this.nameLength(this.evicted) + this.valueLength(this.evicted) + ENTRY_OVERHEAD;
      this.evicted++;
    }
  }

  /** Lines are written one behind the other; at the end of the memory those that are left move to its beginning. */
  #makeRoom(length: number): void {
    if (this.#end + length <= this.bytes.length) return;
    const from = this.count === 0 ? this.#end : this.start(this.evicted);
    const live = this.#end - from;
    const wanted = 2 * (live + length);
    // Half of it free behind a move, so that every byte is moved once on average.
    const target =
      this.bytes.length >= wanted ? this.bytes : Buffer.allocUnsafeSlow(Math.max(MIN_STORE_BYTES, wanted));
    this.bytes.copy(target, 0, from, this.#end);
    this.bytes = target;
    this.#end = live;
    for (let serial = this.evicted; serial < this.added; serial++) this.#starts[serial & this.#mask]! -= from;
  }

  #growEntries(): void {
    const capacity = Math.max(MIN_ENTRIES, this.#starts.length * 2);
    const mask = capacity - 1;
    const starts = new Int32Array(capacity);
    const nameLengths = new Int32Array(capacity);
    const valueLengths = new Int32Array(capacity);
    const kinds = new Uint8Array(capacity);
    for (let serial = this.evicted; serial < this.added; serial++) {
      starts[serial & mask] = this.start(serial);
      nameLengths[serial & mask] = this.nameLength(serial);
      valueLengths[serial & mask] = this.valueLength(serial);
      kinds[serial & mask] = this.kind(serial);
    }
    this.#mask = mask;
    this.#starts = starts;
    this.#nameLengths = nameLengths;
    this.#valueLengths = valueLengths;
    this.#kinds = kinds;
  }
}
