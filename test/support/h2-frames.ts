import { FrameType, H2Error } from '../../src/http/h2-protocol.ts';

/** One frame as it lies on the wire. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A frame of any kind, lies included: `length` says something else than the payload's. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | string = '',
  length?: number,
): Buffer {
  const content = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const bytes = Buffer.alloc(9 + content.length);
  bytes.writeUIntBE(length ?? content.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream >>> 0, 5);
  bytes.set(content, 9);
  return bytes;
}

/** 32-bit numbers, big-endian. */
export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}

/** SETTINGS with these values. */
export function settings(...values: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [index, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value >>> 0, index * 6 + 2);
  }
  return frame(FrameType.Settings, 0, 0, payload);
}

/** Splits what was received into frames. The rest, if the last one is not whole, is given as well. */
export function splitFrames(bytes: Buffer): { readonly frames: Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const length = bytes.readUIntBE(at, 3);
    if (bytes.length - at < 9 + length) break;
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
      payload: Buffer.from(bytes.subarray(at + 9, at + 9 + length)),
    });
    at += 9 + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

const TYPES = Object.keys(FrameType);
const ERRORS = Object.keys(H2Error);

/** A frame in words: `Data 1 end "abc"`, `ResetStream 3 ProtocolError`. */
export function told({ type, flags, stream, payload }: Frame): string {
  const name = TYPES[type] ?? `type ${type}`;
  const ends = (type === FrameType.Data || type === FrameType.Headers) && (flags & 1) !== 0 ? ' end' : '';
  switch (type) {
    case FrameType.Data:
      return `Data ${stream}${ends} ${JSON.stringify(payload.latin1Slice())}`;
    case FrameType.ResetStream:
      return `ResetStream ${stream} ${ERRORS[payload.readUInt32BE(0)] ?? '?'}`;
    case FrameType.Goaway:
      return `Goaway ${payload.readUInt32BE(0)} ${ERRORS[payload.readUInt32BE(4)] ?? '?'}`;
    case FrameType.WindowUpdate:
      return `WindowUpdate ${stream} ${payload.readUInt32BE(0)}`;
    case FrameType.Settings:
    case FrameType.Ping:
      return `${name}${(flags & 1) !== 0 ? ' ack' : ''}`;
    default:
      return `${name} ${stream}${ends}`;
  }
}
