import type { Log } from '../model/ports.ts';
import type { ListenerView } from '../model/runtime-view.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';

/** How often it is looked, milliseconds: often enough that somebody reads the log in between. */
const LOOK_MS = 12 * 3_600_000;
/** Warned of from so long before, milliseconds. */
const SOON_MS = 14 * 86_400_000;

/** Says in the log, again and again, which certificates expire soon or have expired. */
export class CertificateExpiry {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners: () => readonly ListenerView[];
  #cancelTimer: CancelTimer = () => {};

  constructor(clock: Clock, log: Log, listeners: () => readonly ListenerView[]) {
    this.#clock = clock;
    this.#log = log;
    this.#listeners = listeners;
  }

  /** Looks for the first time after one interval: at the start the check of the configuration has said it. */
  start(): void {
    this.#cancelTimer = this.#clock.after(LOOK_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#cancelTimer();
  }

  #look(): void {
    const nowMs = this.#clock.wallMs();
    for (const { name, certificates } of this.#listeners()) {
      for (const { names, serial, notAfterMs } of certificates) {
        if (notAfterMs > nowMs + SOON_MS) continue;
        const facts = {
          listener: name,
          names: names.join(','),
          serial,
          until: new Date(notAfterMs).toISOString(),
        };
        if (notAfterMs <= nowMs) this.#log.error('certificate-expired', facts);
        else this.#log.warn('certificate-expires', facts);
      }
    }
  }
}
