import type { HandshakeFailureReason } from '../../model/tls-stats.ts';
import type { Connection, ConnectionHandler } from '../connection.ts';
import { reportDefect } from '../defects.ts';
import { type ClientHello } from '../tls-hello/client-hello.ts';
import { ClientHelloScanner, type HelloRefusal } from '../tls-hello/client-hello-scanner.ts';
import { ALERT } from '../tls-hello/fatal-alert.ts';
import { Deadline, type TimerWheel } from '../timer-wheel.ts';
import { unserved } from '../unserved.ts';
import type { HandshakeFailure } from './handshake-failure.ts';
import { type Handle, openSsl } from './openssl.ts';
import { describeSession, peerCertificate } from './session.ts';
import { CHALLENGE_PROTOCOL, type ServerContext, type ServerTls } from './server-tls.ts';
import type { TlsInfo } from './tls-info.ts';
import { type HandshakeWaiter, TlsTransport } from './tls-transport.ts';

/** Most of a ClientHello, bytes: with key shares that resist quantum computers they have 2 KiB. */
const HELLO_BYTES = 16 * 1024;
/** How long a client whose handshake failed may take to read why, milliseconds. */
const ALERT_MS = 1000;

/** Who waits for a client's handshake. Exactly one of `onSecure` and `onInsecure` is called, once, unless the connection is closed from here. */
export interface TlsClientWaiter {
  /**
   * Before anything is answered. `bytes`: everything that has come, valid until this returns.
   * @returns whether somebody else takes the connection, as it is; then nothing else is called.
   */
  onHello?(hello: ClientHello, bytes: Buffer): boolean;
  /** What came is no TLS. Returns what to answer in the clear before the close; undefined for nothing. */
  plainAnswer?(bytes: Buffer): Buffer | undefined;
  /** Done, and `connection.tls` says how. Returns who serves it from now on; undefined to close it. */
  onSecure(connection: Connection): ConnectionHandler | undefined;
  onInsecure(failure: HandshakeFailure): void;
  /** After the handshake: the client sent what no honest one does, and is about to be cut off. May follow `onSecure`. */
  onViolation(detail: string): void;
}

const REFUSALS: Readonly<Record<HelloRefusal, HandshakeFailureReason>> = {
  'not-tls': 'not-tls',
  sslv2: 'version',
  malformed: 'malformed',
  'too-large': 'too-large',
};

/**
 * The server's side of a handshake on an accepted connection: reads the ClientHello, finds the certificate for it, and hands the
 * connection on when the handshake is over. It serves the connection until then.
 */
export class TlsAcceptance implements ConnectionHandler, HandshakeWaiter {
  readonly #connection: Connection;
  readonly #tls: ServerTls;
  readonly #waiter: TlsClientWaiter;
  readonly #deadline: Deadline;
  readonly #scanner = new ClientHelloScanner(HELLO_BYTES);
  #received: Buffer | undefined = undefined;
  #serverName = '';
  #helloBytes: Buffer | undefined = undefined;
  #context: ServerContext | undefined = undefined;
  #over = false;

  constructor(
    connection: Connection,
    tls: ServerTls,
    wheel: TimerWheel,
    timeoutMs: number,
    waiter: TlsClientWaiter,
  ) {
    this.#connection = connection;
    this.#tls = tls;
    this.#waiter = waiter;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.start(timeoutMs);
  }

  /** Bytes of the handshake, from the first on: also those that were read before by somebody else. */
  onData(bytes: Buffer): void {
    // Nobody wants to hear what comes after we refused.
    if (this.#over) return;
    const all = this.#received === undefined ? bytes : Buffer.concat([this.#received, bytes]);
    const verdict = this.#scanner.scan(all);
    switch (verdict.kind) {
      case 'more':
        this.#received = all === bytes ? Buffer.from(bytes) : all;
        return;
      case 'refused':
        this.#refuse(
          { reason: REFUSALS[verdict.refusal], detail: verdict.detail },
          verdict.refusal === 'not-tls' ? this.#waiter.plainAnswer?.(all) : ALERT.DECODE_ERROR,
        );
        return;
      case 'hello':
        if (this.#waiter.onHello?.(verdict.hello, all) === true) this.#leave();
        else this.#begin(all, verdict.hello, verdict.end);
        return;
    }
  }

  #leave(): void {
    this.#over = true;
    this.#received = undefined;
    this.#deadline.cancel();
  }

