import type { Connection } from '../net/connection.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import { TlsAcceptance, type TlsClientWaiter } from '../net/tls/accept-tls.ts';
import type { HandshakeFailure } from '../net/tls/handshake-failure.ts';
import type { ServerTls } from '../net/tls/server-tls.ts';
import type { ClientHello } from '../net/tls-hello/client-hello.ts';
import type { ClientSession } from './client-session.ts';
import type { PassedOn } from './pass-through.ts';
import { plainHttpAnswer } from './plain-http-answer.ts';

/** The TLS of a listener. */
export interface ListenerTls {
  readonly server: ServerTls;
  readonly handshakeTimeoutMs: number;
}

/** What a listener does with handshakes. */
export interface TlsClientOwner {
  /** The handshake is over: who serves the connection in the protocol that was agreed on. */
  serveSecure(connection: Connection): ClientSession;
  /** Who takes a client whose TLS is passed on; undefined when it is ours to end. */
  passOn(connection: Connection, hello: ClientHello, bytes: Buffer): PassedOn | undefined;
  handshakeFailed(connection: Connection, failure: HandshakeFailure): void;
  /** After its handshake a client sent what no honest one does. */
  tlsViolated(connection: Connection, detail: string): void;
}

/** A client that speaks TLS: its handshake, and then whoever serves it. It stands for both where the listener keeps its clients. */
export class TlsClient implements ClientSession, TlsClientWaiter {
  place = -1;
  readonly #owner: TlsClientOwner;
  readonly #connection: Connection;
  readonly #handshake: TlsAcceptance;
  #session: ClientSession | undefined = undefined;
  #passed: PassedOn | undefined = undefined;

  constructor(connection: Connection, tls: ListenerTls, wheel: TimerWheel, owner: TlsClientOwner) {
    this.#owner = owner;
    this.#connection = connection;
    this.#handshake = new TlsAcceptance(connection, tls.server, wheel, tls.handshakeTimeoutMs, this);
  }

  onHello(hello: ClientHello, bytes: Buffer): boolean {
    const passed = this.#owner.passOn(this.#connection, hello, bytes);
    if (passed === undefined) return false;
    this.#passed = passed;
    this.#connection.handler = passed;
    return true;
  }

  onSecure(connection: Connection): ClientSession {
    this.#session = this.#owner.serveSecure(connection);
    return this.#session;
  }

  plainAnswer(bytes: Buffer): Buffer | undefined {
    return plainHttpAnswer(bytes);
  }

  onInsecure(failure: HandshakeFailure): void {
    this.#owner.handshakeFailed(this.#connection, failure);
  }

  onViolation(detail: string): void {
    this.#owner.tlsViolated(this.#connection, detail);
  }

  get parting(): boolean {
    return this.#session?.parting === true;
  }

  drain(): void {
    // Its end is for its own two sides to find.
    if (this.#passed !== undefined) return;
    if (this.#session === undefined) this.#handshake.abandon();
    else this.#session.drain();
  }

  cut(): void {
    if (this.#passed !== undefined) this.#passed.cut('shutting_down');
    else if (this.#session === undefined) this.#handshake.abandon();
    else this.#session.cut();
  }

  recycle(): void {
    this.#session?.recycle();
  }

  // ---- the connection, until the handshake is over ----

  onData(bytes: Buffer): void {
    this.#handshake.onData(bytes);
  }

  onEnd(): void {
    this.#handshake.onEnd();
  }

  onCongested(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#handshake.onClose();
  }
}
