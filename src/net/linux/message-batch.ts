import { ptr } from 'bun:ffi';

import { fixed } from './libc.ts';

/** Layout of `struct mmsghdr` on 64-bit Linux, in 32-bit words: recvmmsg(2), recvmsg(2). */
export const HEADER_WORDS = 16;
const NAME_WORD = 0;
const NAME_LENGTH_WORD = 2;
const IOV_WORD = 4;
const IOV_COUNT_WORD = 6;
const CONTROL_WORD = 8;
const CONTROL_LENGTH_WORD = 10;
const FLAGS_WORD = 12;
const LENGTH_WORD = 14;

const IOV_WORDS = 4;
const IOV_LENGTH_WORD = 2;

/** Bytes for one address (sockaddr_in6 has 28) and for one control message (that of IPv6 has 36, aligned to 40). */
const NAME_BYTES = 32;
const CONTROL_BYTES = 64;

export const NAME_WORDS: number = NAME_BYTES / 4;
export const CONTROL_WORDS: number = CONTROL_BYTES / 4;

/** Writes an address in memory as the kernel reads it: 64 bits, low word first. */
function writePointer(words: Int32Array, at: number, address: number): void {
  words[at] = (address % 0x1_0000_0000) | 0;
  words[at + 1] = Math.floor(address / 0x1_0000_0000);
}

/** Arrays for `recvmmsg` and `sendmmsg`: `count` messages of one piece each, with an address and a control message. */
export class MessageBatch {
  /** What the calls are given. */
  readonly headers: Int32Array;
  readonly names: Int32Array;
  readonly controls: Int32Array;
  /** Payloads, one buffer for each message. */
  readonly payloads: readonly Buffer[];
  readonly count: number;
  readonly #iovs: Int32Array;

  /** @param payloadBytes Room for each message. */
  constructor(count: number, payloadBytes: number) {
    this.count = count;
    const headers = words(count * HEADER_WORDS);
    const iovs = words(count * IOV_WORDS);
    this.names = words(count * NAME_WORDS);
    this.controls = words(count * CONTROL_WORDS);
    const payload = fixed(count * payloadBytes);
    const nameBase = ptr(this.names);
    const controlBase = ptr(this.controls);
    const iovBase = ptr(iovs);
    const payloadBase = ptr(payload);
    for (let index = 0; index < count; index++) {
      const header = index * HEADER_WORDS;
      writePointer(headers, header + NAME_WORD, nameBase + index * NAME_BYTES);
      writePointer(headers, header + IOV_WORD, iovBase + index * IOV_WORDS * 4);
      headers[header + IOV_COUNT_WORD] = 1;
      writePointer(headers, header + CONTROL_WORD, controlBase + index * CONTROL_BYTES);
      const iov = index * IOV_WORDS;
      writePointer(iovs, iov, payloadBase + index * payloadBytes);
      iovs[iov + IOV_LENGTH_WORD] = payloadBytes;
    }
    this.headers = headers;
    this.#iovs = iovs;
    this.payloads = Array.from({ length: count }, (_, index) =>
      payload.subarray(index * payloadBytes, (index + 1) * payloadBytes),
    );
  }

  /** Sets how much room for address and control message the kernel has, or how much of them there is. */
  setLengths(index: number, nameBytes: number, controlBytes: number): void {
    const header = index * HEADER_WORDS;
    this.headers[header + NAME_LENGTH_WORD] = nameBytes;
    this.headers[header + CONTROL_LENGTH_WORD] = controlBytes;
  }

  setPayloadLength(index: number, length: number): void {
    this.#iovs[index * IOV_WORDS + IOV_LENGTH_WORD] = length;
  }

  /** Bytes of a message that was received. */
  received(index: number): number {
    return this.headers[index * HEADER_WORDS + LENGTH_WORD]!;
  }

  flags(index: number): number {
    return this.headers[index * HEADER_WORDS + FLAGS_WORD]!;
  }

  controlLength(index: number): number {
    return this.headers[index * HEADER_WORDS + CONTROL_LENGTH_WORD]!;
  }
}

export const FULL_NAME_BYTES: number = NAME_BYTES;
export const FULL_CONTROL_BYTES: number = CONTROL_BYTES;

function words(count: number): Int32Array {
  const bytes = fixed(count * 4);
  bytes.fill(0);
  return new Int32Array(bytes.buffer, bytes.byteOffset, count);
}
