import { equalsIgnoringCase, Known, type KnownId, knownFieldId } from './known-fields.ts';

/** A field line that is written ready-made: built once, from configuration or per connection. */
export interface FieldLine {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
  /** `Name: value` and CRLF, in the case that was asked for. */
  readonly bytes: Buffer;
}

/** Builds a line. The caller has made sure that name and value are valid (RFC 9110 section 5). */
export function fieldLine(name: string, value: string): FieldLine {
  return { name: name.toLowerCase(), value, bytes: Buffer.from(`${name}: ${value}\r\n`, 'latin1') };
}

/** Several lines that are always written together. */
export interface FieldBlock {
  readonly lines: readonly FieldLine[];
  /** All of them, joined. */
  readonly bytes: Buffer;
}

/** Joins lines, so that they are written with one copy. */
export function fieldBlock(lines: readonly FieldLine[]): FieldBlock {
  return { lines, bytes: Buffer.concat(lines.map((line) => line.bytes)) };
}

/** A field name prepared for comparison. */
export interface FieldName {
  readonly id: KnownId;
  readonly lower: Buffer;
}

export function fieldName(name: string): FieldName {
  const lower = Buffer.from(name.toLowerCase(), 'latin1');
  return { id: knownFieldId(lower, 0, lower.length), lower };
}

const NO_BYTES = Buffer.alloc(0);
const NO_PLACES = new Int32Array(0);
const NO_IDS = new Uint8Array(0);
const MIN_LINES = 32;
const MIN_STORE_BYTES = 1024;

/** The line lies in the bytes exactly as we would write it: one space behind the colon, no blanks before CRLF. */
const CANONICAL = 1;
const DROPPED = 2;
/** It came as never indexed, and is sent on so (RFC 7541 section 7.1.3). */
const SENSITIVE = 4;

/**
 * A block of header or trailer fields, in the order and case in which they came: one buffer with the lines, and a
 * table of where each name and value lies. Whatever the codec (an HTTP/2 decoder writes lines into its own buffer),
 * this is what routes, filters and writers see. Removing marks a line, adding appends a ready-made one; nothing is
 * copied until the block is written. Valid as long as the codec says that `bytes` is.
 */
export class Fields {
  bytes: Buffer = NO_BYTES;
  count = 0;
  /** Four numbers a line: start and end of the name, start and end of the value. */
  at: Int32Array = NO_PLACES;
  ids: Uint8Array = NO_IDS;
  #flags: Uint8Array = NO_IDS;
  /** `bytes`, `at` and `ids` are those of another block, which does not change: see `adopt`. */
  #shared = false;
  /** What `at` and `ids` are when they are not shared. */
  #ownAt: Int32Array = NO_PLACES;
  #ownIds: Uint8Array = NO_IDS;
  /** Where lines are kept that came in memory of somebody else; used again and again. */
  #store: Buffer = NO_BYTES;
  #storeEnd = 0;
  /** Lines added by us; written behind the others. */
  readonly added: FieldLine[] = [];
  /** Lines added by us that belong together; written last. */
  block: FieldBlock | undefined = undefined;

  /** Empties the block; lines will lie in `bytes`. */
  reset(bytes: Buffer): void {
    this.bytes = bytes;
    this.count = 0;
    if (this.#shared) {
      this.#shared = false;
      this.at = this.#ownAt;
      this.ids = this.#ownIds;
    }
    if (this.added.length > 0) this.added.length = 0;
    this.block = undefined;
  }

