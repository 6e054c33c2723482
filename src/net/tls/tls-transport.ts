import { reportDefect } from '../defects.ts';
import type { CloseCause } from '../connection.ts';
import type { Transport, TransportEvents } from '../transport.ts';
import { enterTurn, leaveTurn } from '../turn.ts';
import { type HandshakeFailure, handshakeFailure } from './handshake-failure.ts';
import { type Handle, openSsl, SHUT_DOWN, SSL_ERROR, takeError } from './openssl.ts';
import { SealedOutput } from './sealed-output.ts';

/** Most that is sealed at once, bytes: what a slow reader makes us keep twice. */
const SEAL_BYTES = 128 * 1024;
/** Most that is opened at once, bytes: what one read of our own sockets brings. Those of the runtime may bring more. */
const MAX_READ_BYTES = 256 * 1024;
/** ... and what was kept of a record before it. */
const PLAIN_BYTES = MAX_READ_BYTES + 32 * 1024;
/** What a peer may send before its handshake is over, bytes: chains of certificates included. */
const HANDSHAKE_BYTES = 128 * 1024;

/** Key updates in a row, one read each, before the connection is ended. */
const MAX_ANSWERS = 32;

const plain = Buffer.allocUnsafeSlow(PLAIN_BYTES);
/** What nobody wants to read. */
const waste = Buffer.allocUnsafeSlow(16 * 1024);
/** Views of the beginning of `plain`, by length: most messages have one of a few lengths. */
const views: (Buffer | undefined)[] = [];
const MAX_VIEWS = 2048;

function plainView(length: number): Buffer {
  if (length >= MAX_VIEWS) return plain.subarray(0, length);
  return (views[length] ??= plain.subarray(0, length));
}

/** Who waits for the handshake. Exactly one of the two is called, once, or none when the connection was closed from here. */
export interface HandshakeWaiter {
  /** Around each step of the handshake: what the library is told for this step alone. */
  step(ssl: Handle, run: () => number): number;
  /** Done: what was agreed on can be asked of `ssl` until this returns. */
  onHandshake(ssl: Handle): void;
  /** It failed; the peer has been told, as far as there is something to tell. The transport is closed by who hears this. */
  onHandshakeFailed(failure: HandshakeFailure): void;
  /** The first bytes after the handshake have been opened. */
  onFirstBytes(ssl: Handle): void;
  /** The connection goes, and `ssl` with it when this returns. */
  onFree(ssl: Handle): void;
}

const Phase = { Handshake: 0, Open: 1, Failed: 2, Gone: 3 } as const;
type PhaseState = (typeof Phase)[keyof typeof Phase];

/**
 * TLS between a connection and its socket: opens what comes, seals what goes. All that one read brought is opened before any of it is
 * handed on, and all that one write seals leaves in one piece.
 *
 * A FIN without close_notify before it may be the work of an attacker who cut the connection short (RFC 8446 section 6.1), so it counts
 * as a reset.
 */
export class TlsTransport implements Transport, TransportEvents {
  readonly #inner: Transport;
  #events: TransportEvents;
  readonly #waiter: HandshakeWaiter;
  #ssl: Handle | undefined;
  #phase: PhaseState = Phase.Handshake;
  #handshakeBytes = 0;
  #first = true;
  readonly #sealed: SealedOutput;
  #finWanted = false;
  #finSent = false;
  /** close_notify came. */
  #ended = false;
  /** Key updates and renegotiations that were answered since the last data. */
  #answers = 0;
  /** Something came that an honest peer does not send. */
  #broken = false;
  #cause: CloseCause | undefined = undefined;

  /** @param ssl In accept or connect state, ours from now on. */
  constructor(inner: Transport, events: TransportEvents, ssl: Handle, waiter: HandshakeWaiter) {
    this.#inner = inner;
    this.#sealed = new SealedOutput(inner);
    this.#events = events;
    this.#ssl = ssl;
    this.#waiter = waiter;
    const { crypto, ssl: lib, input, output } = openSsl();
    crypto.BIO_up_ref(input);
    crypto.BIO_up_ref(output);
    lib.SSL_set_bio(ssl, input, output);
  }

  get remoteAddress(): string {
    return this.#inner.remoteAddress;
  }

  get remotePort(): number {
    return this.#inner.remotePort;
  }

