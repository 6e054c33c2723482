import type { FieldBlock, Fields } from '../model/fields.ts';
import type { HpackEncoder } from './hpack-encoder.ts';

/** What a field may take beyond its name and value when encoded, and `HpackEncoder.field` asks for. */
const FIELD_ROOM = 16;

/** Bytes that the lines take when encoded, at most; those of `block` left out. */
export function encodedRoom(fields: Fields): number {
  const { count, at, added } = fields;
  let room = count * FIELD_ROOM;
  for (let place = 0; place < count * 4; place += 4)
    room += at[place + 1]! - at[place]! + at[place + 3]! - at[place + 2]!;
  for (let index = 0; index < added.length; index++) room += added[index]!.bytes.length + FIELD_ROOM;
  return room;
}

/** ... of lines that belong together. */
export function encodedBlockRoom(block: FieldBlock | undefined): number {
  return block === undefined ? 0 : block.bytes.length + block.lines.length * FIELD_ROOM;
}

/** What each field counts for beyond its name and value, and what a ready-made line has in place of that. */
const LIST_OVERHEAD = 32;
const LINE_OVERHEAD = ': \r\n'.length;

/** The size of these fields as SETTINGS_MAX_HEADER_LIST_SIZE means it (RFC 9113 section 6.5.2), bytes. */
export function listBytes(fields: Fields): number {
  const { count, at, added, block } = fields;
  let size = 0;
  for (let index = 0; index < count; index++) {
    if (fields.isDropped(index)) continue;
    const place = index * 4;
    size += at[place + 1]! - at[place]! + at[place + 3]! - at[place + 2]! + LIST_OVERHEAD;
  }
  for (let index = 0; index < added.length; index++)
    size += added[index]!.bytes.length - LINE_OVERHEAD + LIST_OVERHEAD;
  if (block !== undefined) size += block.bytes.length + block.lines.length * (LIST_OVERHEAD - LINE_OVERHEAD);
  return size;
}

/**
 * Encodes the lines that are not dropped, then those added by us, to `to` from `at`, where `encodedRoom` is free; those of `block` are left
 * out. Returns the position behind.
 * @param except An id of `Known`: lines of that name are left out
 */
export function encodeFields(
  encoder: HpackEncoder,
  fields: Fields,
  to: Buffer,
  at: number,
  except = -1,
): number {
  const { bytes, count, ids, at: places, added } = fields;
  let behind = at;
  for (let index = 0; index < count; index++) {
    if (fields.isDropped(index) || ids[index] === except) continue;
    const place = index * 4;
    behind = encoder.field(
      bytes,
      places[place]!,
      places[place + 1]!,
      places[place + 2]!,
      places[place + 3]!,
      fields.isSensitive(index),
      to,
      behind,
    );
  }
  for (let index = 0; index < added.length; index++) {
    const { name, bytes: line } = added[index]!;
    behind = encodeLine(encoder, line, name.length, to, behind);
  }
  return behind;
}

/** Encodes lines that belong together, where `encodedBlockRoom` is free. Returns the position behind. */
export function encodeFieldBlock(encoder: HpackEncoder, block: FieldBlock, to: Buffer, at: number): number {
  let behind = at;
  for (let index = 0; index < block.lines.length; index++) {
    const { name, bytes: line } = block.lines[index]!;
    behind = encodeLine(encoder, line, name.length, to, behind);
  }
  return behind;
}

/** Encodes a ready-made line `name: value` and CRLF. */
export function encodeLine(
  encoder: HpackEncoder,
  line: Buffer,
  nameLength: number,
  to: Buffer,
  at: number,
): number {
  return encoder.field(line, 0, nameLength, nameLength + 2, line.length - 2, false, to, at);
}
