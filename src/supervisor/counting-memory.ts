import type { Config } from '../config/schema/config.ts';
import type { SlotKeys } from '../model/shared/slots.ts';
import { sharedStateBytes, StateOwner } from '../model/shared/state-owner.ts';
import { createSharedMemory } from '../net/shared-memory.ts';
import { type CallPath, CallPipes } from '../net/worker-calls.ts';
import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';
import { seedTable } from '../util/table-seeds.ts';
import { clientRegions } from './client-memory.ts';
import { FilterMemory } from './filter-memory.ts';
import { SharedCells, slotKeysOf, type SnapshotSlots, snapshotSlots } from './shared-cells.ts';

/** There can be so many workers at least without making the shared memory anew. Room that nobody uses is none. */
const LEAST_COLUMNS = 32;

/** The memory that all workers count in, and the pipes by which they call each other about it: the supervisor's side. */
export class CountingMemory {
  /** Of everything that has a place in it. */
  readonly cells: SharedCells;
  /** Where workers open it. */
  readonly path: string;
  /** Workers that there can be. */
  readonly mostWorkers: number;
  readonly #clock: Clock;
  readonly #owner: StateOwner;
  readonly #filters = new FilterMemory();
  /** None with one worker, which has nobody to call. */
  readonly #calls = new CallPipes();

  constructor(workers: number, clock: Clock, random: Random) {
    this.#clock = clock;
    this.mostWorkers = Math.max(LEAST_COLUMNS, workers);
    const memory = createSharedMemory(sharedStateBytes(this.mostWorkers));
    this.path = memory.path;
    this.#owner = StateOwner.create(memory, this.mostWorkers, (region) => seedTable(region, random));
    this.cells = new SharedCells(this.#owner.state);
    this.span(workers);
  }

  /** Workers that are counted. */
  get workers(): number {
    return this.#owner.state.workers;
  }

  /** Where they call each other, by slot. */
  get calls(): readonly CallPath[] {
    return this.#calls.paths;
  }

  /**
   * So many workers are counted from now on.
   * @throws Error when no memory or no descriptors are left.
   */
  span(workers: number): void {
    this.#owner.span(workers);
    if (workers > 1) this.#calls.reach(workers);
  }

  /**
   * Gives everything in a configuration its place.
   * @throws Error when not all fit, or no memory is left.
   */
  assign(config: Config): SnapshotSlots {
    const slots = snapshotSlots(
      this.#owner.assign(this.#keysOf(config), this.#clock.nowMs()),
      config.listeners,
    );
    this.cells.learn(slots);
    return slots;
  }

  /** That configuration is in force: what others had is free after a while. */
  retain(config: Config): void {
    this.#filters.adopt(config.listeners);
    this.#owner.retain(this.#keysOf(config), this.#clock.nowMs());
  }

  /** A worker is gone. */
  onDied(slot: number): void {
    this.#owner.clearColumn(slot);
    // It may have had places that others wait for.
    this.#calls.callAll();
  }

  /** Sums up what workers have counted so far. */
  gather(): void {
    this.#owner.gather();
  }

  #keysOf(config: Config): SlotKeys {
    const regions = [...this.#filters.regionsOf(config), ...clientRegions(config, this.mostWorkers)];
    return { ...slotKeysOf(config), regions };
  }
}
