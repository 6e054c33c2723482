import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { EndpointConfig, PoolConfig } from '../config/schema/pool.ts';
import type {
  ControlRefusal,
  EndpointChange,
  EndpointControl,
  EndpointRemoval,
  RuntimeChange,
} from '../model/endpoint-control.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, LogFields, TransitionListener } from '../model/ports.ts';
import type { Clock } from '../util/clock.ts';
import { DrainClocks } from './drain-clocks.ts';
import { findEndpoint, findPool } from './find-endpoint.ts';
import type { Inheritance, SurvivingDrain } from './inheritance.ts';
import { RuntimeOverlay } from './runtime-overlay.ts';

/** What changes of endpoints are made with. */
export interface RuntimeEndpointsDeps {
  pools(): readonly Pool[];
  /** Puts another configuration of one pool into force, as a reload does. */
  updatePool(config: PoolConfig): void;
  /** Asks both ends of the tunnels and sessions with an endpoint to close. */
  closeSessions(endpoint: Endpoint): void;
  readonly transitions: TransitionListener;
  readonly clock: Clock;
  readonly log: Log;
}

/** Changes as one process hands them to the next. */
type SavedChanges = Pick<Inheritance, 'changes' | 'overlay' | 'drains'>;

/**
 * Changes of endpoints at run time. A change is noted in the overlay, and the pool gets what then is in force: the same way as by a
 * reload, so there is no second set of rules. What is bound to time is with `DrainClocks`.
 */
export class RuntimeEndpoints implements EndpointControl {
  readonly #deps: RuntimeEndpointsDeps;
  readonly #overlay: RuntimeOverlay;
  readonly #clocks: DrainClocks;
  #version = 0;
  #held: string | undefined = undefined;

