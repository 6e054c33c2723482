import type { FailureCode } from '../../model/failures.ts';
import type { Connection, ConnectionHandler } from '../connection.ts';
import type { dial, Dialler } from '../dial.ts';
import { reportDefect } from '../defects.ts';
import { Deadline, type Timed, type TimerWheel } from '../timer-wheel.ts';
import { turnNowMs } from '../turn.ts';
import type { ClientTls } from './client-tls.ts';
import type { HandshakeFailure } from './handshake-failure.ts';
import type { Handle } from './openssl.ts';
import { describeSession } from './session.ts';
import { type HandshakeWaiter, TlsTransport } from './tls-transport.ts';

function codeOf({ reason }: HandshakeFailure): FailureCode {
  if (reason === 'certificate') return 'tls_certificate';
  return reason === 'alert' ? 'tls_alert' : 'tls_failed';
}

/** From a TCP connection to one that speaks TLS. */
class TlsDial implements Dialler, ConnectionHandler, HandshakeWaiter, Timed {
  readonly #tls: ClientTls;
  readonly #host: string;
  readonly #port: number;
  readonly #timeoutMs: number;
  readonly #dialler: Dialler;
  readonly #deadline: Deadline;
  readonly #begunMs: number;
  #connection: Connection | undefined = undefined;
  #remembered = false;
  #over = false;
  #cancelDial: () => void = () => {};

  constructor(
    tls: ClientTls,
    wheel: TimerWheel,
    host: string,
    port: number,
    timeoutMs: number,
    dialler: Dialler,
  ) {
    this.#tls = tls;
    this.#host = host;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    this.#dialler = dialler;
    this.#deadline = new Deadline(wheel, this);
    this.#begunMs = turnNowMs();
  }

  begin(connect: typeof dial, wheel: TimerWheel, introduction: Buffer | undefined): () => void {
    this.#cancelDial = connect(wheel, this.#host, this.#port, this.#timeoutMs, this, introduction);
    return () => this.#cancel();
  }

  onConnected(connection: Connection): ConnectionHandler {
    this.#connection = connection;
    const handle = this.#tls.connect(this.#host, this.#port);
    if (handle === null) {
      queueMicrotask(() =>
        this.onHandshakeFailed({ reason: 'other', detail: 'no memory for a TLS connection' }),
      );
      return this;
    }
    let transport: TlsTransport | undefined;
    connection.layer((inner, events) => {
      transport = new TlsTransport(inner, events, handle, this);
      inner.tellTo(transport);
      return transport;
    });
    this.#deadline.start(Math.max(0, this.#timeoutMs - (turnNowMs() - this.#begunMs)));
    transport!.start(undefined);
    return this;
  }

  onDialFailed(code: FailureCode, detail: string): void {
    this.#over = true;
    this.#dialler.onDialFailed(code, detail);
  }

  // ---- the handshake ----

  step(_ssl: Handle, run: () => number): number {
    return run();
  }

  onHandshake(ssl: Handle): void {
    const connection = this.#connection!;
    this.#over = true;
    this.#deadline.cancel();
    const serverName = this.#tls.serverName(this.#host);
    connection.tls = { ...describeSession(ssl), serverName, peer: undefined, covers: () => true };
    try {
      connection.handler = this.#dialler.onConnected(connection);
    } catch (error) {
      reportDefect(error);
      connection.reset();
    }
  }

  onHandshakeFailed(failure: HandshakeFailure): void {
    this.#fail(codeOf(failure), failure.detail);
  }

  onFirstBytes(ssl: Handle): void {
    // Session tickets of TLS 1.3 come before the first bytes.
    this.#remembered = true;
    this.#tls.remember(ssl, this.#host, this.#port);
  }

  /** The connection ends in an error, which is what whoever uses it has to know. */
  onViolation(): void {}

  onFree(ssl: Handle): void {
    if (!this.#remembered && this.#connection?.tls !== undefined)
      this.#tls.remember(ssl, this.#host, this.#port);
  }

  // ---- the connection, until the handshake is over ----

  onData(): void {}

  onEnd(): void {
    this.#fail('tls_failed', 'the endpoint closed the connection in the handshake');
  }

  onCongested(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#fail('tls_failed', 'the endpoint closed the connection in the handshake');
  }

  onDeadline(): void {
    this.#fail('connect_timeout', `no TLS connection within ${this.#timeoutMs} ms`);
  }

  #fail(code: FailureCode, detail: string): void {
    if (this.#over) return;
    this.#end();
    this.#dialler.onDialFailed(code, detail);
  }

  #cancel(): void {
    if (this.#over) return;
    this.#end();
    this.#cancelDial();
  }

  #end(): void {
    this.#over = true;
    this.#deadline.cancel();
    this.#connection?.close();
  }
}

/**
 * Dials as `connect` does, and speaks TLS as `current` says, if it says so. The time for connecting covers the handshake, whose
 * failures are `tls_certificate`, `tls_alert` and `tls_failed`.
 */
export function dialTls(connect: typeof dial, current: () => ClientTls | undefined): typeof dial {
  return (wheel, host, port, timeoutMs, dialler, introduction) => {
    const tls = current();
    if (tls === undefined) return connect(wheel, host, port, timeoutMs, dialler, introduction);
    return new TlsDial(tls, wheel, host, port, timeoutMs, dialler).begin(connect, wheel, introduction);
  };
}
