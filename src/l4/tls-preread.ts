import type { FailureCode } from '../model/failures.ts';
import { Deadline, type Timed, type TimerWheel } from '../net/timer-wheel.ts';
import type { ClientHello } from '../net/tls-hello/client-hello.ts';
import { ClientHelloScanner, type HelloRefusal } from '../net/tls-hello/client-hello-scanner.ts';
import { ALERT } from '../net/tls-hello/fatal-alert.ts';

/** How long a ClientHello may be and take. */
export interface PrereadLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Who waits for the ClientHello. One of the two is called, once. */
export interface PrereadOwner {
  /** `bytes`: everything that has come, of which nothing is taken away. They are there until this returns. */
  onHello(hello: ClientHello, bytes: Buffer): void;
  /** `alert`: what to say to the client; undefined when it would not understand. */
  onNoHello(code: FailureCode, alert: Buffer | undefined): void;
}

const CODES: Readonly<Record<HelloRefusal, FailureCode>> = {
  'not-tls': 'hello_not_tls',
  sslv2: 'hello_not_tls',
  malformed: 'hello_malformed',
  'too-large': 'hello_too_large',
};

/** Reads what a TLS client says first and leaves it as it is, for whoever gets the connection then. */
export class TlsPreread implements Timed {
  readonly #owner: PrereadOwner;
  readonly #scanner: ClientHelloScanner;
  readonly #deadline: Deadline;
  #early: Buffer | undefined = undefined;

  constructor({ timeoutMs, maxBytes }: PrereadLimits, wheel: TimerWheel, owner: PrereadOwner) {
    this.#owner = owner;
    this.#scanner = new ClientHelloScanner(maxBytes);
    this.#deadline = new Deadline(wheel, this);
    this.#deadline.start(timeoutMs);
  }

  take(bytes: Buffer): void {
    const all = this.#early === undefined ? bytes : Buffer.concat([this.#early, bytes]);
    const verdict = this.#scanner.scan(all);
    switch (verdict.kind) {
      case 'more':
        this.#early = all === bytes ? Buffer.from(bytes) : all;
        return;
      case 'hello':
        this.cancel();
        this.#owner.onHello(verdict.hello, all);
        return;
      case 'refused':
        this.cancel();
        this.#owner.onNoHello(
          CODES[verdict.refusal],
          CODES[verdict.refusal] === 'hello_not_tls' ? undefined : ALERT.DECODE_ERROR,
        );
        return;
    }
  }

  onDeadline(): void {
    this.cancel();
    this.#owner.onNoHello('hello_timeout', undefined);
  }

  /** Nobody waits any more. */
  cancel(): void {
    this.#deadline.cancel();
    this.#early = undefined;
  }
}
