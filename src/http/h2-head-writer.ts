import type { Fields } from '../model/fields.ts';
import { Known } from '../model/known-fields.ts';
import { copyBytes } from './copy-bytes.ts';
import { EncodedHeads } from './h2-encoded-heads.ts';
import type { FrameWriter } from './h2-frame-writer.ts';
import type { HeadStart } from './h2-head-start.ts';
import { FRAME_HEADER, MIN_MAX_FRAME } from './h2-protocol.ts';
import type { StreamOutput } from './h2-stream-output.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { encodedBlockRoom, encodedRoom, encodeFieldBlock, encodeFields } from './hpack-fields.ts';

/** Table that we keep for what we send, bytes, if the peer allows it. */
const ENCODER_TABLE_BYTES = 4096;
/** What the encoder may say in front of a block. */
const BEGIN_ROOM = 16;

/** Writes the HEADERS of one connection (RFC 9113 section 6.2). Those that repeat are copied as they were encoded before. */
export class HeadWriter {
  readonly encoder: HpackEncoder = new HpackEncoder(ENCODER_TABLE_BYTES);
  /** Largest payload that the peer takes. */
  maxFrame: number = MIN_MAX_FRAME;
  readonly #writer: FrameWriter;
  readonly #known: EncodedHeads = new EncodedHeads(this.encoder);

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** Host is left out of requests: it is their `:authority`. */
  write(stream: StreamOutput, first: HeadStart, fields: Fields, endStream: boolean): void {
    const writer = this.#writer;
    const { encoder, maxFrame } = this;
    const { block } = fields;
    const known = this.#known.find(first, fields);
    const length = known === undefined ? first.room + encodedRoom(fields) : known.length;
    const room = BEGIN_ROOM + length + encodedBlockRoom(block);
    const out = writer.open(room + FRAME_HEADER * (2 + Math.ceil(room / maxFrame)));
    const { bytes } = out;
    const start = writer.beginHeaders(out, stream.id);
    let at = encoder.begin(bytes, out.length);
    if (known === undefined) at = this.#encode(first, fields, bytes, at);
    else at = copyBytes(known.bytes, 0, length, bytes, at);
    if (block !== undefined) {
      const behind = this.#known.writeBlock(block, bytes, at);
      at = behind >= 0 ? behind : this.#encodeBlock(block, bytes, at);
    }
    out.length = at;
    stream.flagsAt = writer.endHeaders(out, start, stream.id, endStream, maxFrame);
    stream.flushes = writer.flushes;
    stream.wireBytes += out.length - start;
  }

  #encode(first: HeadStart, fields: Fields, to: Buffer, start: number): number {
    const { encoder } = this;
    const { learned } = encoder;
    let at = first.encodePseudo(encoder, to, start);
    at = encodeFields(encoder, fields, to, at, first.method === '' ? -1 : Known.Host);
    at = first.encodeRest(encoder, to, at);
    if (encoder.learned === learned) this.#known.learn(first, fields, to, start, at);
    return at;
  }

  #encodeBlock(block: NonNullable<Fields['block']>, to: Buffer, start: number): number {
    const { encoder } = this;
    const { learned } = encoder;
    const at = encodeFieldBlock(encoder, block, to, start);
    if (encoder.learned === learned) this.#known.learnBlock(block, to, start, at);
    return at;
  }
}
