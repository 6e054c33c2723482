import type { FailureCode } from '../model/failures.ts';
import type { Connection, ConnectionHandler } from './connection.ts';
import { isExhaustion } from './exhaustion.ts';
import { dialFd } from './linux/fd-dial.ts';
import { knownAddresses, resolveHost } from './resolve.ts';
import { dialRuntime } from './runtime/runtime-dial.ts';
import { usesDescriptors } from './sockets.ts';
import { Deadline, type Timed, type TimerWheel } from './timer-wheel.ts';
import { runTurn } from './turn.ts';

/** Who waits for a connection to an endpoint. */
export interface Dialler {
  /** Connected; returns who serves the connection from now on. */
  onConnected(connection: Connection): ConnectionHandler;
  /** Could not connect: one of `connect_refused`, `connect_timeout`, `connect_failed`, `dns_failed`, `no_descriptor`. */
  onDialFailed(code: FailureCode, detail: string): void;
}

/** One try at one address, as the two kinds of sockets tell of it: once, and not before the call returns. */
export interface Attempt {
  onConnected(connection: Connection): void;
  /** `error.code` is the system's name of it. */
  onFailed(error: unknown): void;
}

/** The one place where error codes of the system become failure codes. */
function classify(error: unknown): { code: FailureCode; detail: string } {
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ECONNREFUSED':
      return { code: 'connect_refused', detail: code };
    case 'ETIMEDOUT':
      return { code: 'connect_timeout', detail: code };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
    case 'ENODATA':
      return { code: 'dns_failed', detail: code };
    default:
      if (isExhaustion(code)) return { code: 'no_descriptor', detail: code };
      return { code: 'connect_failed', detail: code === '' ? String(error) : code };
  }
}

/** From a name to a connection: resolves, then tries one address after the other. */
class Dial implements Attempt, Timed {
  readonly #port: number;
  readonly #timeoutMs: number;
  readonly #dialler: Dialler;
  readonly #introduction: Buffer | undefined;
  readonly #deadline: Deadline;
  #ips: readonly string[] = [];
  #next = 0;
  #waiting = true;
  #giveUp: () => void = () => {};

  constructor(
    wheel: TimerWheel,
    port: number,
    timeoutMs: number,
    dialler: Dialler,
    introduction: Buffer | undefined,
  ) {
    this.#introduction = introduction;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    this.#dialler = dialler;
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.start(timeoutMs);
  }

  begin(host: string): void {
    const known = knownAddresses(host);
    if (known !== undefined) {
      this.#ips = known;
      this.#tryNext();
      return;
    }
    resolveHost(host).then(
      (ips) => {
        this.#ips = ips;
        if (this.#waiting) this.#tryNext();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #tryNext(): void {
    const ip = this.#ips[this.#next++]!;
    this.#giveUp = usesDescriptors ? dialFd(ip, this.#port, this) : dialRuntime(ip, this.#port, this);
  }

  onConnected(connection: Connection): void {
    if (!this.#waiting) {
      connection.close();
      return;
    }
    this.#end();
    runTurn(() => {
      const introduction = this.#introduction;
      if (introduction !== undefined) {
        connection.write(introduction, 0, introduction.length);
        connection.flush();
      }
      connection.handler = this.#dialler.onConnected(connection);
    });
  }

  onFailed(error: unknown): void {
    if (!this.#waiting) return;
    if (this.#next < this.#ips.length) this.#tryNext();
    else this.#fail(error);
  }

  onDeadline(): void {
    if (!this.#waiting) return;
    this.cancel();
    this.#dialler.onDialFailed('connect_timeout', `no connection within ${this.#timeoutMs} ms`);
  }

  #fail(error: unknown): void {
    if (!this.#waiting) return;
    this.#end();
    const { code, detail } = classify(error);
    runTurn(() => this.#dialler.onDialFailed(code, detail));
  }

  #end(): void {
    this.#waiting = false;
    this.#deadline.cancel();
  }

  cancel(): void {
    this.#end();
    this.#giveUp();
  }
}

/**
 * Connects to `host` and `port`. Exactly one of the dialler's methods is called, once, never before this returns.
 * `timeoutMs` covers name resolution and the TCP handshake. The returned function gives up: then neither is called.
 * @param introduction Written before anything else, TLS included: a PROXY header.
 */
export function dial(
  wheel: TimerWheel,
  host: string,
  port: number,
  timeoutMs: number,
  dialler: Dialler,
  introduction?: Buffer,
): () => void {
  const run = new Dial(wheel, port, timeoutMs, dialler, introduction);
  run.begin(host);
  return () => run.cancel();
}
