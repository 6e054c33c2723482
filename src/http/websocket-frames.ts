/** Why a balancer ends a WebSocket (RFC 6455 section 7.4.1, and the registry for 1012). */
export const CloseCode = {
  /** It stops. */
  GoingAway: 1001,
  /** The endpoint is taken out: another connection will be served by others. */
  ServiceRestart: 1012,
} as const;

export type CloseCodeNumber = (typeof CloseCode)[keyof typeof CloseCode];

const OPCODE_CLOSE = 8;

const Part = { First: 0, Second: 1, Length: 2, Payload: 3 } as const;
type PartNumber = (typeof Part)[keyof typeof Part];

/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 section 5.2) without reading what is in them, to know where one ends:
 * only there may a frame of ours be put in.
 */
export class FrameTracker {
  /** A Close frame has begun: nothing else comes behind it. */
  closeSeen = false;
  #part: PartNumber = Part.First;
  /** Bytes of the extended length that are missing. */
  #lengthLeft = 0;
  #masked = false;
  /** Bytes of the frame that are missing, the masking key included. */
  #left = 0;

  /** Whether a frame may begin here. */
  get atBoundary(): boolean {
    return this.#part === Part.First;
  }

  /** Follows `bytes[start, end)`. Returns `end`; with `stop`, the first end of a frame if there is one. */
  follow(bytes: Buffer, start: number, end: number, stop: boolean): number {
    let at = start;
    while (at < end) {
      if (this.#part === Part.Payload) {
        const taken = Math.min(this.#left, end - at);
        this.#left -= taken;
        at += taken;
      } else this.#header(bytes[at++]!);
      if (this.#part !== Part.Payload || this.#left > 0) continue;
      this.#part = Part.First;
      if (stop) return at;
    }
    return at;
  }

  #header(byte: number): void {
    switch (this.#part) {
      case Part.First:
        if ((byte & 15) === OPCODE_CLOSE) this.closeSeen = true;
        this.#part = Part.Second;
        return;
      case Part.Second: {
        const length = byte & 127;
        this.#masked = (byte & 128) !== 0;
        this.#left = 0;
        this.#lengthLeft = length === 126 ? 2 : length === 127 ? 8 : 0;
        if (this.#lengthLeft > 0) this.#part = Part.Length;
        else this.#payload(length);
        return;
      }
      case Part.Length:
      case Part.Payload:
        // Lengths beyond 2^53 are not exact; nobody lives to see the end of such a frame.
        this.#left = this.#left * 256 + byte;
        if (--this.#lengthLeft === 0) this.#payload(this.#left);
    }
  }

  #payload(length: number): void {
    this.#left = length + (this.#masked ? 4 : 0);
    this.#part = Part.Payload;
  }
}

/**
 * A Close frame. Towards an endpoint we are the client, and clients mask (RFC 6455 section 5.3): by `mask`, four bytes that nobody can
 * foresee.
 */
export function closeFrame(code: CloseCodeNumber, mask?: Uint8Array): Buffer {
  const payload = Buffer.from([code >> 8, code & 255]);
  if (mask === undefined) return Buffer.from([0x88, 2, ...payload]);
  return Buffer.from([0x88, 0x82, ...mask, payload[0]! ^ mask[0]!, payload[1]! ^ mask[1]!]);
}
