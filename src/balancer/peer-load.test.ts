import { expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { FakeClock } from '../util/fake-clock.ts';
import { seededRandom } from '../util/random.ts';
import { poolConfig } from '../../test/support/policy-pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { CellSource } from '../model/shared/cells.ts';
import { PrivateFile } from '../model/shared/shared-file.ts';
import { SharedState } from '../model/shared/shared-state.ts';
import { sharedStateBytes, StateOwner } from '../model/shared/state-owner.ts';
import { balancer } from './flow.ts';
import { createPool, updatePool } from './pools.ts';
import { Publisher } from './publish.ts';

const WORKERS = 3;
const NAMES = ['a', 'b', 'c', 'd'];
const CAPACITY = { pool: 1, endpoint: NAMES.length, listener: 1, route: 1, arenaBytes: 0 };
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

function configOf(names: readonly string[]) {
  return poolConfig({ policy: 'maglev', endpoints: names.map((name) => ({ name, address: `${name}:80` })) });
}

/** The same pool in several workers, over one memory. */
function workers() {
  const file = new PrivateFile(sharedStateBytes(WORKERS, CAPACITY));
  const owner = StateOwner.create(file, WORKERS, () => {}, CAPACITY);
  owner.assign({ pool: ['pool'], endpoint: NAMES, listener: [], route: [], regions: [] }, 0);
  const all = Array.from({ length: WORKERS }, (_, column) => {
    const state = SharedState.attach(file, column);
    const cells: CellSource = {
      pool: () => state.cells('pool', 0),
      endpoint: (_pool, name) => state.cells('endpoint', NAMES.indexOf(name)),
      listener: () => state.cells('listener', 0),
      routes: () => undefined,
      filter: () => undefined,
      clients: () => ({}),
    };
    const publisher = new Publisher({ clock: new FakeClock(), random: seededRandom(column) }, quiet);
    const pool = createPool(configOf(NAMES), publisher, cells);
    const configure = (names: readonly string[]) => updatePool(pool, configOf(names), publisher, cells);
    return { pool, publisher, configure, underWay: [] as Endpoint[] };
  });
  return { owner, all };
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('take' as const), who: fc.nat(), at: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), who: fc.nat(), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flip' as const), who: fc.nat(), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const), who: fc.nat(), at: fc.nat() }) },
);

test('all workers see one load of those that are balanced together, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { all } = workers();
      for (const { kind, who, at } of steps) {
        const { pool, underWay } = all[who % WORKERS]!;
        if (kind === 'take') {
          const endpoint = balancer.take(pool, { hash: at, tried: [] });
          if (endpoint !== undefined) underWay.push(endpoint);
        } else if (kind === 'release') {
          const [endpoint] = underWay.splice(at % Math.max(1, underWay.length), 1);
          if (endpoint !== undefined) balancer.release(pool, endpoint);
        } else {
          for (const worker of all) {
            const name = NAMES[at % NAMES.length]!;
            if (kind === 'reload') worker.configure(NAMES.filter((other) => other !== name));
            const known = worker.pool.view.all.find((endpoint) => endpoint.name === name);
            if (known === undefined) continue;
            known.health = known.health === 'unhealthy' ? 'healthy' : 'unhealthy';
            worker.publisher.publish(worker.pool);
          }
        }
        for (const { pool: each } of all) {
          const { available } = each.view;
          const load = available.reduce((sum, { inFlight }) => sum + inFlight, 0);
          for (const endpoint of available) expect(endpoint.peers.inFlight).toBe(load);
        }
      }
    }),
  );
}, 60_000);

test('a worker that died has no part in it', () => {
  const { owner, all } = workers();
  const [first, second] = all;
  for (let hash = 0; hash < 6; hash++) {
    balancer.take(first!.pool, { hash, tried: [] });
    balancer.take(second!.pool, { hash, tried: [] });
  }
  expect(first!.pool.view.all[0]!.peers.inFlight).toBe(12);
  owner.clearColumn(1);
  expect(first!.pool.view.all[0]!.peers.inFlight).toBe(6);
});

test('a pool that is forgotten leaves nothing in its place', () => {
  const { all } = workers();
  const [{ pool, publisher } = all[1]!, other] = all;
  const endpoint = balancer.take(pool, { hash: 1, tried: [] })!;
  publisher.forget(pool);
  balancer.release(pool, endpoint);
  expect(other!.pool.view.all[0]!.peers.inFlight).toBe(0);
});
