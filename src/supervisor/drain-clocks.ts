import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';
import type { SurvivingDrain } from './inheritance.ts';

/** How often it is looked whether an endpoint that is to leave is empty, milliseconds. */
const LOOK_EVERY_MS = 50;
/** A deadline that comes while changes are held waits for so long at a time, milliseconds. */
const HELD_MS = 1000;

/** Whom the clocks serve. */
export interface DrainClocksDeps {
  readonly clock: Clock;
  pools(): readonly Pool[];
  /** Nothing may change now. */
  isHeld(): boolean;
  /** An endpoint has not become empty in its time; `endpoint.drain` is there. */
  onDeadline(pool: Pool, endpoint: Endpoint): void;
}

/** What is bound to time about endpoints that are taken out: deadlines, and leaving when empty. */
export class DrainClocks {
  readonly #deps: DrainClocksDeps;
  readonly #deadlines = new Map<Endpoint, CancelTimer>();
  #stopped = false;

  constructor(deps: DrainClocksDeps) {
    this.#deps = deps;
  }

  /** Sets the clock of an endpoint that is taken out; clears it when it is back. */
  set(pool: Pool, endpoint: Endpoint, deadlineMs: number | undefined, leaves: boolean): void {
    this.#deadlines.get(endpoint)?.();
    this.#deadlines.delete(endpoint);
    if (endpoint.admin === 'enabled') {
      endpoint.drain = undefined;
      return;
    }
    const nowMs = this.#deps.clock.nowMs();
    endpoint.drain = {
      sinceMs: endpoint.drain?.sinceMs ?? nowMs,
      untilMs: deadlineMs === undefined ? Number.POSITIVE_INFINITY : nowMs + deadlineMs,
      leaves,
      left: undefined,
    };
    if (deadlineMs !== undefined) this.#awaitDeadline(pool, endpoint, deadlineMs);
  }

  #awaitDeadline(pool: Pool, endpoint: Endpoint, inMs: number): void {
    this.#deadlines.set(
      endpoint,
      this.#deps.clock.after(inMs, () => this.#onDeadline(pool, endpoint)),
    );
  }

  #onDeadline(pool: Pool, endpoint: Endpoint): void {
    this.#deadlines.delete(endpoint);
    // The next process has that deadline, too; if there is to be none after all, it comes a little late.
    if (this.#deps.isHeld()) this.#awaitDeadline(pool, endpoint, HELD_MS);
    else if (endpoint.drain !== undefined && this.#isMember(endpoint)) this.#deps.onDeadline(pool, endpoint);
  }

  /** Calls `leave` when an endpoint that is to leave has nothing under way any more. */
  whenEmpty(endpoint: Endpoint, leave: () => void): void {
    if (this.#stopped || endpoint.drain?.leaves !== true || !this.#isMember(endpoint)) return;
    if (endpoint.inFlight === 0 && !this.#deps.isHeld()) leave();
    else this.#deps.clock.after(LOOK_EVERY_MS, () => this.whenEmpty(endpoint, leave));
  }

  /** What is left of the deadline of an endpoint, milliseconds; undefined when it has none, or it is over. */
  leftMs({ drain }: Endpoint): number | undefined {
    if (drain === undefined || drain.untilMs === Number.POSITIVE_INFINITY) return undefined;
    const leftMs = Math.round(drain.untilMs - this.#deps.clock.nowMs());
    return leftMs <= 0 ? undefined : leftMs;
  }

  /** Endpoints that are back, by the file or because a change was discarded, or gone, have no clock. */
  tidy(): void {
    for (const { view } of this.#deps.pools())
      for (const endpoint of view.all) if (endpoint.admin === 'enabled') endpoint.drain = undefined;
    for (const [endpoint, cancel] of this.#deadlines) {
      if (endpoint.drain !== undefined && this.#isMember(endpoint)) continue;
      cancel();
      this.#deadlines.delete(endpoint);
    }
  }

  /** The clocks as the next process is to set them. */
  save(): SurvivingDrain[] {
    const nowMs = this.#deps.clock.nowMs();
    const drains: SurvivingDrain[] = [];
    for (const { name: pool, view } of this.#deps.pools()) {
      for (const { name, drain } of view.all) {
        if (drain === undefined) continue;
        const { sinceMs, untilMs, leaves } = drain;
        const leftMs = untilMs === Number.POSITIVE_INFINITY ? null : Math.max(0, untilMs - nowMs);
        drains.push({ pool, name, sinceMs: nowMs - sinceMs, leftMs, leaves });
      }
    }
    return drains;
  }

  /** As `set`, with what the process before has saved. */
  restore(pool: Pool, endpoint: Endpoint, { sinceMs, leftMs, leaves }: SurvivingDrain): void {
    this.set(pool, endpoint, leftMs ?? undefined, leaves);
    if (endpoint.drain !== undefined)
      endpoint.drain = { ...endpoint.drain, sinceMs: this.#deps.clock.nowMs() - sinceMs };
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#deadlines.values()) cancel();
    this.#deadlines.clear();
  }

  #isMember(endpoint: Endpoint): boolean {
    return this.#deps.pools().some(({ view }) => view.all.includes(endpoint));
  }
}