  /**
   * @param config What the file says.
   * @param saved Of the process before: `overlay` knows it from now on.
   */
  constructor(config: Config, deps: RuntimeEndpointsDeps, saved?: SavedChanges) {
    this.#deps = deps;
    this.#overlay = new RuntimeOverlay(config);
    this.#clocks = new DrainClocks({
      clock: deps.clock,
      pools: () => deps.pools(),
      isHeld: () => this.#held !== undefined,
      onDeadline: (pool, endpoint) => this.#onDeadline(pool, endpoint),
    });
    if (saved === undefined) return;
    this.#version = saved.changes;
    for (const over of this.#overlay.restore(config, saved.overlay)) this.#noteOver(over);
  }

  // ---- what operators ask for ----

  change(poolName: string, name: string, change: EndpointChange, by: string): ControlRefusal | undefined {
    if (this.#held !== undefined) return conflict(this.#held);
    const found = this.#find(poolName, name);
    if ('code' in found) return found;
    const { pool, endpoint } = found;
    const { weight, deadlineMs } = change;
    const state = change.state ?? endpoint.admin;
    if (state === 'enabled' && deadlineMs !== undefined) {
      return conflict(`${name} is enabled; a deadline is for state draining or disabled`);
    }
    const stamp = this.#stamp(by);
    if (weight !== undefined && weight !== endpoint.config.weight) {
      this.#overlay.setWeight(poolName, name, weight, stamp);
      this.#note('endpoint-admin', { pool: poolName, endpoint: name, weight, by });
    }
    const wanted = change.state !== undefined || deadlineMs !== undefined;
    const before = endpoint.admin;
    if (state !== before) this.#overlay.setState(poolName, name, state, stamp);
    this.#apply(poolName);
    // Asking again for what is so already does not set the clock back, unless a new deadline comes with it.
    if (wanted && (state !== before || deadlineMs !== undefined || endpoint.drain?.leaves === true)) {
      this.#clocks.set(pool, endpoint, deadlineMs, false);
      this.#announce(pool, endpoint, by);
    }
    return undefined;
  }

  add(poolName: string, config: EndpointConfig, by: string): ControlRefusal | undefined {
    if (this.#held !== undefined) return conflict(this.#held);
    const pool = findPool(this.#deps.pools(), poolName);
    if ('code' in pool) return pool;
    if (pool.view.all.some(({ name }) => name === config.name)) {
      return conflict(`pool ${poolName} has an endpoint ${config.name} already; remove that first`);
    }
    this.#overlay.add(poolName, config, this.#stamp(by));
    this.#apply(poolName);
    const address = formatAddress(config.address);
    this.#note('endpoint-added', { pool: poolName, endpoint: config.name, address, by });
    return undefined;
  }

  remove(
    poolName: string,
    name: string,
    { force, deadlineMs }: EndpointRemoval,
    by: string,
  ): ControlRefusal | undefined {
    if (this.#held !== undefined) return conflict(this.#held);
    const found = this.#find(poolName, name);
    if ('code' in found) return found;
    const { pool, endpoint } = found;
    const staying = pool.view.all.filter((other) => other !== endpoint && other.drain?.leaves !== true);
    if (staying.length === 0) {
      return conflict(`${name} is the last endpoint of pool ${poolName}; add another first, or disable it`);
    }
    if (force) {
      this.#leave(pool, endpoint, by);
      return undefined;
    }
    if (endpoint.admin === 'enabled') {
      this.#overlay.setState(poolName, name, 'draining', this.#stamp(by));
      this.#apply(poolName);
    }
    const leaving = endpoint.drain?.leaves === true;
    this.#clocks.set(pool, endpoint, deadlineMs, true);
    this.#announce(pool, endpoint, by);
    if (!leaving) this.#clocks.whenEmpty(endpoint, () => this.#leave(pool, endpoint, by));
    return undefined;
  }

  changes(): readonly RuntimeChange[] {
    return this.#overlay.list();
  }

  discard(by: string): number {
    if (this.#held !== undefined) return 0;
    const count = this.#overlay.list().length;
    for (const pool of this.#overlay.clear()) this.#apply(pool);
    if (count > 0) this.#note('runtime-changes-discarded', { count, by });
    return count;
  }

  version(): number {
    return this.#version;
  }

  // ---- what a reload and an upgrade must know of it ----

  /** `config` as it would be in force with the changes that stand over it. Changes nothing. */
  overlay(config: Config): Config {
    return this.#overlay.over(config);
  }

  /** Another file is in force (as `overlay` gave it): changes that do not stand over it are forgotten, and logged. */
  adopt(config: Config): void {
    for (const change of this.#overlay.adopt(config)) {
      this.#noteOver(change);
      const { pool, endpoint: name, kind } = change;
      const found = this.#find(pool, name);
      // It is taken out as the file says now: without a deadline, and it does not leave.
      if (kind === 'state' && 'endpoint' in found) found.endpoint.drain = undefined;
    }
    this.#clocks.tidy();
  }

  /** Every change is refused for this reason; undefined: no longer. */
  hold(reason: string | undefined): void {
    this.#held = reason;
  }

  /** What another process is to go on with. */
  handOver(): SavedChanges {
    return { changes: this.#version, overlay: this.#overlay.save(), drains: this.#clocks.save() };
  }

  /** Sets the clocks of endpoints that the process before was taking out; to be called when they are there. */
  resume(drains: readonly SurvivingDrain[]): void {
    for (const saved of drains) {
      const found = this.#find(saved.pool, saved.name);
      if ('code' in found || found.endpoint.admin === 'enabled') continue;
      const { pool, endpoint } = found;
      this.#clocks.restore(pool, endpoint, saved);
      if (saved.leaves) this.#clocks.whenEmpty(endpoint, () => this.#leave(pool, endpoint, 'upgrade'));
    }
  }

  /** Ends all timers. */
  stop(): void {
    this.#clocks.stop();
  }

  // ---- how it is done ----

  #noteOver({ pool, endpoint, kind }: RuntimeChange): void {
    const reason = 'the configuration says otherwise';
    this.#note('runtime-change-over', { pool, endpoint, kind, reason });
  }

  #stamp(by: string) {
    return { by, sinceWallMs: this.#deps.clock.wallMs() };
  }

  #note(event: string, fields: LogFields): void {
    this.#version++;
    this.#deps.log.info(event, fields);
  }

  #find(poolName: string, name: string) {
    return findEndpoint(this.#deps.pools(), poolName, name);
  }

  #apply(poolName: string): void {
    const config = this.#overlay.inForce(poolName);
    if (config !== undefined) this.#deps.updatePool(config);
    this.#clocks.tidy();
  }

  #onDeadline(pool: Pool, endpoint: Endpoint): void {
    const drain = endpoint.drain!;
    const left = endpoint.work;
    endpoint.drain = { ...drain, left };
    if (endpoint.inFlight > 0) {
      const who = { pool: pool.name, endpoint: endpoint.name };
      this.#deps.log.warn('endpoint-deadline', { ...who, ...left });
    }
    if (drain.leaves) {
      this.#leave(pool, endpoint, 'deadline');
      return;
    }
    this.#deps.closeSessions(endpoint);
    if (endpoint.admin !== 'draining') return;
    this.#overlay.setState(pool.name, endpoint.name, 'disabled', this.#stamp('deadline'));
    this.#apply(pool.name);
    this.#announce(pool, endpoint, 'deadline');
  }

  /** Out of the pool. Requests under way finish; tunnels and sessions, which may have no end, are closed. */
  #leave(pool: Pool, endpoint: Endpoint, by: string): void {
    this.#deps.closeSessions(endpoint);
    this.#overlay.remove(pool.name, endpoint.name, this.#stamp(by));
    this.#apply(pool.name);
    this.#note('endpoint-removed', { pool: pool.name, endpoint: endpoint.name, by, ...endpoint.work });
  }

  #announce(pool: Pool, endpoint: Endpoint, by: string): void {
    const { admin: state, drain } = endpoint;
    this.#note('endpoint-admin', {
      pool: pool.name,
      endpoint: endpoint.name,
      state,
      deadlineMs: this.#clocks.leftMs(endpoint),
      leaves: drain?.leaves === true ? true : undefined,
      by,
    });
    this.#deps.transitions.onTransition({ pool, endpoint, kind: 'admin', reason: `${state} by ${by}` });
  }
}

function conflict(message: string): ControlRefusal {
  return { code: 'conflict', message };
}
