import { reportDefect } from '../defects.ts';
import type { CloseCause } from '../connection.ts';
import { Follows, type FollowsKind, type Transport, type TransportEvents } from '../transport.ts';
import { enterTurn, leaveTurn } from '../turn.ts';
import { type HandshakeFailure, handshakeFailure } from './handshake-failure.ts';
import { type Handle, openSsl, SHUT_DOWN, SSL_ERROR, takeError } from './openssl.ts';
import { emptyInput, MAX_READ_BYTES, OpenedInput } from './opened-input.ts';
import { SealedOutput } from './sealed-output.ts';

/** Most that is sealed at once, bytes: what a slow reader makes us keep twice. */
const SEAL_BYTES = 128 * 1024;
/** What a peer may send before its handshake is over, bytes: chains of certificates included. */
const HANDSHAKE_BYTES = 128 * 1024;

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
  /** The peer sent what no honest peer sends, and the connection is about to be ended for it. `detail` is for people. */
  onViolation(detail: string): void;
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
  /** close_notify is sealed. */
  #notified = false;
  #finSent = false;
  readonly #opened = new OpenedInput();
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
    if (ssl === undefined || this.#opened.ended || this.#phase >= Phase.Failed) return;
    const { crypto, input } = openSsl();
    enterTurn();
    try {
      crypto.BIO_write(input, bytes, bytes.length);
      if (this.#phase === Phase.Open) this.#deliver(this.#opened.open(ssl, bytes.length, this.#sealed));
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
    const early = Buffer.from(this.#opened.open(ssl, length, this.#sealed));
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

  /** Hands on what was opened, and what came behind it. */
  #deliver(bytes: Buffer): void {
    if (bytes.length > 0) {
      if (this.#first) {
        this.#first = false;
        this.#waiter.onFirstBytes(this.#ssl!);
      }
      this.#events.onBytes(bytes);
    }
    const { broken, refused, violation, ended } = this.#opened;
    if (broken) {
      if (violation !== '' && this.#ssl !== undefined) this.#waiter.onViolation(violation);
      this.#fail(refused && this.#first ? 'refused' : 'error');
    } else if (ended && this.#phase === Phase.Open) this.#events.onFin();
  }

  onFin(): void {
    if (this.#phase === Phase.Handshake) {
      enterTurn();
      this.#failHandshake({ reason: 'closed', detail: 'the peer closed the connection in its handshake' });
      leaveTurn();
    } else if (this.#phase === Phase.Failed) {
      this.#fail('closed');
    } else if (!this.#opened.ended) {
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

  write(bytes: Buffer, start: number, end: number, follows: FollowsKind = Follows.Nothing): number {
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
      const behind = from + length === end ? follows : Follows.Bytes;
      // In one segment: the end of the response, close_notify and FIN.
      if (behind === Follows.Fin) this.#sealNotify(ssl);
      this.#sealed.flush(length, behind);
      taken += this.#sealed.report();
    }
    return taken;
  }

  /** What waits to be opened may be no more than a ticket, but it may be the end. */
  silent(): boolean {
    return !this.#opened.ended && this.#inner.silent();
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

  /** close_notify, once. FIN follows. */
  #notify(): void {
    if (this.#ssl === undefined || this.#phase !== Phase.Open || this.#notified) return;
    this.#sealed.holding = false;
    this.#sealNotify(this.#ssl);
    this.#sealed.flush(0, Follows.Fin);
  }

  #sealNotify(ssl: Handle): void {
    this.#notified = true;
    if (openSsl().ssl.SSL_shutdown(ssl) < 0) takeError();
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
