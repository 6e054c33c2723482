import { PREFACE } from '../http/h2-protocol.ts';
import type { CloseCause, Connection } from '../net/connection.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import type { ClientSession } from './client-session.ts';

/** Who serves a client once it is known what it speaks. */
export interface PrefaceClientOwner {
  serveHttp1(connection: Connection): ClientSession;
  serveHttp2(connection: Connection): ClientSession;
}

/** So much of the preface tells it from every request: no method begins with `PRI `. */
const TELLING = 4;

/**
 * A client without TLS that may speak HTTP/1.1 or, with prior knowledge, HTTP/2 (RFC 9113 section 3.3): its first bytes tell. It stands for
 * who serves it where the listener keeps its clients.
 */
export class PrefaceClient implements ClientSession {
  place = -1;
  readonly #connection: Connection;
  readonly #owner: PrefaceClientOwner;
  readonly #deadline: Deadline;
  #session: ClientSession | undefined = undefined;
  #held: Buffer | undefined = undefined;

  /** @param idleMs how long is waited for the first bytes */
  constructor(connection: Connection, owner: PrefaceClientOwner, wheel: TimerWheel, idleMs: number) {
    this.#connection = connection;
    this.#owner = owner;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.start(idleMs);
  }

  onData(bytes: Buffer): void {
    const begun = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]);
    const known = Math.min(begun.length, TELLING);
    const http2 = begun.compare(PREFACE, 0, known, 0, known) === 0;
    if (http2 && known < TELLING) {
      this.#held = Buffer.from(begun);
      return;
    }
    this.#held = undefined;
    this.#deadline.cancel();
    const session = http2
      ? this.#owner.serveHttp2(this.#connection)
      : this.#owner.serveHttp1(this.#connection);
    this.#session = session;
    this.#connection.handler = session;
    session.onData(begun);
  }

  get parting(): boolean {
    return this.#session?.parting === true;
  }

  drain(): void {
    if (this.#session === undefined) this.onDeadline();
    else this.#session.drain();
  }

  cut(): void {
    if (this.#session === undefined) this.onDeadline();
    else this.#session.cut();
  }

  recycle(): void {
    this.#session?.recycle();
  }

  onDeadline(): void {
    this.#deadline.cancel();
    this.#connection.close();
  }

  // ---- the connection, until it is decided ----

  onEnd(): void {
    this.onDeadline();
  }

  onCongested(): void {}

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#deadline.cancel();
  }
}
