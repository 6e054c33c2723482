import { Follows, type FollowsKind, type Transport } from '../transport.ts';
import { openSsl } from './openssl.ts';

/** Sealed output of one step; records add some 30 bytes to each 16 KiB, handshakes are bounded by certificates. */
const SEALED_BYTES = 512 * 1024;

const sealed = Buffer.allocUnsafeSlow(SEALED_BYTES);

/** What a connection has sealed, on its way to the kernel: at once, or when there is room, or together with what comes next. */
export class SealedOutput {
  /** What is sealed waits for company: session tickets leave with the first response. */
  holding = false;
  readonly #inner: Transport;
  /** What the kernel has not taken. */
  #pending: Buffer | undefined = undefined;
  #held: Buffer | undefined = undefined;
  /** Plain bytes that were sealed and not reported as taken: part of what is pending. */
  #unreported = 0;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  /** Something waits for room. */
  get waits(): boolean {
    return this.#pending !== undefined;
  }

  /** More waits than an honest peer lets come to that: it asks for answers and does not read them. */
  get overfull(): boolean {
    return this.#pending !== undefined && this.#pending.length > SEALED_BYTES;
  }

  /** Takes over what the library has sealed; `plainBytes` of it were data. */
  flush(plainBytes: number, follows: FollowsKind = Follows.Nothing): void {
    const { crypto, output } = openSsl();
    this.#unreported += plainBytes;
    for (let length = SEALED_BYTES; length === SEALED_BYTES;) {
      length = crypto.BIO_read(output, sealed, SEALED_BYTES);
      if (length > 0) this.#add(length, follows);
    }
  }

  /** How many plain bytes are surely with the kernel by now, and were not reported before. */
  report(): number {
    // Sealed bytes are more than plain ones, so what is pending holds at least as many as it has.
    const taken = Math.max(0, this.#unreported - (this.#pending?.length ?? 0));
    this.#unreported -= taken;
    return taken;
  }

  #add(length: number, follows: FollowsKind): void {
    const before = this.#pending ?? this.#held;
    if (before === undefined && !this.holding) {
      this.#give(sealed, length, follows);
      return;
    }
    const piece = sealed.subarray(0, length);
    const joined = before === undefined ? Buffer.from(piece) : Buffer.concat([before, piece]);
    if (this.#pending !== undefined) {
      this.#pending = joined;
    } else if (this.holding) {
      this.#held = joined;
    } else {
      this.#held = undefined;
      this.#give(joined, joined.length, follows);
    }
  }

  #give(bytes: Buffer, length: number, follows: FollowsKind): void {
    const taken = this.#inner.write(bytes, 0, length, follows);
    if (taken >= length) return;
    this.#pending = Buffer.from(bytes.subarray(taken, length));
    this.#inner.wantRoom(true);
  }

  /** What was held found no company. */
  release(): void {
    this.holding = false;
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#give(held, held.length, Follows.Nothing);
  }

  /** There is room. Returns whether nothing waits any more. */
  onRoom(): boolean {
    const pending = this.#pending;
    if (pending === undefined) return true;
    const taken = this.#inner.write(pending, 0, pending.length);
    if (taken < pending.length) {
      this.#pending = taken === 0 ? pending : pending.subarray(taken);
      return false;
    }
    this.#pending = undefined;
    this.#inner.wantRoom(false);
    return true;
  }

  /** The socket is gone. */
  drop(): void {
    this.holding = false;
    this.#pending = undefined;
    this.#held = undefined;
  }
}
