import type { HpackDecoder } from '../../src/http/hpack-decoder.ts';
import type { HpackError } from '../../src/http/hpack-header-sink.ts';
import { HeaderKind } from '../../src/http/hpack-kinds.ts';
import type { HpackEncoder } from '../../src/http/hpack-encoder.ts';

/** What a decoder made of a block: `name: value`, with `!` before what is never indexed and `?` before what is malformed. */
export interface DecodedBlock {
  readonly error: HpackError | undefined;
  readonly fields: string[];
  readonly kinds: number[];
}

/** Decodes a whole block to text. */
export function decodeBlock(decoder: HpackDecoder, block: Uint8Array): DecodedBlock {
  const fields: string[] = [];
  const kinds: number[] = [];
  const bytes = Buffer.from(block);
  const error = decoder.decode(bytes, 0, bytes.length, {
    onHeader(kind, nameStart, nameEnd, valueStart, valueEnd, neverIndexed) {
      const { lines } = decoder;
      const name = lines.latin1Slice(nameStart, nameEnd);
      const mark = `${neverIndexed ? '!' : ''}${kind === HeaderKind.Malformed ? '?' : ''}`;
      fields.push(`${mark}${name}: ${lines.latin1Slice(valueStart, valueEnd)}`);
      kinds.push(kind);
      return true;
    },
  });
  return { error, fields, kinds };
}

/** Encodes a list of names and values as one block. */
export function encodeBlock(
  encoder: HpackEncoder,
  list: readonly (readonly [name: string, value: string, sensitive?: boolean])[],
): Buffer {
  const size = list.reduce((sum, [name, value]) => sum + name.length + value.length + 16, 16);
  const to = Buffer.alloc(size);
  let at = encoder.begin(to, 0);
  for (const [name, value, sensitive = false] of list) {
    const from = Buffer.from(name + value, 'latin1');
    at = encoder.field(from, 0, name.length, name.length, from.length, sensitive, to, at);
  }
  return to.subarray(0, at);
}
