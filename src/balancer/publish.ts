import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, PoolPublisher } from '../model/ports.ts';
import { PeerLoad } from '../model/shared/peer-load.ts';
import type { CancelTimer } from '../util/clock.ts';
import { LevelPicker, type PickerLevel } from './level-picker.ts';
import { type Level, levelsOf } from './levels.ts';
import type { PolicyDeps, PolicyPicker } from './policy.ts';
import { POLICIES } from './registry.ts';
import { SlowStart } from './slow-start.ts';

/** Timers fire early by a fraction of a millisecond; asking again sooner than this would spin. */
const MIN_DELAY_MS = 1;

const NO_PEERS = new PeerLoad([]);

/** What is remembered of a pool from one publication to the next. */
interface PoolState {
  readonly slowStart: SlowStart;
  /** Picker of each priority, handed to its successor. */
  pickers: Map<number, PolicyPicker>;
  /** The one in `pool.view`, with what `explain` needs. */
  picker: PolicyPicker;
  panic: boolean;
  /** Counts in the memory of all workers. */
  peers: PeerLoad;
  cancelTimer: CancelTimer;
}

/**
 * Recomputes what readers see of a pool and swaps it in one assignment: who is available, by which picker, in panic or
 * not. At once and synchronously: readers never see a state that is out of date, and a burst of changes costs
 * microseconds each (an unchanged hash table is kept). Ends of ejections and steps of slow start, which nobody
 * announces, are published by a timer of its own.
 */
export class Publisher implements PoolPublisher {
  readonly deps: PolicyDeps;
  readonly #log: Log | undefined;
  readonly #states = new Map<Pool, PoolState>();
  readonly #published: (pool: Pool) => void;
  #stopped = false;

  /**
   * @param log Told of panic; undefined where another process publishes the same and tells it.
   * @param published Told after each swap of a view, for whoever waits for an endpoint.
   */
  constructor(deps: PolicyDeps, log: Log | undefined, published: (pool: Pool) => void = () => {}) {
    this.deps = deps;
    this.#log = log;
    this.#published = published;
  }

  /** Nothing happens for a pool that was forgotten. */
  publish(pool: Pool): void {
    if (this.#states.has(pool)) this.publishMembers(pool, pool.view.all);
  }

  /** The same with a new list of endpoints, in the order of the file. */
  publishMembers(pool: Pool, all: readonly Endpoint[]): void {
    const { config } = pool;
    const nowMs = this.deps.clock.nowMs();
    const state = this.#stateOf(pool);
    const stepMs = state.slowStart.update(all, config.slowStart, nowMs);
    const levels = levelsOf(all, config.panicPercent, nowMs);
    const loaded = levels.filter((level) => level.sharePercent > 0);
    state.peers.retire();
    state.peers = groupPeers(pool, all, levels);

    const policy = POLICIES[config.policy];
    const pickers = new Map<number, PolicyPicker>();
    const pickerLevels: PickerLevel[] = levels.map(({ priority, members, sharePercent }) => {
      const picker = policy.build(members, config, this.deps, state.pickers.get(priority));
      pickers.set(priority, picker);
      return { members, picker, sharePercent };
    });
    const only = pickerLevels.length === 1 ? pickerLevels[0] : undefined;
    state.pickers = pickers;
    state.picker = only === undefined ? new LevelPicker(pickerLevels, this.deps.random) : only.picker;

    const panic = loaded.some((level) => level.panic);
    pool.view = Object.freeze({
      all,
      available: loaded.flatMap((level) => level.members),
      picker: state.picker,
      panic,
    });
    this.#notePanic(pool, state, panic);
    this.#schedule(pool, state, Math.min(stepMs, nextReadmissionMs(all, nowMs)));
    this.#published(pool);
  }

  /** The picker in force. */
  pickerOf(pool: Pool): PolicyPicker {
    return this.#stateOf(pool).picker;
  }

  /** The pool is gone; its timer with it. */
  forget(pool: Pool): void {
    const state = this.#states.get(pool);
    if (state === undefined) return;
    state.cancelTimer();
    state.peers.retire();
    pool.counts.balanced.set(0);
    this.#states.delete(pool);
  }

  /** Ends all timers; what is published stays. */
  stop(): void {
    this.#stopped = true;
    for (const state of this.#states.values()) state.cancelTimer();
  }

  #stateOf(pool: Pool): PoolState {
    let state = this.#states.get(pool);
    if (state === undefined) {
      state = {
        slowStart: new SlowStart(),
        pickers: new Map(),
        picker: new LevelPicker([], this.deps.random),
        panic: false,
        peers: NO_PEERS,
        cancelTimer: () => {},
      };
      this.#states.set(pool, state);
    }
    return state;
  }

  #notePanic(pool: Pool, state: PoolState, panic: boolean): void {
    if (panic === state.panic) return;
    state.panic = panic;
    if (panic) {
      this.#log?.warn('pool-panic', {
        pool: pool.name,
        reason: `fewer than ${pool.config.panicPercent} % of the endpoints are healthy; all are used`,
      });
    } else this.#log?.info('pool-panic-over', { pool: pool.name });
  }

  #schedule(pool: Pool, state: PoolState, delayMs: number): void {
    state.cancelTimer();
    if (this.#stopped || delayMs === Number.POSITIVE_INFINITY) return;
    state.cancelTimer = this.deps.clock.after(Math.max(MIN_DELAY_MS, delayMs), () => this.publish(pool));
  }
}

/** Time until the first ejection ends; Infinity when nobody is ejected. */
function nextReadmissionMs(endpoints: readonly Endpoint[], nowMs: number): number {
  let untilMs = Number.POSITIVE_INFINITY;
  for (const { ejectedUntilMs } of endpoints) {
    if (ejectedUntilMs > nowMs) untilMs = Math.min(untilMs, ejectedUntilMs);
  }
  return untilMs - nowMs;
}

/**
 * Endpoints that are balanced together count their load together; one that is out counts for itself. Returns the group that counts in
 * the memory of all workers: that of the first priority, which carries the pool as a rule.
 */
function groupPeers(pool: Pool, all: readonly Endpoint[], levels: readonly Level[]): PeerLoad {
  for (const endpoint of all) endpoint.peers = new PeerLoad([endpoint.counts.inFlight]);
  const groups = levels.map(({ members }, index) => {
    const places = members.map(({ counts }) => counts.inFlight);
    const peers = new PeerLoad(places, index === 0 ? pool.counts.balanced : undefined);
    for (const endpoint of members) endpoint.peers = peers;
    return peers;
  });
  return groups[0] ?? NO_PEERS;
}
