import { createPool, updatePool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import type { Config } from '../config/schema/config.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import type { OutlierDetector } from '../health/outlier-detector.ts';
import { L4Pool } from '../l4/l4-pool.ts';
import { L7Pool } from '../l7/l7-pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { openDatagrams } from '../net/resolving-datagrams.ts';
import type { TimerWheel } from '../net/timer-wheel.ts';
import { runTurn } from '../net/turn.ts';
import { systemClock } from '../util/clock.ts';
import { systemRandom } from '../util/random.ts';
import { adoptState, type EndpointState } from './endpoint-states.ts';
import { PoolDial } from './pool-dial.ts';
import { poolParts } from './pool-parts.ts';

/** A pool with all that carries traffic to it, by protocol of the listener. */
export interface ServedPool {
  readonly pool: Pool;
  readonly l7: L7Pool;
  readonly l4: L4Pool;
  readonly dial: PoolDial;
}

/** Pools as they would be, made without anybody noticing. Exactly one of its methods is to be called, once. */
interface PoolPlan {
  readonly all: ReadonlyMap<string, ServedPool>;
  /** Puts them into force. Returns those that are in no configuration any more, to be closed when nobody leads to them. */
  commit(): readonly ServedPool[];
  /** Nothing comes of it. */
  abandon(): void;
}

/** What pools are made with. */
export interface ServedPoolsDeps {
  /** Number of this worker, from 0. */
  readonly slot: number;
  /** Memory that everything counts in. */
  readonly cells: CellSource;
  readonly wheel: TimerWheel;
  readonly outliers: OutlierDetector;
  /** An endpoint was found dead, and its pool wants its sessions to end (`onEndpointDown: close`). */
  readonly cutSessions: (endpoint: Endpoint) => void;
}

/** The pools of a worker. Whatever a configuration says nothing new about stays the same object, with all that it carries. */
export class ServedPools {
  readonly #deps: ServedPoolsDeps;
  readonly #publisher: Publisher;
  #inForce: ReadonlyMap<string, ServedPool> = new Map();

  constructor(deps: ServedPoolsDeps) {
    this.#deps = deps;
    this.#publisher = new Publisher(
      { clock: systemClock, random: systemRandom, turns: deps.slot },
      undefined,
      (pool) => runTurn(() => this.#inForce.get(pool.name)?.l7.queue.wake()),
    );
  }

  /** @throws Error naming the pool whose TLS cannot be; nothing is left of the plan then. */
  plan({ pools: configs }: Config): PoolPlan {
    const all = new Map<string, ServedPool>();
    const created: ServedPool[] = [];
    for (const config of configs) {
      const known = this.#inForce.get(config.name);
      const served = known ?? this.#create(config);
      if (known === undefined) created.push(served);
      all.set(config.name, served);
    }
    const abandon = (): void => {
      for (const served of created) this.close(served);
    };
    try {
      const secure = this.#planTls(configs, all);
      return { all, commit: () => this.#swap(configs, all, secure), abandon };
    } catch (error) {
      runTurn(abandon);
      throw error;
    }
  }

  #create(config: PoolConfig): ServedPool {
    const { wheel, cells } = this.#deps;
    const pool = createPool(config, this.#publisher, cells);
    const dial = new PoolDial();
    const l7 = new L7Pool(pool, poolParts(pool, config), wheel, dial.dial);
    return { pool, l7, l4: new L4Pool(pool, l7.queue, wheel, dial.dial, openDatagrams), dial };
  }

  /** @throws Error naming the pool whose TLS cannot be. */
  #planTls(configs: readonly PoolConfig[], all: ReadonlyMap<string, ServedPool>): () => void {
    const adoptions = configs.map((config) => {
      const { pool, l7, dial } = all.get(config.name)!;
      // What was made for this configuration is still to get its TLS; what is in force keeps it while nothing changed.
      if (this.#inForce.has(config.name) && Bun.deepEquals(pool.config.tls, config.tls)) return () => {};
      const adopt = dial.prepare(config);
      return () => {
        adopt();
        l7.forget(pool.view.all);
      };
    });
    return () => {
      for (const adopt of adoptions) adopt();
    };
  }

  #swap(
    configs: readonly PoolConfig[],
    all: ReadonlyMap<string, ServedPool>,
    secure: () => void,
  ): readonly ServedPool[] {
    const before = [...this.#inForce.values()];
    this.#inForce = all;
    secure();
    for (const config of configs) this.#configure(config);
    return before.filter((served) => all.get(served.pool.name) !== served);
  }

  /** Requests under way and those that wait in its queue still end as they would have. */
  close({ pool, l7 }: ServedPool): void {
    this.#publisher.forget(pool);
    l7.close();
  }

  /** Puts another configuration of one pool into force; nothing for a pool that there is not. */
  update(config: PoolConfig): void {
    if (this.#inForce.has(config.name)) runTurn(() => this.#configure(config));
  }

  #configure(config: PoolConfig): void {
    const { pool, l7 } = this.#inForce.get(config.name)!;
    if (Bun.deepEquals(pool.config, config)) return;
    l7.configure(config, poolParts(pool, config, l7.affinity));
    const { removed } = updatePool(pool, config, this.#publisher, this.#deps.cells);
    l7.forget(removed);
  }

  /**
   * What became of endpoints of a pool. Requests that wait on one that is dead go elsewhere, those that wait in the queue are asked
   * again. Endpoints that there are not are passed over.
   */
  setStates(poolName: string, states: readonly EndpointState[]): void {
    const served = this.#inForce.get(poolName);
    if (served === undefined) return;
    const { pool, l7 } = served;
    const nowMs = systemClock.nowMs();
    const down: { endpoint: Endpoint; reason: string }[] = [];
    for (const state of states) {
      const endpoint = pool.view.all.find(({ name }) => name === state.name);
      if (endpoint === undefined) continue;
      if (state.health === 'unhealthy' && endpoint.health !== 'unhealthy')
        down.push({ endpoint, reason: state.reason });
      if (state.ejectedForMs > 0 && endpoint.ejectedUntilMs <= nowMs) this.#deps.outliers.forgive(endpoint);
      adoptState(endpoint, state, nowMs);
    }
    runTurn(() => {
      this.#publisher.publish(pool);
      for (const { endpoint, reason } of down) {
        l7.abandon(endpoint, reason);
        if (pool.config.onEndpointDown === 'close') this.#deps.cutSessions(endpoint);
      }
      l7.queue.wake();
    });
  }

  /** There are more workers or fewer: what they count together is looked at anew. */
  republish(): void {
    runTurn(() => {
      for (const { pool } of this.#inForce.values()) this.#publisher.publish(pool);
    });
  }

  all(): readonly Pool[] {
    return [...this.#inForce.values()].map(({ pool }) => pool);
  }

  /** Another worker has made room, or says that it is the turn of those who wait here. */
  wakeQueues(): void {
    for (const { l7 } of this.#inForce.values()) l7.queue.called();
  }

  idleConnections(endpoint: Endpoint): number {
    return this.#inForce.get(endpoint.pool)?.l7.idleConnections(endpoint) ?? 0;
  }

  /** Ends timers, and closes idle connections to endpoints. */
  stop(): void {
    this.#publisher.stop();
    for (const { l7 } of this.#inForce.values()) l7.close();
  }
}
