import { explainPick, type PickExplanation } from '../../src/balancer/explain.ts';
import { balancer } from '../../src/balancer/flow.ts';
import { createPool } from '../../src/balancer/pools.ts';
import { Publisher } from '../../src/balancer/publish.ts';
import { type PoolConfig, pool as poolSchema } from '../../src/config/schema/pool.ts';
import type { Endpoint } from '../../src/model/endpoint.ts';
import type { PickRequest } from '../../src/model/picker.ts';
import type { Pool } from '../../src/model/pool.ts';
import type { Log, LogFields } from '../../src/model/ports.ts';
import { FakeClock } from '../../src/util/fake-clock.ts';
import { seededRandom } from '../../src/util/random.ts';

/** What a test says of an endpoint; the address is made from the name. */
interface EndpointSpec {
  readonly name?: string;
  readonly address?: string;
  readonly weight?: number;
  readonly maxConnections?: number;
  readonly priority?: number;
  readonly state?: 'enabled' | 'draining' | 'disabled';
}

/** A pool as it would be written in a file, with names or weights for endpoints. */
export interface PoolSpec {
  readonly policy?: PoolConfig['policy'];
  readonly endpoints: readonly (EndpointSpec | number)[];
  readonly [option: string]: unknown;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** Endpoint names: a, b, ... z, then e26, e27, ... */
export function nameOf(index: number): string {
  return LETTERS[index] ?? `e${index}`;
}

export function poolConfig({ endpoints, ...options }: PoolSpec): PoolConfig {
  return poolSchema.parse({
    name: 'pool',
    // No panic unless a test asks for it: what is closed stays out.
    panicPercent: 0,
    ...options,
    endpoints: endpoints.map((spec, index) => {
      const name = nameOf(index);
      return { name, address: `${name}.test:80`, ...(typeof spec === 'number' ? { weight: spec } : spec) };
    }),
  });
}

export interface LogLine {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: LogFields | undefined;
}

export const NOTHING_TRIED: readonly Endpoint[] = [];

/** A pool with everything around it that moves: time, chance and the log. */
export class PolicyPool {
  readonly clock = new FakeClock();
  readonly log: LogLine[] = [];
  readonly publisher: Publisher;
  readonly pool: Pool;

  constructor(spec: PoolSpec, seed = 1) {
    const note = (level: keyof Log) => (event: string, fields?: LogFields) => {
      this.log.push({ level, event, fields });
    };
    this.publisher = new Publisher(
      { clock: this.clock, random: seededRandom(seed) },
      { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    );
    this.pool = createPool(poolConfig(spec), this.publisher);
  }

  get endpoints(): readonly Endpoint[] {
    return this.pool.view.all;
  }

  endpoint(name: string): Endpoint {
    const found = this.endpoints.find((endpoint) => endpoint.name === name);
    if (found === undefined) throw new Error(`no endpoint ${name}`);
    return found;
  }

  /** Changes an endpoint and publishes. */
  change(name: string, values: Partial<Pick<Endpoint, 'admin' | 'health' | 'ejectedUntilMs'>>): void {
    Object.assign(this.endpoint(name), values);
    this.publisher.publish(this.pool);
  }

  pick(hash = -1, tried: readonly Endpoint[] = NOTHING_TRIED): Endpoint | undefined {
    return balancer.pick(this.pool, { hash, tried });
  }

  /** Picks and acquires. */
  take(hash = -1, tried: readonly Endpoint[] = NOTHING_TRIED): Endpoint | undefined {
    const endpoint = this.pick(hash, tried);
    if (endpoint !== undefined) balancer.acquire(this.pool, endpoint);
    return endpoint;
  }

  release(endpoint: Endpoint): void {
    balancer.release(this.pool, endpoint);
  }

  explain(request: PickRequest = { hash: -1, tried: NOTHING_TRIED }, seed = 1): PickExplanation {
    return explainPick(this.publisher, this.pool, request, seededRandom(seed));
  }

  /** Names of the available endpoints, in order. */
  get available(): string {
    return this.pool.view.available.map((endpoint) => endpoint.name).join(' ');
  }
}
