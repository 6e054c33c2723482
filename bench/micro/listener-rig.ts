import { balancer } from '../../src/balancer/flow.ts';
import { createPool } from '../../src/balancer/pools.ts';
import { Publisher } from '../../src/balancer/publish.ts';
import { config as schema } from '../../src/config/schema/config.ts';
import { isHttp } from '../../src/config/schema/listener.ts';
import { ForwardingPolicy } from '../../src/l7/client-forwarding.ts';
import { L7Listener } from '../../src/l7/l7-listener.ts';
import { L7Pool } from '../../src/l7/l7-pool.ts';
import { compileRoutes } from '../../src/l7/router.ts';
import { ListenerStats } from '../../src/model/listener-stats.ts';
import type { Pool } from '../../src/model/pool.ts';
import type { dial } from '../../src/net/dial.ts';
import { TimerWheel } from '../../src/net/timer-wheel.ts';
import { systemClock } from '../../src/util/clock.ts';
import { systemRandom } from '../../src/util/random.ts';

/** A listener with one pool of two endpoints, from its real parts. */
interface ListenerRig {
  readonly listener: L7Listener;
  readonly pool: Pool;
  readonly l7Pool: L7Pool;
  readonly wheel: TimerWheel;
}

/** Keys of the listener and of the pool are as in a file, over those that both have. */
export function listenerRig(
  connect: typeof dial,
  listenerKeys: Readonly<Record<string, unknown>> = {},
  poolKeys: Readonly<Record<string, unknown>> = {},
): ListenerRig {
  const config = schema.parse({
    listeners: [{ name: 'web', address: '127.0.0.1:8080', routes: [{ pool: 'web' }], ...listenerKeys }],
    pools: [
      {
        name: 'web',
        policy: 'round-robin',
        endpoints: ['127.0.0.1:3000', '127.0.0.1:3001'],
        ...poolKeys,
      },
    ],
  });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const listenerConfig = config.listeners.find(isHttp)!;
  const wheel = new TimerWheel();
  const publisher = new Publisher({ clock: systemClock, random: systemRandom }, log);
  const pool = createPool(config.pools[0]!, publisher);
  const l7Pool = new L7Pool(
    pool,
    { affinity: undefined, hashKey: undefined, retryStatus: undefined, retryGrpcStatus: undefined },
    wheel,
    connect,
  );
  const routes = compileRoutes<L7Pool>(listenerConfig.routes, {
    pool: () => l7Pool,
    filter: () => {
      throw new RangeError('no filters here');
    },
  });
  const listener = new L7Listener(
    listenerConfig,
    routes,
    new ForwardingPolicy(listenerConfig, 'bench'),
    new ListenerStats(),
    {
      balancer,
      observer: { observe() {} },
      accessLog: undefined,
      log,
      wheel,
      clock: systemClock,
      random: systemRandom,
    },
    undefined,
  );
  return { listener, pool, l7Pool, wheel };
}
