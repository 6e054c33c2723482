import { expect, test } from 'bun:test';

import type { EndpointReport } from '../../src/admin/pool-report.ts';
import type { StatusReport } from '../../src/admin/status-report.ts';
import { cli } from '../support/cli.ts';
import { get } from '../support/front.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { echo, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { UdpClient, UdpEndpoint } from '../support/udp-peers.ts';
import { dial, type Wire } from '../support/wire.ts';

const WORKERS = 2;

type PoolInput = NonNullable<TestConfig['pools']>[number];

function config(endpoint: string, perClient: object, pool: Partial<PoolInput> = {}): TestConfig {
  return {
    workers: WORKERS,
    listeners: [
      { name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'pool', limits: { perClient } },
    ],
    pools: [{ name: 'pool', endpoints: [{ address: endpoint, name: 'a' }], ...pool }],
  };
}

/** Sessions that are served, of so many clients one after the other. */
async function served(pointsman: Pointsman, clients: number): Promise<Wire[]> {
  const open: Wire[] = [];
  for (let index = 0; index < clients; index++) {
    const wire = await dial(pointsman.address()).catch(() => undefined);
    wire?.send(get('/x'));
    const status = await wire?.answer().then(
      (answer) => answer.status,
      () => 0,
    );
    if (wire !== undefined && status === 200) open.push(wire);
  }
  return open;
}

async function sessions(pointsman: Pointsman): Promise<number> {
  const response = await fetch(`${pointsman.admin}/api/v1/pools/pool/endpoints/a`);
  return ((await response.json()) as EndpointReport).sessions;
}

function closeAll(wires: readonly Wire[]): void {
  for (const wire of wires) wire.close();
}

test('what one client may have open counts in all workers, and is free again when one dies', async () => {
  await using endpoint = await ScriptedEndpoint.start(echo);
  await using pointsman = await startPointsman(config(endpoint.name, { connections: 8 }));
  const open = await served(pointsman, 40);
  expect(open).toHaveLength(8);
  open.pop()!.close();
  await untilTrue('one less', async () => (await sessions(pointsman)) === 7);
  expect((await served(pointsman, 20)).map((wire) => open.push(wire))).toHaveLength(1);
  // The kernel may have given all of them to one worker: it is one that has some.
  const { workers } = (await (await fetch(`${pointsman.admin}/api/v1/status`)).json()) as StatusReport;
  process.kill(workers.find(({ connections }) => connections > 0)!.pid!, 'SIGKILL');
  await pointsman.line('worker-ready');
  let left = 0;
  await untilTrue('its sessions are gone', async () => {
    left = await sessions(pointsman);
    return open.filter(({ ending }) => ending === 'open').length === left;
  });
  expect(left).toBeLessThan(8);
  const more = await served(pointsman, 40);
  expect(more).toHaveLength(8 - left);
  closeAll([...open, ...more]);
  await untilTrue('none', async () => (await sessions(pointsman)) === 0);
  closeAll(await served(pointsman, 8));
}, 60_000);

test('a limit that comes and goes with reloads counts who came while it was there', async () => {
  await using endpoint = await ScriptedEndpoint.start(echo);
  await using pointsman = await startPointsman(config(endpoint.name, { connections: 4 }));
  const first = await served(pointsman, 10);
  expect(first).toHaveLength(4);
  await pointsman.reload(config(endpoint.name, {}));
  const uncounted = await served(pointsman, 10);
  expect(uncounted).toHaveLength(10);
  await pointsman.reload(config(endpoint.name, { connections: 4 }));
  expect(await served(pointsman, 10)).toHaveLength(0);
  closeAll(uncounted);
  await untilTrue('those of the limit', async () => (await sessions(pointsman)) === 4);
  expect(await served(pointsman, 10)).toHaveLength(0);
  closeAll(first);
  await untilTrue('none', async () => (await sessions(pointsman)) === 0);
  const again = await served(pointsman, 10);
  expect(again).toHaveLength(4);
  closeAll(again);
}, 60_000);

test('how fast one client may come is one rate for all workers, over reloads and deaths', async () => {
  await using endpoint = await ScriptedEndpoint.start(echo);
  await using pointsman = await startPointsman(config(endpoint.name, { rate: '1/h', burst: 10 }));
  closeAll(await served(pointsman, 1));
  const burst = await served(pointsman, 40);
  expect(burst).toHaveLength(9);
  await pointsman.reload(config(endpoint.name, { rate: '1/h', burst: 10 }, { policy: 'random' }));
  expect(await served(pointsman, 10)).toHaveLength(0);
  process.kill(pointsman.workerPids[1]!, 'SIGKILL');
  await pointsman.line('worker-ready');
  expect(await served(pointsman, 20)).toHaveLength(0);
  closeAll(burst);
}, 60_000);

test('udp sessions of one client are counted in all workers', async () => {
  await using endpoint = await UdpEndpoint.start('a');
  await using pointsman = await startPointsman({
    workers: WORKERS,
    listeners: [
      {
        name: 'in',
        address: '127.0.0.1:0',
        protocol: 'udp',
        pool: 'p',
        limits: { perClient: { sessions: 6 } },
      },
    ],
    pools: [{ name: 'p', endpoints: [{ address: endpoint.address, name: 'a' }] }],
  });
  const { port } = pointsman.address();
  const clients = await Promise.all(Array.from({ length: 30 }, () => UdpClient.open(port)));
  for (const client of clients) client.send('1');
  const answered = (): number => clients.filter(({ answers }) => answers.length > 0).length;
  await untilTrue('the refusal of the others', async () => {
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    const refused = /failures_total\{listener="in",code="client_connection_limit"\} (\d+)/.exec(metrics);
    return refused?.[1] === '24' && answered() === 6;
  });
  for (const client of clients) client[Symbol.dispose]();
}, 30_000);

test('an endpoint that goes down ends its sessions in every worker, where that is wanted', async () => {
  await using endpoint = await ScriptedEndpoint.start(echo);
  await using health = await ScriptedEndpoint.start(echo);
  const check = { port: health.address.port, interval: '200ms', timeout: '200ms', fastInterval: '50ms' };
  await using pointsman = await startPointsman(
    config(endpoint.name, {}, { healthCheck: check, onEndpointDown: 'close' }),
  );
  const open = await served(pointsman, 24);
  expect(open).toHaveLength(24);
  await health[Symbol.asyncDispose]();
  await untilTrue('all are over', () => open.every(({ ending }) => ending !== 'open'));
  expect(new Set(open.map(({ ending }) => ending))).toEqual(new Set(['reset']));
  await untilTrue('none', async () => (await sessions(pointsman)) === 0);
}, 60_000);

test('the deadline of a drain ends the sessions of every worker', async () => {
  await using endpoint = await ScriptedEndpoint.start(echo);
  await using pointsman = await startPointsman(config(endpoint.name, {}));
  const open = await served(pointsman, 24);
  const ran = await cli(['drain', 'pool/a', '--admin', pointsman.admin, '--deadline', '300ms', '--wait']);
  expect([ran.code, ran.err]).toEqual([3, expect.stringContaining('24 sessions left at the deadline')]);
  for (const wire of open) await wire.untilEnd();
  expect(new Set(open.map(({ ending }) => ending))).toEqual(new Set(['fin']));
  closeAll(open);
  await untilTrue('none', async () => (await sessions(pointsman)) === 0);
}, 30_000);
