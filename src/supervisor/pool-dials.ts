import type { Config } from '../config/schema/config.ts';
import type { PoolConfig } from '../config/schema/pool.ts';
import { dial } from '../net/dial.ts';
import { PoolDial } from './pool-dial.ts';

/** How health checks reach the endpoints of each pool. */
export class PoolDials {
  readonly #dials = new Map<string, PoolDial>();

  of(pool: string): typeof dial {
    return this.#dials.get(pool)?.dial ?? dial;
  }

  /**
   * Makes ready what a configuration asks for; nothing changes before the returned function is called.
   * @param tlsInForce Of a pool.
   * @throws Error naming the pool whose TLS cannot be.
   */
  plan({ pools }: Config, tlsInForce: (pool: string) => PoolConfig['tls']): () => void {
    const adoptions = pools.map((config) => {
      const { name } = config;
      const known = this.#dials.get(name);
      if (known !== undefined && Bun.deepEquals(tlsInForce(name), config.tls)) return () => {};
      const dialled = known ?? new PoolDial();
      const adopt = dialled.prepare(config);
      return () => {
        adopt();
        this.#dials.set(name, dialled);
      };
    });
    return () => {
      for (const adopt of adoptions) adopt();
    };
  }

  forget(pool: string): void {
    this.#dials.delete(pool);
  }
}
