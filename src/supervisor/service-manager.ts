import type { Log } from '../model/ports.ts';
import { machineNowMs } from '../net/machine-time.ts';
import { sendNotice } from '../net/service-notice.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';
import { wait } from './shutdown.ts';

/** What a service manager says to a service at its start: environment(7) of systemd. */
type Environment = Readonly<Record<string, string | undefined>>;

const ALIVE = 'WATCHDOG=1';
/** When one whose queue is full is told again, milliseconds. */
const BUSY_MS = 20;
/** How long the end of the process waits for one that is busy, milliseconds. */
const LAST_WORDS_MS = 5000;
/** Messages kept for one that is busy. */
const MOST_UNTOLD = 32;

/**
 * Tells a service manager how it stands with us (sd_notify(3)): ready, reloading, stopping, and that we are alive. Does nothing without one.
 * Trouble is logged once and no reason not to run.
 */
export class ServiceManager {
  readonly #path: string | undefined;
  readonly #log: Log;
  readonly #clock: Clock;
  /** Milliseconds between two signs of life; undefined when none is wanted. */
  readonly #beatMs: number | undefined;
  #cancelBeat: CancelTimer = () => {};
  #troubled = false;
  /** What it has not taken yet. */
  readonly #untold: string[] = [];

  /** @param pid Of this process, as signs of life are wanted of one only. */
  constructor(environment: Environment, pid: number, clock: Clock, log: Log) {
    this.#path = environment['NOTIFY_SOCKET'];
    this.#clock = clock;
    this.#log = log;
    const watchdogUs = Number(environment['WATCHDOG_USEC'] ?? 0);
    const watched = Number(environment['WATCHDOG_PID'] ?? pid) === pid;
    // Half of the time, as sd_watchdog_enabled(3) advises.
    this.#beatMs = watched && watchdogUs > 0 ? watchdogUs / 2000 : undefined;
  }

  /** Traffic is served; `status` for people. From now on signs of life are sent. */
  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
    this.#cancelBeat();
    this.#beat();
  }

  /** Another configuration is read; `ready` follows, whatever became of it. */
  reloading(): void {
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${Math.round((machineNowMs() ?? 0) * 1000)}`);
  }

  stopping(): void {
    this.#tell('STOPPING=1\nSTATUS=finishing what is under way');
  }

  /** Another process is the main one from now on; it speaks for itself. */
  handOver(pid: number): void {
    this.#tell(`MAINPID=${pid}`);
    this.stop();
  }

  /** Sends no more signs of life. */
  stop(): void {
    this.#cancelBeat();
  }

  /** Resolves when all was told that matters, or nobody takes it. One that never hears of its new main process takes the end of the old for the end of all. */
  async told(): Promise<void> {
    for (let waitedMs = 0; this.#untold.length > 0 && waitedMs < LAST_WORDS_MS; waitedMs += BUSY_MS)
      await wait(this.#clock, BUSY_MS);
  }

  #beat(): void {
    const beatMs = this.#beatMs;
    if (beatMs === undefined) return;
    if (this.#untold.length === 0) this.#tell(ALIVE);
    this.#cancelBeat = this.#clock.after(beatMs, () => this.#beat());
  }

  #tell(text: string): void {
    if (this.#path === undefined || this.#untold.length === MOST_UNTOLD) return;
    this.#untold.push(text);
    if (this.#untold.length === 1) this.#tellNext();
  }

  /** In order. The service manager may be busy, and its queue full: ten messages is all that Linux lets wait by default. */
  #tellNext(): void {
    const text = this.#untold[0];
    if (text === undefined) return;
    try {
      sendNotice(this.#path!, text);
    } catch (error) {
      // A sign of life that comes late is worth nothing.
      const busy = (error as { code?: unknown }).code === 'EAGAIN';
      if (busy && text !== ALIVE) {
        this.#clock.after(BUSY_MS, () => this.#tellNext());
        return;
      }
      if (!busy) this.#trouble(error);
    }
    this.#untold.shift();
    this.#tellNext();
  }

  #trouble(error: unknown): void {
    if (this.#troubled) return;
    this.#troubled = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.warn('service-manager-unreachable', { reason });
  }
}
