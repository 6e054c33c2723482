import { createPool, updatePool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import { datagramPools } from '../config/pool-references.ts';
import type { Config } from '../config/schema/config.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import type { Suspicion } from '../health/outlier-detector.ts';
import type { Pool } from '../model/pool.ts';
import type { Log, TransitionListener } from '../model/ports.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { connectDatagrams } from '../net/datagrams.ts';
import { resolveHost } from '../net/resolve.ts';
import { TimerWheel } from '../net/timer-wheel.ts';
import { tlsHandshake } from '../net/tls-handshake.ts';
import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';
import { StateNews, statesOf } from './endpoint-states.ts';
import { type Inheritance, revive, survivors } from './inheritance.ts';
import type { PoolStates } from './messages.ts';
import { PoolDials } from './pool-dials.ts';

export interface WatchedPoolsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly transitions: TransitionListener;
  /** Where workers count, so that their sums are seen here. */
  readonly cells: CellSource;
  /** What was known of endpoints before this process; they get it with the first configuration. */
  readonly survivors: Inheritance['endpoints'];
  /** Something was decided about endpoints that workers do not know yet. */
  readonly onNews: (news: PoolStates) => void;
}

/**
 * The pools of the supervisor: they carry no traffic (`ServedPools` does, in each worker), but here it is decided how their endpoints are.
 * Whatever a configuration says nothing new about stays the same object.
 */
export class WatchedPools {
  readonly #deps: WatchedPoolsDeps;
  readonly #publisher: Publisher;
  readonly #health: HealthMonitor;
  readonly #dials = new PoolDials();
  readonly #news = new StateNews();
  #inForce: ReadonlyMap<string, Pool> = new Map();
  /** Those that nobody connects to. */
  #datagramPools: ReadonlySet<string> = new Set();
  #survivors: Inheritance['endpoints'];

  constructor(deps: WatchedPoolsDeps) {
    this.#deps = deps;
    const { clock, random, log, transitions } = deps;
    this.#survivors = deps.survivors;
    this.#publisher = new Publisher({ clock, random }, log, (pool) => this.#tell(pool));
    this.#health = new HealthMonitor({
      clock,
      random,
      wheel: new TimerWheel(),
      dialOf: (pool) => this.#dials.of(pool.name),
      connectsTo: ({ name }) => !this.#datagramPools.has(name),
      resolve: resolveHost,
      connectDatagrams,
      tlsHandshake,
      publisher: this.#publisher,
      transitions,
      log,
    });
  }

  #tell(pool: Pool): void {
    const states = this.#news.of(pool, this.#deps.clock.nowMs());
    if (states.length > 0) this.#deps.onNews({ pool: pool.name, states });
  }

  /**
   * Makes ready what a configuration asks for; nothing changes before the returned function is called, which cannot fail.
   * @throws Error naming the pool whose TLS cannot be.
   */
  plan(config: Config): () => void {
    const adoptDials = this.#dials.plan(config, (pool) => this.#inForce.get(pool)?.config.tls);
    return () => {
      adoptDials();
      this.#adopt(config);
    };
  }

  #adopt({ pools, listeners }: Config): void {
    const before = this.#inForce;
    const inForce = new Map<string, Pool>();
    this.#inForce = inForce;
    this.#datagramPools = datagramPools(listeners);
    for (const config of pools) {
      const known = before.get(config.name);
      const pool = known ?? createPool(config, this.#publisher, this.#deps.cells);
      inForce.set(pool.name, pool);
      if (known === undefined) {
        this.#revive(pool);
        this.#health.watch(pool);
      } else this.#configure(pool, config);
    }
    for (const pool of before.values()) {
      if (inForce.get(pool.name) === pool) continue;
      this.#health.forget(pool);
      this.#dials.forget(pool.name);
      this.#publisher.forget(pool);
    }
    this.#survivors = [];
  }

  #revive(pool: Pool): void {
    if (this.#survivors.length === 0) return;
    revive(pool, this.#survivors, this.#deps.clock.nowMs());
    this.#publisher.publish(pool);
  }

  #configure(pool: Pool, config: PoolConfig): void {
    if (Bun.deepEquals(pool.config, config)) return;
    updatePool(pool, config, this.#publisher, this.#deps.cells);
    this.#health.watch(pool);
  }

  /** Puts another configuration of one pool into force; nothing for a pool that there is not. */
  update(config: PoolConfig): void {
    const pool = this.#inForce.get(config.name);
    if (pool !== undefined) this.#configure(pool, config);
  }

  /** Real traffic speaks against an endpoint. One that there is not any more is passed over. */
  suspect(poolName: string, name: string, suspicion: Suspicion): void {
    const pool = this.#inForce.get(poolName);
    const endpoint = pool?.view.all.find((candidate) => candidate.name === name);
    if (pool !== undefined && endpoint !== undefined) this.#health.suspect(pool, endpoint, suspicion);
  }

  all(): readonly Pool[] {
    return [...this.#inForce.values()];
  }

  /** How all endpoints are, for a worker that begins. */
  states(): readonly PoolStates[] {
    const nowMs = this.#deps.clock.nowMs();
    return this.all().map((pool) => ({ pool: pool.name, states: statesOf(pool, nowMs) }));
  }

  /** What another process is to know of all endpoints. */
  handOver(): Inheritance['endpoints'] {
    return survivors(this.all(), this.#deps.clock.nowMs());
  }

  /** Ends all checks and timers. */
  stop(): void {
    this.#health.stop();
    this.#publisher.stop();
  }
}
