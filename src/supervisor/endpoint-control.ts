import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { EndpointConfig, PoolConfig } from '../config/schema/pool.ts';
import { didYouMean } from '../config/suggest.ts';
import type {
  ControlRefusal,
  EndpointChange,
  EndpointControl,
  EndpointRemoval,
  RuntimeChange,
} from '../model/endpoint-control.ts';
import type { AdminState, Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, LogFields, TransitionListener } from '../model/ports.ts';
import type { CancelTimer, Clock } from '../util/clock.ts';
import type { Inheritance, SurvivingDrain } from './inheritance.ts';
import { RuntimeOverlay } from './runtime-overlay.ts';

/** How often it is looked whether an endpoint that is to leave is empty, milliseconds. */
const LOOK_EVERY_MS = 50;
/** A deadline that comes while changes are held waits for so long at a time, milliseconds. */
const HELD_MS = 1000;

/** What changes of endpoints are made with. */
export interface EndpointControlDeps {
  pools(): readonly Pool[];
  /** Puts another configuration of one pool into force, as a reload does. */
  updatePool(config: PoolConfig): void;
  /** Asks both ends of the tunnels and sessions with an endpoint to close. */
  closeSessions(endpoint: Endpoint): void;
  readonly transitions: TransitionListener;
  readonly clock: Clock;
  readonly log: Log;
}

/** Changes of endpoints at run time, and what a reload must know of them. */
export interface ReloadableEndpointControl extends EndpointControl {
  /** `config` as it would be in force with the changes that stand over it. Changes nothing. */
  overlay(config: Config): Config;
  /** Another file is in force (as `overlay` gave it): changes that do not stand over it are forgotten, and logged. */
  adopt(config: Config): void;
  /** Every change is refused for this reason; undefined: no longer. */
  hold(reason: string | undefined): void;
  /** What another process is to go on with. */
  handOver(): SavedChanges;
  /** Sets the clocks of endpoints that the process before was taking out; to be called when they are there. */
  resume(drains: SavedChanges['drains']): void;
  /** Ends all timers. */
  stop(): void;
}

/** Changes as one process hands them to the next. */
type SavedChanges = Pick<Inheritance, 'changes' | 'overlay' | 'drains'>;

/**
 * @param config What the file says.
 * @param saved Of the process before: `overlay` knows it from now on.
 */
export function createEndpointControl(
  config: Config,
  deps: EndpointControlDeps,
  saved?: SavedChanges,
): ReloadableEndpointControl {
  return new RuntimeEndpoints(config, deps, saved);
}

/**
 * A change is noted in the overlay, and the pool gets what then is in force: the same way as by a reload, so there is no second
 * set of rules. Only what is bound to time (deadlines, leaving when empty) is kept here.
 */
class RuntimeEndpoints implements ReloadableEndpointControl {
  readonly #deps: EndpointControlDeps;
  readonly #overlay: RuntimeOverlay;
  readonly #timers = new Map<Endpoint, CancelTimer>();
  #version = 0;
  #stopped = false;
  #held: string | undefined = undefined;

  constructor(config: Config, deps: EndpointControlDeps, saved: SavedChanges | undefined) {
    this.#deps = deps;
    this.#overlay = new RuntimeOverlay(config);
    if (saved === undefined) return;
    this.#version = saved.changes;
    for (const over of this.#overlay.restore(config, saved.overlay)) this.#noteOver(over);
  }

  hold(reason: string | undefined): void {
    this.#held = reason;
  }

  handOver(): SavedChanges {
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
    return { changes: this.#version, overlay: this.#overlay.save(), drains };
  }

  resume(drains: readonly SurvivingDrain[]): void {
    const nowMs = this.#deps.clock.nowMs();
    for (const { pool: poolName, name, sinceMs, leftMs, leaves } of drains) {
      const found = this.#find(poolName, name);
      if ('code' in found || found.endpoint.admin === 'enabled') continue;
      const { pool, endpoint } = found;
      this.#drain(pool, endpoint, leftMs ?? undefined, leaves);
      if (endpoint.drain !== undefined) endpoint.drain = { ...endpoint.drain, sinceMs: nowMs - sinceMs };
      if (leaves) this.#lookWhetherEmpty(pool, endpoint, 'upgrade');
    }
  }

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
      this.#drain(pool, endpoint, deadlineMs, false);
      this.#announce(pool, endpoint, by);
    }
    return undefined;
  }

