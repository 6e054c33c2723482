import { Flag, FrameType, PREFACE } from '../../src/http/h2-protocol.ts';
import { HpackDecoder } from '../../src/http/hpack-decoder.ts';
import { frame, settings, splitFrames, told, type Frame } from './h2-frames.ts';

export type FieldList = readonly (readonly [name: string, value: string])[];

/** A field block of literals that are never indexed: nothing is checked, anything can be said. */
export function literals(fields: FieldList): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    parts.push(Buffer.from([0x10]), stringLiteral(name), stringLiteral(value));
  }
  return Buffer.concat(parts);
}

function stringLiteral(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([prefixed(bytes.length, 0x7f), bytes]);
}

/** An integer with a prefix (RFC 7541 section 5.1). */
function prefixed(value: number, mask: number): Buffer {
  if (value < mask) return Buffer.from([value]);
  const bytes = [mask];
  let left = value - mask;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push(0x80 | (left & 0x7f));
  bytes.push(left);
  return Buffer.from(bytes);
}

/** The pseudo-fields of a request, and what follows. */
export function request(method = 'GET', path = '/', more: FieldList = []): FieldList {
  return [[':method', method], [':scheme', 'http'], [':authority', 'a.test'], [':path', path], ...more];
}

/** HEADERS with a whole field block. */
export function headers(stream: number, fields: FieldList | Buffer, flags: number = Flag.EndStream): Buffer {
  return frame(
    FrameType.Headers,
    Flag.EndHeaders | flags,
    stream,
    Buffer.isBuffer(fields) ? fields : literals(fields),
  );
}

export function data(stream: number, content: string | Uint8Array, end = false): Buffer {
  return frame(FrameType.Data, end ? Flag.EndStream : 0, stream, content);
}

/** What a client sends first. */
export const HELLO: Buffer = Buffer.concat([PREFACE, settings()]);

/** Reads what a server sends: frames, with their field blocks decoded. */
export class H2Reading {
  /** In words, as `told` says it; HEADERS with their fields. */
  readonly seen: string[] = [];
  readonly frames: Frame[] = [];
  readonly #decoder = new HpackDecoder(4096, 1024 * 1024);
  #rest: Buffer = Buffer.alloc(0);
  #block: Buffer[] = [];

  add(bytes: Buffer): this {
    const { frames, rest } = splitFrames(Buffer.concat([this.#rest, bytes]));
    this.#rest = Buffer.from(rest);
    for (const one of frames) {
      this.frames.push(one);
      if (one.type === FrameType.Headers || one.type === FrameType.Continuation) this.#fields(one);
      else this.seen.push(told(one));
    }
    return this;
  }

  #fields(one: Frame): void {
    this.#block.push(one.payload);
    if ((one.flags & Flag.EndHeaders) === 0) return;
    const block = Buffer.concat(this.#block);
    this.#block = [];
    const fields: string[] = [];
    const error = this.#decoder.decode(block, 0, block.length, {
      onHeader: (_kind, nameStart, nameEnd, valueStart, valueEnd) => {
        const { lines } = this.#decoder;
        fields.push(`${lines.latin1Slice(nameStart, nameEnd)}: ${lines.latin1Slice(valueStart, valueEnd)}`);
        return false;
      },
    });
    const first = this.frames.findLast(
      ({ type, stream }) => type === FrameType.Headers && stream === one.stream,
    )!;
    this.seen.push(
      error === undefined
        ? `Headers ${one.stream}${(first.flags & Flag.EndStream) !== 0 ? ' end' : ''} ${fields.join(', ')}`
        : `Headers ${one.stream} cannot be decoded: ${error}`,
    );
  }

  /** What was seen of one stream. */
  of(stream: number): string[] {
    return this.seen.filter((line) => line.split(' ')[1] === String(stream));
  }
}