  #begin(all: Buffer, hello: ClientHello, end: number): void {
    this.#received = undefined;
    const challenged = hello.alpn.includes(CHALLENGE_PROTOCOL);
    const context =
      (challenged ? this.#tls.challengeContextFor(hello.serverName) : undefined) ??
      this.#tls.contextFor(hello.serverName);
    if (context === undefined) {
      const detail = `no certificate for ${JSON.stringify(hello.serverName)}`;
      this.#refuse({ reason: 'unknown-name', detail }, ALERT.UNRECOGNIZED_NAME);
      return;
    }
    this.#serverName = hello.serverName;
    this.#helloBytes = all.subarray(0, end);
    this.#context = context;
    const { ssl } = openSsl();
    const handle = ssl.SSL_new(context.handle);
    if (handle === null) {
      this.#refuse({ reason: 'other', detail: 'no memory for a TLS connection' }, undefined);
      return;
    }
    ssl.SSL_set_accept_state(handle);
    let transport: TlsTransport | undefined;
    this.#connection.layer((inner, events) => {
      transport = new TlsTransport(inner, events, handle, this);
      inner.tellTo(transport);
      return transport;
    });
    transport!.start(all);
  }

  /** Says why, if there is a way to say it, and closes. */
  #refuse(failure: HandshakeFailure, last: Buffer | undefined): void {
    if (last !== undefined) this.#connection.write(last, 0, last.length);
    this.onHandshakeFailed(failure);
  }

  // ---- the handshake ----

  step(_ssl: Handle, run: () => number): number {
    const hello = this.#helloBytes;
    this.#helloBytes = undefined;
    return this.#tls.step(this.#context!, hello, run);
  }

  onHandshake(ssl: Handle): void {
    const connection = this.#connection;
    this.#over = true;
    this.#deadline.cancel();
    const serverName = this.#serverName;
    const context = this.#context!;
    const tls = this.#tls;
    const info: TlsInfo = {
      ...describeSession(ssl),
      serverName,
      peer: tls.asksClients ? peerCertificate(ssl) : undefined,
      covers: (host) => serverName === '' || tls.contextFor(host) === context,
    };
    connection.tls = info;
    // The handshake was all that was wanted (RFC 8737 section 3).
    if (info.alpn === CHALLENGE_PROTOCOL) {
      connection.handler = unserved;
      connection.close();
      return;
    }
    let handler: ConnectionHandler | undefined;
    try {
      handler = this.#waiter.onSecure(connection);
    } catch (error) {
      reportDefect(error);
    }
    connection.handler = handler ?? unserved;
    if (handler === undefined) connection.close();
  }

  onHandshakeFailed(failure: HandshakeFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiter.onInsecure(failure);
    // A close with unread bytes is a reset, which may overtake the alert.
    this.#connection.shutdown();
    this.#deadline.start(ALERT_MS);
  }

  onFirstBytes(): void {}

  onViolation(detail: string): void {
    this.#waiter.onViolation(detail);
  }

  onFree(): void {}

  // ---- the connection, until the handshake is over ----

  onEnd(): void {
    if (!this.#over) this.onHandshakeFailed({ reason: 'closed', detail: 'the client closed the connection' });
    this.#end();
  }

  onCongested(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#deadline.cancel();
    if (this.#over) return;
    this.#over = true;
    this.#waiter.onInsecure({ reason: 'closed', detail: 'the client closed the connection' });
  }

  onDeadline(): void {
    if (!this.#over) {
      this.#over = true;
      this.#waiter.onInsecure({
        reason: 'timeout',
        detail: 'the client did not finish its handshake in time',
      });
    }
    this.#end();
  }

  #end(): void {
    this.#deadline.cancel();
    this.#connection.close();
  }

  /** No handshake is worth waiting for any more. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    this.#end();
  }
}