  /**
   * Becomes the same as `other`, which must not change any more: its memory is shared. Marks and added lines are this block's own.
   */
  adopt(other: Fields): void {
    const { count } = other;
    this.bytes = other.bytes;
    this.count = count;
    this.at = other.at;
    this.ids = other.ids;
    this.#shared = true;
    if (this.#flags.length < count) this.#flags = new Uint8Array(Math.max(MIN_LINES, count));
    for (let index = 0; index < count; index++) this.#flags[index] = other.#flags[index]!;
    if (this.added.length > 0) this.added.length = 0;
    this.block = undefined;
  }

  /** A copy in memory of its own, as small as can be: bytes from `start` to the end of the last line. Added lines are left out. */
  frozen(start: number): Fields {
    const copy = new Fields();
    const { count } = this;
    const end = count === 0 ? start : Math.min(this.at[count * 4 - 1]! + 2, this.bytes.length);
    copy.count = count;
    copy.bytes = Buffer.allocUnsafeSlow(end - start);
    this.bytes.copy(copy.bytes, 0, start, end);
    copy.at = copy.#ownAt = this.at.slice(0, count * 4);
    copy.ids = copy.#ownIds = this.ids.slice(0, count);
    copy.#flags = this.#flags.slice(0, count);
    if (start > 0) for (let place = 0; place < count * 4; place++) copy.at[place]! -= start;
    return copy;
  }

  /** From the first name to the end of the last value, bytes. */
  get linesBytes(): number {
    return this.count === 0 ? 0 : this.at[this.count * 4 - 1]! - this.at[0]!;
  }

  /** Becomes the same as `other`, lines added to it included, and stays so whatever becomes of it. */
  keepLines(other: Fields): void {
    this.adopt(other.#shared || other.count === 0 ? other : other.frozen(other.at[0]!));
    for (let index = 0; index < other.count; index++) this.#flags[index] = other.#flags[index]!;
    for (let index = 0; index < other.added.length; index++) this.added.push(other.added[index]!);
  }

  /** Whether both have the same lines with the same marks, and the very same lines were added; `block` is not looked at. */
  sameLines(other: Fields): boolean {
    const { count, added } = this;
    if (count !== other.count || added.length !== other.added.length) return false;
    for (let index = 0; index < count; index++) if (this.#flags[index] !== other.#flags[index]) return false;
    for (let index = 0; index < added.length; index++) if (added[index] !== other.added[index]) return false;
    return (this.at === other.at && this.bytes === other.bytes) || this.#sameBytes(other);
  }

  #sameBytes(other: Fields): boolean {
    const { at, count } = this;
    if (count === 0) return true;
    const start = at[0]!;
    const end = at[count * 4 - 1]!;
    const theirs = other.at;
    const moved = theirs[0]! - start;
    if (theirs[count * 4 - 1]! - end !== moved) return false;
    for (let place = 1; place < count * 4 - 1; place++)
      if (theirs[place]! - at[place]! !== moved) return false;
    return this.bytes.compare(other.bytes, start + moved, end + moved, start, end) === 0;
  }

  /** Adds a line that lies in `bytes`. */
  push(
    id: KnownId,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    canonical: boolean,
  ): void {
    const index = this.count++;
    if (index === this.ids.length) this.#grow();
    const at = index * 4;
    this.at[at] = nameStart;
    this.at[at + 1] = nameEnd;
    this.at[at + 2] = valueStart;
    this.at[at + 3] = valueEnd;
    this.ids[index] = id;
    this.#flags[index] = canonical ? CANONICAL : 0;
  }

  /** Room for more lines; of memory that is shared a copy. */
  #grow(): void {
    const capacity = Math.max(MIN_LINES, this.ids.length * 2);
    const at = new Int32Array(capacity * 4);
    at.set(this.at);
    this.at = this.#ownAt = at;
    const ids = new Uint8Array(capacity);
    ids.set(this.ids);
    this.ids = this.#ownIds = ids;
    this.#shared = false;
    if (this.#flags.length >= capacity) return;
    const flags = new Uint8Array(capacity);
    flags.set(this.#flags);
    this.#flags = flags;
  }

  /** Before a place is changed. */
  #own(): void {
    if (this.#shared) this.#grow();
  }

  /** Memory that is kept for lines, bytes. */
  get storeBytes(): number {
    return this.#store.length;
  }

  /** Copies `bytes[start, end)`, where all the lines lie, to memory of its own, and reads them there from now on. */
  keep(start: number, end: number): void {
    this.#own();
    if (this.#store.length < end - start)
      this.#store = Buffer.allocUnsafeSlow(Math.max(MIN_STORE_BYTES, (end - start) * 2));
    this.bytes.copy(this.#store, 0, start, end);
    this.bytes = this.#store;
    if (start === 0) return;
    const places = this.count * 4;
    for (let place = 0; place < places; place++) this.at[place]! -= start;
  }

  /**
   * As `keep`, with `room` bytes in front for the caller to fill, and the lines where they are relative to each other. The first line has no
   * place yet: see `place`.
   * @returns the memory, for the caller to write the first `room` bytes.
   */
  keepBehind(room: number, start: number, end: number): Buffer {
    this.#own();
    const length = room + end - start;
    if (this.#store.length < length)
      this.#store = Buffer.allocUnsafeSlow(Math.max(MIN_STORE_BYTES, length * 2));
    this.bytes.copy(this.#store, room, start, end);
    this.bytes = this.#store;
    this.#storeEnd = length;
    const places = this.count * 4;
    const moved = room - start;
    for (let place = 4; place < places; place++) this.at[place]! += moved;
    return this.#store;
  }

  /** Says where a line lies. */
  place(index: number, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    this.#own();
    const at = index * 4;
    this.at[at] = nameStart;
    this.at[at + 1] = nameEnd;
    this.at[at + 2] = valueStart;
    this.at[at + 3] = valueEnd;
  }

  /** The value of a line goes on to `valueEnd`, over what lay behind it. */
  extend(index: number, valueEnd: number): void {
    this.#own();
    this.at[index * 4 + 3] = valueEnd;
    this.#flags[index]! &= ~CANONICAL;
  }

  /** Adds a line behind the others, in the memory that `keepBehind` gave just before. `prefix` is its name with colon and blank. */
  append(id: KnownId, prefix: string, value: string): void {
    const start = this.#storeEnd;
    const length = prefix.length + value.length + 2;
    if (this.#store.length < start + length) {
      const grown = Buffer.allocUnsafeSlow((start + length) * 2);
      this.#store.copy(grown, 0, 0, start);
      this.#store = grown;
      this.bytes = grown;
    }
    this.#store.latin1Write(`${prefix}${value}\r\n`, start);
    this.#storeEnd = start + length;
    const valueStart = start + prefix.length;
    this.push(id, start, valueStart - 2, valueStart, start + length - 2, true);
  }

  /** Leaves the line out of what is written. */
  drop(index: number): void {
    this.#flags[index]! |= DROPPED;
  }

  isDropped(index: number): boolean {
    return (this.#flags[index]! & DROPPED) !== 0;
  }

  /** Whether the line is written, and lies as we would write it. */
  isWrittenAsIs(index: number): boolean {
    return (this.#flags[index]! & (CANONICAL | DROPPED)) === CANONICAL;
  }

  /** The line must not enter a compression table anywhere on its way. */
  markSensitive(index: number): void {
    this.#flags[index]! |= SENSITIVE;
  }

  isSensitive(index: number): boolean {
    return (this.#flags[index]! & SENSITIVE) !== 0;
  }

  /** First line of that name at or after `from` which is not dropped; -1 when there is none. Added lines are not looked at. */
  indexOf(name: FieldName, from = 0): number {
    for (let index = from; index < this.count; index++) {
      if (this.ids[index] !== name.id || this.isDropped(index)) continue;
      if (name.id !== Known.Other || this.#nameEquals(index, name.lower)) return index;
    }
    return -1;
  }

  #nameEquals(index: number, lower: Buffer): boolean {
    const start = this.at[index * 4]!;
    return this.at[index * 4 + 1]! - start === lower.length && equalsIgnoringCase(this.bytes, start, lower);
  }

  /** The value of a line, one character a byte. */
  value(index: number): string {
    return this.bytes.latin1Slice(this.at[index * 4 + 2], this.at[index * 4 + 3]);
  }

  /** The name of a line as it came. */
  name(index: number): string {
    return this.bytes.latin1Slice(this.at[index * 4], this.at[index * 4 + 1]);
  }

  /** Value of the first line of that name, ours included; undefined when there is none. */
  get(name: FieldName): string | undefined {
    const index = this.indexOf(name);
    if (index >= 0) return this.value(index);
    if (this.added.length === 0 && this.block === undefined) return undefined;
    const lower = name.lower.latin1Slice();
    return (
      this.added.find((line) => line.name === lower) ?? this.block?.lines.find((line) => line.name === lower)
    )?.value;
  }

  /** Removes every line of that name, ours included. */
  remove(name: FieldName): void {
    for (let index = this.indexOf(name); index >= 0; index = this.indexOf(name, index + 1)) this.drop(index);
    if (this.added.length === 0 && this.block === undefined) return;
    const lower = name.lower.latin1Slice();
    for (let index = this.added.length - 1; index >= 0; index--) {
      if (this.added[index]!.name === lower) this.added.splice(index, 1);
    }
    if (this.block?.lines.some((line) => line.name === lower) === true) {
      this.block = fieldBlock(this.block.lines.filter((line) => line.name !== lower));
    }
  }

  /** Every line as it will be written, in that order, without CRLF: for people and tests. */
  written(): string[] {
    const lines: string[] = [];
    for (let index = 0; index < this.count; index++) {
      if (!this.isDropped(index)) lines.push(`${this.name(index)}: ${this.value(index)}`);
    }
    for (const { bytes } of [...this.added, ...(this.block?.lines ?? [])])
      lines.push(bytes.latin1Slice(0, bytes.length - 2));
    return lines;
  }

  /** Adds a line behind the others. */
  add(line: FieldLine): void {
    this.added.push(line);
  }
}
