import { expect, test } from 'bun:test';

import { config as schema } from '../config/schema/config.ts';
import { ENDPOINT_TOTALS } from '../model/endpoint-stats.ts';
import { LISTENER_TOTALS } from '../model/listener-stats.ts';
import { POOL_TOTALS } from '../model/pool-stats.ts';
import { type CellSource, privateCells } from '../model/shared/cells.ts';
import { DataPlane } from './data-plane.ts';
import { ToldTicketKeys } from './ticket-keyring.ts';

const CONFIGURATIONS = 60;
/** What is in force, and what a collector that looks at the stack may take for a reference. Each that is kept is one more at least. */
const MOST_KEPT = 15;

const cells: CellSource = {
  pool: () => privateCells('pool', POOL_TOTALS),
  endpoint: () => privateCells('endpoint', ENDPOINT_TOTALS),
  listener: () => privateCells('listener', LISTENER_TOTALS),
  routes: () => undefined,
  filter: () => undefined,
  clients: () => ({}),
};

/** A configuration in which everything is another than in the one before, but the names of what goes on. */
function configOf(round: number) {
  return schema.parse({
    admin: false,
    listeners: [
      {
        name: 'web',
        address: '127.0.0.1:0',
        timeouts: { idle: `${60 + (round % 3)}s` },
        routes: [
          { match: { path: `/${round}` }, reply: { status: 200, body: `${round}` } },
          { pool: 'kept', filters: [{ headers: { response: { set: { 'X-Round': String(round) } } } }] },
        ],
      },
      { name: `tcp-${round % 2}`, address: '127.0.0.1:0', protocol: 'tcp', pool: `new-${round % 2}` },
    ],
    pools: [
      {
        name: 'kept',
        policy: (['round-robin', 'maglev', 'least-connections'] as const)[round % 3],
        endpoints: [
          { name: 'a', address: '127.0.0.1:1', weight: 1 + (round % 4) },
          `127.0.0.1:${10 + round}`,
        ],
        timeouts: { response: `${5 + (round % 5)}s` },
      },
      { name: `new-${round % 2}`, endpoints: ['127.0.0.1:2'] },
    ],
  });
}

test('a configuration that was replaced is forgotten, with all that was made of it', async () => {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const plane = new DataPlane({
    log,
    accessLog: undefined,
    judge: { suspect() {} },
    instance: 'x',
    ticketKeys: new ToldTicketKeys(),
    slot: 0,
    cells,
  });
  const seen: WeakRef<object>[] = [];
  const put = async (round: number): Promise<void> => {
    const config = configOf(round);
    const ids = new Map(
      config.listeners.map(({ name }, index) => [name, name === 'web' ? 0 : round + index]),
    );
    const prepared = await plane.prepare(config, { idOf: (name) => ids.get(name)!, take: () => undefined });
    prepared.commit();
    for (const one of [
      config,
      prepared,
      ...plane.listeners.inForce(),
      ...plane.pools.all().flatMap(({ view }) => view),
    ])
      seen.push(new WeakRef(one));
  };
  for (let round = 0; round < CONFIGURATIONS; round++) await put(round);
  // References of the turn in which they were made count until it is over.
  await new Promise(setImmediate);
  Bun.gc(true);
  const kept = seen.filter((one) => one.deref() !== undefined).length;
  expect(kept).toBeLessThanOrEqual(MOST_KEPT);
  plane.listeners.stop();
  plane.pools.stop();
});
