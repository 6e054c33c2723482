import { afterEach, describe, expect, test } from 'bun:test';

import type { TransportEvents } from '../transport.ts';
import { FdTransport } from './fd-transport.ts';
import { AF, available, fixed, MSG, SOCK, sys } from './libc.ts';

const KIB = 1024;
const pair = fixed(8);

/** One end of a pair of sockets is read by a transport; the other is written to directly. */
class Reader implements TransportEvents {
  readonly transport: FdTransport;
  readonly #far: number;
  #pieces: number[] = [];
  #expected = 0;
  #whole: () => void = () => {};

  constructor(accepted: boolean) {
    sys.socketpair(AF.UNIX, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0, pair);
    this.#far = pair.readInt32LE(4);
    this.transport = new FdTransport(pair.readInt32LE(0), '', 0, accepted);
    this.transport.start(this, false);
  }

  /** Sends so many bytes at once. Returns the sizes of the pieces in which they were read. */
  async read(bytes: number): Promise<number[]> {
    this.#pieces = [];
    this.#expected = bytes;
    const whole = new Promise<void>((resolve) => (this.#whole = resolve));
    expect(sys.send(this.#far, Buffer.alloc(bytes), bytes, MSG.DONTWAIT)).toBe(bytes);
    await whole;
    return this.#pieces;
  }

  onBytes({ length }: Buffer): void {
    this.#pieces.push(length);
    this.#expected -= length;
    if (this.#expected === 0) this.#whole();
  }
  onRoom(): void {}
  onFin(): void {}
  onGone(): void {}

  close(): void {
    this.transport.close();
    sys.close(this.#far);
  }
}

describe.skipIf(!available)('how much is read at once', () => {
  let reader: Reader;
  afterEach(() => reader.close());

  test('little of what comes first; more of what a client goes on sending', async () => {
    reader = new Reader(true);
    expect(await reader.read(100 * KIB)).toEqual([64 * KIB, 36 * KIB]);
    expect(await reader.read(100 * KIB)).toEqual([100 * KIB]);
    expect(await reader.read(64 * KIB)).toEqual([64 * KIB]);
    expect(await reader.read(100 * KIB)).toEqual([100 * KIB]);
  });

  test('little of what an endpoint sends, each time', async () => {
    reader = new Reader(false);
    expect(await reader.read(100 * KIB)).toEqual([64 * KIB, 36 * KIB]);
    expect(await reader.read(100 * KIB)).toEqual([64 * KIB, 36 * KIB]);
  });

  test('little again once little came', async () => {
    reader = new Reader(true);
    await reader.read(100 * KIB);
    expect(await reader.read(64 * KIB - 1)).toEqual([64 * KIB - 1]);
    expect(await reader.read(100 * KIB)).toEqual([64 * KIB, 36 * KIB]);
  });
});
