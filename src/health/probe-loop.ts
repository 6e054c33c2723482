import type { CancelTimer, Clock } from '../util/clock.ts';
import type { Probe, ProbeResult } from './probe.ts';

/** What a loop does with a result: returns the milliseconds from the start of this probe to the start of the next. */
export type OnProbeResult = (result: ProbeResult, startedMs: number) => number;

/** Runs a probe again and again, never two at a time. */
export class ProbeLoop {
  readonly #clock: Clock;
  readonly #probe: Probe;
  readonly #onResult: OnProbeResult;
  #cancelTimer: CancelTimer = () => {};
  #cancelProbe: (() => void) | undefined = undefined;
  /** When the probe that waits will start. */
  #nextMs = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(clock: Clock, probe: Probe, onResult: OnProbeResult, firstDelayMs: number) {
    this.#clock = clock;
    this.#probe = probe;
    this.#onResult = onResult;
    this.#schedule(clock.nowMs() + firstDelayMs);
  }

  /** Starts the next probe within `delayMs`, unless it would start earlier or one is under way. */
  hasten(delayMs: number): void {
    const atMs = this.#clock.nowMs() + delayMs;
    if (this.#cancelProbe === undefined && atMs < this.#nextMs) this.#schedule(atMs);
  }

  /** Gives up the probe under way; nothing is heard of the loop again. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
  }

  #schedule(atMs: number): void {
    if (this.#stopped) return;
    this.#cancelTimer();
    this.#nextMs = atMs;
    this.#cancelTimer = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => this.#run());
  }

  #run(): void {
    const startedMs = this.#clock.nowMs();
    this.#nextMs = Number.POSITIVE_INFINITY;
    this.#cancelProbe = this.#probe((result) => {
      this.#cancelProbe = undefined;
      const intervalMs = this.#onResult(result, startedMs);
      this.#schedule(startedMs + intervalMs);
    });
  }
}
