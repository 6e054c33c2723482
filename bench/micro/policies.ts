/**
 * Nanoseconds of one `pick` for every policy and pool size, in a pool under steady load: each pick is acquired, and an
 * older one is released, so that loads differ and hash policies meet their bounds.
 *
 * Run: node_modules/.bin/bun bench/micro/policies.ts [WORKERS]
 * With WORKERS the counts lie in memory for so many workers, of which this is one and the others have nothing under way.
 */
import { balancer } from '../../src/balancer/flow.ts';
import { createPool } from '../../src/balancer/pools.ts';
import { Publisher } from '../../src/balancer/publish.ts';
import { type PolicyName, POLICY_NAMES, pool as poolSchema } from '../../src/config/schema/pool.ts';
import type { Endpoint } from '../../src/model/endpoint.ts';
import type { Pool } from '../../src/model/pool.ts';
import type { CellSource } from '../../src/model/shared/cells.ts';
import { Layout } from '../../src/model/shared/layout.ts';
import { PrivateFile } from '../../src/model/shared/shared-file.ts';
import { SharedState } from '../../src/model/shared/shared-state.ts';
import { StateOwner } from '../../src/model/shared/state-owner.ts';
import type { Log } from '../../src/model/ports.ts';
import { systemClock } from '../../src/util/clock.ts';
import { mix32 } from '../../src/util/hash.ts';
import { systemRandom } from '../../src/util/random.ts';

const WORKERS = Number(process.argv[2]);
const SIZES = [3, 50, 1000];
const ROUNDS = 5;
const ROUND_MS = 40;
const PICKS_AT_ONCE = 1000;

const noLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Memory for the counts of a pool; undefined when they are those of one process. */
function cellsOf(size: number): CellSource | undefined {
  if (!(WORKERS > 0)) return undefined;
  const capacity = { pool: 1, endpoint: size, listener: 1, route: 1, arenaBytes: 0 };
  const file = new PrivateFile(new Layout(WORKERS, capacity).sizeBytes);
  StateOwner.create(file, WORKERS, () => {}, capacity);
  const state = SharedState.attach(file, 0);
  let slot = 0;
  return {
    pool: () => state.cells('pool', 0),
    endpoint: () => state.cells('endpoint', slot++),
    listener: () => state.cells('listener', 0),
    routes: () => undefined,
    filter: () => undefined,
    clients: () => ({}),
  };
}

function poolOf(policy: PolicyName, size: number, weighted: boolean): Pool {
  const publisher = new Publisher({ clock: systemClock, random: systemRandom }, noLog);
  const endpoints = Array.from({ length: size }, (_, index) => ({
    address: `10.0.${index >> 8}.${index & 255}:3000`,
    weight: weighted ? 1 + (index % 3) : 1,
  }));
  const pool = createPool(poolSchema.parse({ name: 'bench', policy, endpoints }), publisher, cellsOf(size));
  for (const endpoint of pool.view.all) endpoint.latency?.observe(1 + Math.random(), systemClock.nowMs());
  return pool;
}

/** Best round of several; what the loop itself costs (acquire, release, a hash) is in it. */
function nanosecondsPerPick(pool: Pool, inFlightEach: number): number {
  const hashes = pool.config.policy.endsWith('-hash') || pool.config.policy === 'maglev';
  const underWay: Endpoint[] = [];
  const request = { hash: -1, tried: [] as Endpoint[] };
  let best = Number.POSITIVE_INFINITY;
  let key = 0;
  for (let warm = 0; warm < inFlightEach * pool.view.all.length; warm++) {
    const endpoint = balancer.pick(pool, request)!;
    balancer.acquire(pool, endpoint);
    underWay.push(endpoint);
  }
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    let picks = 0;
    while (performance.now() - startMs < ROUND_MS) {
      for (let index = 0; index < PICKS_AT_ONCE; index++) {
        request.hash = hashes ? mix32(key++) : -1;
        const endpoint = balancer.pick(pool, request)!;
        balancer.acquire(pool, endpoint);
        const slot = (picks + index) % underWay.length;
        balancer.release(pool, underWay[slot]!);
        underWay[slot] = endpoint;
      }
      picks += PICKS_AT_ONCE;
    }
    best = Math.min(best, ((performance.now() - startMs) * 1e6) / picks);
  }
  return best;
}

const lines = [`${'policy'.padEnd(22)}${SIZES.map((size) => `${size}`.padStart(9)).join('')}`];
const cases = [
  { title: 'equal weights, two in flight at each', weighted: false, inFlightEach: 2 },
  { title: 'weights 1 to 3, two in flight at each', weighted: true, inFlightEach: 2 },
  { title: 'equal weights, nine of ten idle', weighted: false, inFlightEach: 0.1 },
];
for (const { title, weighted, inFlightEach } of cases) {
  lines.push(title);
  for (const policy of POLICY_NAMES) {
    const figures = SIZES.map((size) => nanosecondsPerPick(poolOf(policy, size, weighted), inFlightEach));
    lines.push(`  ${policy.padEnd(20)}${figures.map((ns) => ns.toFixed(0).padStart(9)).join('')}`);
  }
}
process.stdout.write(`${lines.join('\n')}\n`);
