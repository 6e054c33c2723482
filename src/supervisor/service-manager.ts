import type { Log } from '../model/ports.ts';
import { machineNowMs } from '../net/machine-time.ts';
import { sendNotice } from '../net/service-notice.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';

/** What a service manager says to a service at its start: environment(7) of systemd. */
type Environment = Readonly<Record<string, string | undefined>>;

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

  #beat(): void {
    const beatMs = this.#beatMs;
    if (beatMs === undefined) return;
    this.#tell('WATCHDOG=1');
    this.#cancelBeat = this.#clock.after(beatMs, () => this.#beat());
  }

  #tell(text: string): void {
    if (this.#path === undefined) return;
    try {
      sendNotice(this.#path, text);
    } catch (error) {
      if (this.#troubled) return;
      this.#troubled = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn('service-manager-unreachable', { reason });
    }
  }
}