  add(poolName: string, config: EndpointConfig, by: string): ControlRefusal | undefined {
    if (this.#held !== undefined) return conflict(this.#held);
    const pool = this.#pool(poolName);
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
    this.#drain(pool, endpoint, deadlineMs, true);
    this.#announce(pool, endpoint, by);
    if (!leaving) this.#lookWhetherEmpty(pool, endpoint, by);
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

  overlay(config: Config): Config {
    return this.#overlay.over(config);
  }

  adopt(config: Config): void {
    for (const change of this.#overlay.adopt(config)) {
      this.#noteOver(change);
      const { pool, endpoint: name, kind } = change;
      const found = this.#find(pool, name);
      // It is taken out as the file says now: without a deadline, and it does not leave.
      if (kind === 'state' && 'endpoint' in found) found.endpoint.drain = undefined;
    }
    for (const pool of this.#deps.pools()) forgetDrains(pool);
    this.#forgetTimers();
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

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

  #pool(name: string): Pool | ControlRefusal {
    const pools = this.#deps.pools();
    return pools.find((pool) => pool.name === name) ?? missing('pool', name, pools);
  }

  #find(poolName: string, name: string): { pool: Pool; endpoint: Endpoint } | ControlRefusal {
    const pool = this.#pool(poolName);
    if ('code' in pool) return pool;
    const endpoint = pool.view.all.find((candidate) => candidate.name === name);
    return endpoint === undefined
      ? missing('endpoint', name, pool.view.all, ` in pool ${poolName}`)
      : { pool, endpoint };
  }

  #apply(poolName: string): void {
    const config = this.#overlay.inForce(poolName);
    if (config !== undefined) this.#deps.updatePool(config);
    for (const pool of this.#deps.pools()) if (pool.name === poolName) forgetDrains(pool);
    this.#forgetTimers();
  }

  /** Sets the clock of an endpoint that is taken out; clears it when it is back. */
  #drain(pool: Pool, endpoint: Endpoint, deadlineMs: number | undefined, leaves: boolean): void {
    this.#timers.get(endpoint)?.();
    this.#timers.delete(endpoint);
    if (endpoint.admin === 'enabled') {
      endpoint.drain = undefined;
      return;
    }
    const { clock } = this.#deps;
    const nowMs = clock.nowMs();
    endpoint.drain = {
      sinceMs: endpoint.drain?.sinceMs ?? nowMs,
      untilMs: deadlineMs === undefined ? Number.POSITIVE_INFINITY : nowMs + deadlineMs,
      leaves,
      left: undefined,
    };
    if (deadlineMs === undefined) return;
    this.#timers.set(
      endpoint,
      clock.after(deadlineMs, () => this.#onDeadline(pool, endpoint)),
    );
  }

  #onDeadline(pool: Pool, endpoint: Endpoint): void {
    this.#timers.delete(endpoint);
    if (this.#held !== undefined) {
      // The next process has that deadline, too; if there is to be none after all, it comes a little late.
      this.#timers.set(
        endpoint,
        this.#deps.clock.after(HELD_MS, () => this.#onDeadline(pool, endpoint)),
      );
      return;
    }
    const { drain } = endpoint;
    if (drain === undefined || !this.#isMember(endpoint)) return;
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

  #lookWhetherEmpty(pool: Pool, endpoint: Endpoint, by: string): void {
    if (this.#stopped || endpoint.drain?.leaves !== true || !this.#isMember(endpoint)) return;
    if (endpoint.inFlight === 0 && this.#held === undefined) this.#leave(pool, endpoint, by);
    else this.#deps.clock.after(LOOK_EVERY_MS, () => this.#lookWhetherEmpty(pool, endpoint, by));
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
    const deadlineMs =
      drain === undefined || drain.untilMs === Number.POSITIVE_INFINITY
        ? undefined
        : Math.round(drain.untilMs - this.#deps.clock.nowMs());
    this.#note('endpoint-admin', {
      pool: pool.name,
      endpoint: endpoint.name,
      state,
      deadlineMs: deadlineMs === undefined || deadlineMs <= 0 ? undefined : deadlineMs,
      leaves: drain?.leaves === true ? true : undefined,
      by,
    });
    this.#deps.transitions.onTransition({ pool, endpoint, kind: 'admin', reason: describe(state, by) });
  }

  /** Endpoints that are back, or gone, have no deadline. */
  #forgetTimers(): void {
    for (const [endpoint, cancel] of this.#timers) {
      if (endpoint.drain !== undefined && this.#isMember(endpoint)) continue;
      cancel();
      this.#timers.delete(endpoint);
    }
  }

  #isMember(endpoint: Endpoint): boolean {
    return this.#deps.pools().some((pool) => pool.view.all.includes(endpoint));
  }
}

function describe(state: AdminState, by: string): string {
  return `${state} by ${by}`;
}

/** What the file or a discard enabled again is not taken out any more. */
function forgetDrains(pool: Pool): void {
  for (const endpoint of pool.view.all) if (endpoint.admin === 'enabled') endpoint.drain = undefined;
}

function conflict(message: string): ControlRefusal {
  return { code: 'conflict', message };
}

function missing(
  what: 'pool' | 'endpoint',
  name: string,
  known: readonly { readonly name: string }[],
  where = '',
): ControlRefusal {
  const hint = didYouMean(
    name,
    known.map((one) => one.name),
    `${what}s`,
  );
  const message = `there is no ${what} ${JSON.stringify(name)}${where}`;
  return { code: 'not_found', message: hint === undefined ? message : `${message}; ${hint}` };
}
