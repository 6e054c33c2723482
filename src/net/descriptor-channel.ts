import { ptr } from 'bun:ffi';

import { AF, E, errno, fixed, MSG, SCM_RIGHTS, SOCK, SOL, sys, systemError } from './linux/libc.ts';

/** Descriptors in one message; the kernel takes 253 (SCM_MAX_FD). */
const MOST_PER_MESSAGE = 64;

/**
 * One block of memory for a message with descriptors (unix(7), cmsg(3)), as 64-bit Linux lays it out: `struct msghdr`, one
 * `struct iovec`, one control message, and the bytes that go with it. In one block, so that the call is given all of it at once.
 */
const IOVEC_AT = 64;
const CONTROL_AT = 128;
const CONTROL_HEADER_BYTES = 16;
const BYTES_AT = CONTROL_AT + CONTROL_HEADER_BYTES + MOST_PER_MESSAGE * 4;
const BYTES_PER_ID = 4;

const message = fixed(4096);

/** Describes a message of `count` descriptors with an id each. */
function layOut(count: number): void {
  const address = BigInt(ptr(message));
  message.fill(0, 0, CONTROL_AT + CONTROL_HEADER_BYTES);
  message.writeBigUInt64LE(address + BigInt(IOVEC_AT), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(address + BigInt(CONTROL_AT), 32);
  message.writeBigUInt64LE(BigInt(CONTROL_HEADER_BYTES + count * 4), 40);
  message.writeBigUInt64LE(address + BigInt(BYTES_AT), IOVEC_AT);
  message.writeBigUInt64LE(BigInt(count * BYTES_PER_ID), IOVEC_AT + 8);
}

/** One end of a channel that carries open descriptors to another process, each with a number that both sides know it by. */
export class DescriptorSender {
  readonly #fd: number;
  /** To be handed to the other process when it is started, then closed here. */
  readonly remote: number;

  constructor() {
    const pair = new Int32Array(fixed(8).buffer, 0, 2);
    if (sys.socketpair(AF.UNIX, SOCK.SEQPACKET | SOCK.CLOEXEC, 0, pair) < 0)
      throw systemError('socketpair', errno());
    this.#fd = pair[0]!;
    this.remote = pair[1]!;
  }

  closeRemote(): void {
    sys.close(this.remote);
  }

  /**
   * Sends duplicates; the originals stay open. They have arrived when this returns: the kernel holds them until they are fetched.
   * @throws an error with `code` when the channel is full or the other process has gone.
   */
  send(descriptors: readonly { readonly id: number; readonly fd: number }[]): void {
    for (let start = 0; start < descriptors.length; start += MOST_PER_MESSAGE) {
      const batch = descriptors.slice(start, start + MOST_PER_MESSAGE);
      layOut(batch.length);
      message.writeBigUInt64LE(BigInt(CONTROL_HEADER_BYTES + batch.length * 4), CONTROL_AT);
      message.writeInt32LE(SOL.SOCKET, CONTROL_AT + 8);
      message.writeInt32LE(SCM_RIGHTS, CONTROL_AT + 12);
      for (const [index, { id, fd }] of batch.entries()) {
        message.writeInt32LE(fd, CONTROL_AT + CONTROL_HEADER_BYTES + index * 4);
        message.writeUInt32LE(id, BYTES_AT + index * BYTES_PER_ID);
      }
      if (sys.sendmsg(this.#fd, message, MSG.DONTWAIT | MSG.NOSIGNAL) < 0)
        throw systemError('sendmsg', errno());
    }
  }

  close(): void {
    sys.close(this.#fd);
  }
}

/** The other end: descriptors that were sent, to be taken by their number. */
export class DescriptorReceiver {
  readonly #fd: number;
  readonly #waiting = new Map<number, number>();

  /** @param fd The end that this process was started with. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * The descriptor that was sent as `id`; the caller owns it from now on.
   * @throws RangeError when none of that number has arrived.
   */
  take(id: number): number {
    while (!this.#waiting.has(id) && this.#receive());
    const fd = this.#waiting.get(id);
    if (fd === undefined) throw new RangeError(`no descriptor ${id} was handed over`);
    this.#waiting.delete(id);
    return fd;
  }

  /** Closes the one that was sent as `id`. */
  drop(id: number): void {
    sys.close(this.take(id));
  }

  /** Closes what was sent and nobody took, of those numbers. */
  discard(concerns: (id: number) => boolean): void {
    while (this.#receive());
    for (const [id, fd] of this.#waiting) {
      if (!concerns(id)) continue;
      sys.close(fd);
      this.#waiting.delete(id);
    }
  }

  /** Closes this end, and what nobody took. */
  close(): void {
    this.discard(() => true);
    sys.close(this.#fd);
  }

  /** Fetches one message; false when there is none. */
  #receive(): boolean {
    layOut(MOST_PER_MESSAGE);
    const received = sys.recvmsg(this.#fd, message, MSG.DONTWAIT | MSG.CMSG_CLOEXEC);
    if (received < 0) {
      const error = errno();
      if (error === E.AGAIN) return false;
      throw systemError('recvmsg', error);
    }
    // Fewer descriptors than numbers: this process may open no more (MSG_CTRUNC), and whoever takes one that is missing is told.
    const arrived = Math.max(0, Number(message.readBigUInt64LE(40)) - CONTROL_HEADER_BYTES) / 4;
    for (let index = 0; index < Math.min(arrived, received / BYTES_PER_ID); index++) {
      const id = message.readUInt32LE(BYTES_AT + index * BYTES_PER_ID);
      this.#waiting.set(id, message.readInt32LE(CONTROL_AT + CONTROL_HEADER_BYTES + index * 4));
    }
    return received > 0;
  }
}