  get localAddress(): string {
    return this.#inner.localAddress;
  }

  get localPort(): number {
    return this.#inner.localPort;
  }

  keepAlive(idleMs: number): void {
    this.#inner.keepAlive(idleMs);
  }

  tellTo(events: TransportEvents): void {
    this.#events = events;
  }

  /** Begins: a client speaks first, a server is given what has come already. */
  start(bytes: Buffer | undefined): void {
    if (bytes !== undefined) this.onBytes(bytes);
    else this.#handshake();
  }

  // ---- what comes ----

  onBytes(bytes: Buffer): void {
    if (bytes.length <= MAX_READ_BYTES) {
      this.#take(bytes);
      return;
    }
    for (let at = 0; at < bytes.length; at += MAX_READ_BYTES)
      this.#take(bytes.subarray(at, at + MAX_READ_BYTES));
  }

  #take(bytes: Buffer): void {
    const ssl = this.#ssl;
    if (ssl === undefined || this.#ended || this.#phase >= Phase.Failed) return;
    const { crypto, input } = openSsl();
    enterTurn();
    try {
      crypto.BIO_write(input, bytes, bytes.length);
      if (this.#phase === Phase.Open) this.#deliver(plainView(this.#open(ssl)));
      else this.#shakeHands(ssl, bytes.length);
    } catch (error) {
      emptyInput();
      reportDefect(error);
      this.reset();
    } finally {
      leaveTurn();
      this.#sealed.release();
    }
  }

  /** A step of the handshake, and what the peer sent behind its last message. */
  #shakeHands(ssl: Handle, length: number): void {
    this.#handshakeBytes += length;
    this.#sealed.holding = true;
    this.#handshake();
    if (this.#phase !== Phase.Open) {
      emptyInput();
      return;
    }
    // Opened and copied before anybody hears of it: the way in is empty when others may use it.
    const early = Buffer.from(plain.subarray(0, this.#open(ssl)));
    this.#waiter.onHandshake(ssl);
    if (this.#ssl !== undefined) this.#deliver(early);
  }

  #handshake(): void {
    const ssl = this.#ssl!;
    const lib = openSsl().ssl;
    const result = this.#waiter.step(ssl, () => lib.SSL_do_handshake(ssl));
    if (result === 1) {
      this.#phase = Phase.Open;
      this.#sealed.flush(0);
      return;
    }
    const wanted = lib.SSL_get_error(ssl, result);
    if (wanted === SSL_ERROR.WANT_READ && this.#handshakeBytes <= HANDSHAKE_BYTES) {
      this.#sealed.holding = false;
      this.#sealed.flush(0);
      return;
    }
    const failure: HandshakeFailure =
      wanted === SSL_ERROR.WANT_READ
        ? { reason: 'too-large', detail: `more than ${HANDSHAKE_BYTES} bytes before the handshake was over` }
        : handshakeFailure(ssl);
    this.#failHandshake(failure);
  }

  #failHandshake(failure: HandshakeFailure): void {
    this.#phase = Phase.Failed;
    this.#sealed.holding = false;
    emptyInput();
    // The alert, if there is one.
    this.#sealed.flush(0);
    this.#waiter.onHandshakeFailed(failure);
  }

  /** Opens every record that is whole, into `plain`; leaves nothing behind in the way in. Returns how many bytes that made. */
  #open(ssl: Handle): number {
    const { ssl: lib, crypto, input, output } = openSsl();
    let length = 0;
    for (;;) {
      const count = lib.SSL_read(ssl, length === 0 ? plain : plain.subarray(length), PLAIN_BYTES - length);
      if (count > 0) {
        length += count;
        if (crypto.BIO_ctrl_pending(input) === 0) break;
        continue;
      }
      const error = lib.SSL_get_error(ssl, count);
      if (error === SSL_ERROR.WANT_READ) break;
      if (error === SSL_ERROR.ZERO_RETURN) {
        this.#ended = true;
      } else {
        takeError();
        this.#sealed.holding = false;
        this.#broken = true;
      }
      emptyInput();
      break;
    }
    // An answer to a key update, or the alert that says what was wrong.
    if (crypto.BIO_ctrl_pending(output) > 0) {
      this.#sealed.flush(0);
      // Each answer costs us more than it costs who asks: nobody with something to say asks so often.
      if ((length === 0 && ++this.#answers > MAX_ANSWERS) || this.#sealed.overfull) this.#broken = true;
    }
    if (length > 0) this.#answers = 0;
    return length;
  }

  /** Hands on what was opened, and what came behind it. */
  #deliver(bytes: Buffer): void {
    if (bytes.length > 0) {
      if (this.#first) {
        this.#first = false;
        this.#waiter.onFirstBytes(this.#ssl!);
      }
      this.#events.onBytes(bytes);
    }
    if (this.#broken) this.#fail('error');
    else if (this.#ended && this.#phase === Phase.Open) this.#events.onFin();
  }

  onFin(): void {
    if (this.#phase === Phase.Handshake) {
      enterTurn();
      this.#failHandshake({ reason: 'closed', detail: 'the peer closed the connection in its handshake' });
      leaveTurn();
    } else if (this.#phase === Phase.Failed) {
      this.#fail('closed');
    } else if (!this.#ended) {
      this.#fail('reset');
    }
  }

  onGone(cause: CloseCause): void {
    this.#phase = Phase.Gone;
    this.#free();
    this.#events.onGone(this.#cause ?? cause);
  }

  #fail(cause: CloseCause): void {
    if (this.#phase === Phase.Gone) return;
    this.#cause = cause;
    this.#inner.close();
  }

  #free(): void {
    const ssl = this.#ssl;
    if (ssl === undefined) return;
    this.#ssl = undefined;
    this.#sealed.drop();
    this.#waiter.onFree(ssl);
    const { ssl: lib } = openSsl();
    // Else the library takes the session for damaged, although it may be resumed all the same (RFC 8446 section 6.1).
    lib.SSL_set_shutdown(ssl, SHUT_DOWN);
    lib.SSL_free(ssl);
  }

  // ---- what goes ----

  write(bytes: Buffer, start: number, end: number): number {
    const ssl = this.#ssl;
    if (ssl === undefined) return end - start;
    let taken = this.#sealed.report();
    while (!this.#sealed.waits && taken < end - start) {
      const from = start + taken;
      const length = Math.min(end - from, SEAL_BYTES);
      if (
        openSsl().ssl.SSL_write(ssl, from === 0 ? bytes : bytes.subarray(from, from + length), length) <= 0
      ) {
        takeError();
        this.#sealed.flush(0);
        this.#fail('error');
        return end - start;
      }
      this.#sealed.holding = false;
      this.#sealed.flush(length);
      taken += this.#sealed.report();
    }
    return taken;
  }

  /** What waits to be opened may be no more than a ticket, but it may be the end. */
  silent(): boolean {
    return !this.#ended && this.#inner.silent();
  }

  onRoom(): void {
    if (this.#sealed.onRoom() && this.#finWanted) this.#sendFin();
    if (this.#phase === Phase.Open) this.#events.onRoom();
  }

  /** We watch for room as long as something is pending, whoever asks. */
  wantRoom(wanted: boolean): void {
    if (wanted || !this.#sealed.waits) this.#inner.wantRoom(wanted);
  }

  read(wanted: boolean): void {
    this.#inner.read(wanted);
  }

  #sendFin(): void {
    if (this.#finSent) return;
    this.#finSent = true;
    this.#inner.shutdown();
  }

  /** close_notify, once. */
  #notify(): void {
    if (this.#ssl === undefined || this.#phase !== Phase.Open || this.#finWanted) return;
    this.#finWanted = true;
    this.#sealed.holding = false;
    if (openSsl().ssl.SSL_shutdown(this.#ssl) < 0) takeError();
    this.#sealed.flush(0);
  }

  shutdown(): void {
    this.#notify();
    this.#finWanted = true;
    if (!this.#sealed.waits) this.#sendFin();
  }

  close(): void {
    if (this.#phase === Phase.Gone) return;
    this.#notify();
    this.#cause ??= 'closed';
    this.#inner.close();
  }

  reset(): void {
    if (this.#phase === Phase.Gone) return;
    this.#cause ??= 'closed';
    this.#inner.reset();
  }
}

/** All connections share the way in, so nothing of one may be left to the next. */
function emptyInput(): void {
  const { crypto, input } = openSsl();
  while (crypto.BIO_ctrl_pending(input) > 0) crypto.BIO_read(input, waste, waste.length);
}
