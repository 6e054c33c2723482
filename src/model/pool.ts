import type { PoolConfig } from '../config/schema/pool.ts';
import type { Endpoint } from './endpoint.ts';
import type { Picker } from './picker.ts';
import { POOL_TOTALS, PoolStats } from './pool-stats.ts';
import { type Cells, type CountsOf, privateCells } from './shared/cells.ts';

/** What readers see of a pool, published as one immutable object whenever something changes. */
export interface PoolView {
  readonly all: readonly Endpoint[];
  /**
   * Those that take new work. In panic: all that the operator wants used (enabled, weight above 0), whatever their
   * health.
   */
  readonly available: readonly Endpoint[];
  readonly picker: Picker;
  /** Too few are healthy, so health is ignored. */
  readonly panic: boolean;
}

/** A group of equivalent endpoints. Its identity (the name) survives reloads; `config` is replaced whole. */
export class Pool {
  readonly name: string;
  config: PoolConfig;
  view: PoolView;
  readonly counts: CountsOf<'pool'>;
  readonly stats: PoolStats;

  constructor(config: PoolConfig, view: PoolView, cells: Cells<'pool'> = privateCells('pool', POOL_TOTALS)) {
    this.name = config.name;
    this.config = config;
    this.view = view;
    this.counts = cells.counts;
    this.stats = new PoolStats(cells.totals);
  }

  /** Exchanges and sessions routed here, in all workers, that have not ended. */
  get activeRequests(): number {
    return this.counts.activeRequests.sum;
  }

  /** Retries under way in all workers, for the budget. */
  get activeRetries(): number {
    return this.counts.activeRetries.sum;
  }

  /** Requests that wait in the queues of all workers. */
  get queued(): number {
    return this.counts.queued.sum;
  }
}
