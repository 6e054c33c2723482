import { type FieldBlock, Fields } from '../model/fields.ts';
import { copyBytes } from './copy-bytes.ts';
import { HeadStart } from './h2-head-start.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import { MAX_KEPT_BYTES } from './interned-fields.ts';

/** Heads that are kept for one connection, a power of two. */
const SLOTS = 16;
/** ... and blocks of lines that are the same for all requests of a client. */
const BLOCKS = 4;
/** What is longer than this, encoded, is not worth its memory, bytes. */
const MAX_ENCODED_BYTES = 512;

const NO_BYTES = Buffer.alloc(0);

/** A head that was encoded, and what it was made of. */
class EncodedHead {
  readonly start = new HeadStart();
  readonly fields = new Fields();
  /** State of the table that it holds for. */
  version = -1;
  bytes: Buffer = NO_BYTES;
  length = 0;
}

/** Lines that were encoded, as above. */
interface EncodedBlock {
  readonly block: FieldBlock;
  readonly version: number;
  readonly bytes: Buffer;
}

/**
 * The heads that go out on a connection again and again, encoded. What was encoded once means the same as long as the table does not change,
 * and is kept when the encoder learned nothing by it: then it would say the same again. Fields count as the same when all of their
 * bytes are.
 */
export class EncodedHeads {
  readonly #encoder: HpackEncoder;
  #last: EncodedHead | undefined = undefined;
  #heads: (EncodedHead | undefined)[] | undefined = undefined;
  /** Marks of heads that came once. */
  readonly #seen = new Int32Array(SLOTS);
  #mark = 0;
  readonly #blocks: EncodedBlock[] = [];
  #nextBlock = 0;

  constructor(encoder: HpackEncoder) {
    this.#encoder = encoder;
  }

  /** The head of that start and these fields, their `block` left out; undefined when it is to be encoded. */
  find(start: HeadStart, fields: Fields): EncodedHead | undefined {
    const { version } = this.#encoder;
    const last = this.#last;
    if (
      last !== undefined &&
      last.version === version &&
      last.start.is(start) &&
      last.fields.sameLines(fields)
    )
      return last;
    this.#mark = markOf(start, fields);
    const known = this.#heads?.[this.#mark & (SLOTS - 1)];
    if (known === undefined || known.version !== version) return undefined;
    if (!known.start.is(start) || !known.fields.sameLines(fields)) return undefined;
    this.#last = known;
    return known;
  }

  /** Keeps what was asked for last, now encoded to `bytes[from, to)`, if it came before. The encoder learned nothing by it. */
  learn(start: HeadStart, fields: Fields, bytes: Buffer, from: number, to: number): void {
    const mark = this.#mark;
    const slot = mark & (SLOTS - 1);
    if (this.#seen[slot] !== mark) {
      this.#seen[slot] = mark;
      return;
    }
    if (to - from > MAX_ENCODED_BYTES || fields.linesBytes > MAX_KEPT_BYTES) return;
    this.#heads ??= Array.from({ length: SLOTS });
    const head = (this.#heads[slot] ??= new EncodedHead());
    head.start.copy(start);
    head.fields.keepLines(fields);
    head.version = this.#encoder.version;
    head.length = to - from;
    if (head.bytes.length < head.length) head.bytes = Buffer.allocUnsafeSlow(head.length);
    bytes.copy(head.bytes, 0, from, to);
    this.#last = head;
  }

  /** Writes the lines of `block` to `to` at `at` if they are known. Returns the position behind, or -1. */
  writeBlock(block: FieldBlock, to: Buffer, at: number): number {
    const { version } = this.#encoder;
    for (let index = 0; index < this.#blocks.length; index++) {
      const known = this.#blocks[index]!;
      if (known.block !== block) continue;
      return known.version === version ? copyBytes(known.bytes, 0, known.bytes.length, to, at) : -1;
    }
    return -1;
  }

  /** Keeps the lines of `block`, encoded to `bytes[from, to)`. The encoder learned nothing by it. */
  learnBlock(block: FieldBlock, bytes: Buffer, from: number, to: number): void {
    if (to - from > MAX_ENCODED_BYTES) return;
    const known = this.#blocks.findIndex((one) => one.block === block);
    const slot = known >= 0 ? known : this.#nextBlock++ % BLOCKS;
    this.#blocks[slot] = {
      block,
      version: this.#encoder.version,
      bytes: Buffer.from(bytes.subarray(from, to)),
    };
  }
}

/** A number that different heads rarely share; never 0. */
function markOf(start: HeadStart, fields: Fields): number {
  const { path, query, status, contentLength } = start;
  const { bytes, count, at } = fields;
  let mark = Math.imul(status, 31) + contentLength + path.length * 7 + query.length * 13 + count;
  if (path.length > 0) mark = Math.imul(mark, 31) + path.charCodeAt(path.length - 1);
  if (count === 0) return mark | 1;
  const from = at[0]!;
  const length = at[count * 4 - 1]! - from;
  mark = Math.imul(mark, 31) + length;
  for (let sample = 1; sample < 8; sample++)
    mark = Math.imul(mark, 31) + bytes[from + ((length * sample) >>> 3)]!;
  mark = Math.imul(mark ^ (mark >>> 15), 0x2c1b3c6d);
  return mark ^ (mark >>> 13) || 1;
}
