import type { PoolConfig } from '../config/schema/pool.ts';
import type { Endpoint } from './endpoint.ts';
import type { Picker } from './picker.ts';

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
  /** Exchanges routed here that have not ended. */
  activeRequests = 0;
  /** Retries under way, for the budget. */
  activeRetries = 0;
  /** Requests that wait in the queue now. */
  queued = 0;
  /** Totals since the start. */
  readonly stats = {
    requests: 0,
    retries: 0,
    retriesDenied: 0,
    queueFull: 0,
    queueTimeouts: 0,
    noEndpoint: 0,
  };

  constructor(config: PoolConfig, view: PoolView) {
    this.name = config.name;
    this.config = config;
    this.view = view;
  }
}
