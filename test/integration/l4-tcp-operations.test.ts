import { describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ListenerReport } from '../../src/admin/listener-report.ts';
import type { EndpointReport, PoolReport } from '../../src/admin/pool-report.ts';
import { cli } from '../support/cli.ts';
import { get } from '../support/front.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { echo, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask, dial, type Wire } from '../support/wire.ts';

const PATIENCE_MS = 20_000;

/** Speaks HTTP to whoever sends a request, and greets nobody. */
const web = (): Promise<ScriptedEndpoint> => ScriptedEndpoint.start(echo);

function config(
  endpoints: NonNullable<TestConfig['pools']>[number]['endpoints'],
  more: Partial<TestConfig> = {},
): TestConfig {
  return {
    listeners: [{ name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'pool' }],
    pools: [{ name: 'pool', policy: 'first', endpoints, queue: { timeout: '5s' } }],
    ...more,
  };
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await Bun.sleep(10);
  }
}

async function endpointReport(pointsman: Pointsman, name: string): Promise<EndpointReport> {
  return (await (
    await fetch(`${pointsman.admin}/api/v1/pools/pool/endpoints/${name}`)
  ).json()) as EndpointReport;
}

async function listenerReport(pointsman: Pointsman, name: string): Promise<ListenerReport> {
  const { listeners } = (await (await fetch(`${pointsman.admin}/api/v1/listeners`)).json()) as {
    listeners: ListenerReport[];
  };
  return listeners.find((listener) => listener.name === name)!;
}

/** How a client ends that is not wanted: it may be gone before it knows that it was connected. */
async function endingOf(pointsman: Pointsman): Promise<string> {
  const wire = await dial(pointsman.address()).catch(() => undefined);
  await wire?.untilEnd();
  return wire?.ending ?? 'reset';
}

/** A session that has carried a request and its answer. */
async function session(pointsman: Pointsman, listener = 'raw'): Promise<Wire> {
  const wire = await dial(pointsman.address(listener));
  wire.send(get('/x'));
  expect((await wire.answer()).status).toBe(200);
  return wire;
}

test('a pool of an http and a tcp listener has one limit and one queue', async () => {
  await using endpoint = await web();
  await using pointsman = await startPointsman(
    config([{ address: endpoint.name, name: 'a', maxConnections: 1 }], {
      listeners: [
        { name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'pool' },
        { name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'pool' }] },
      ],
    }),
  );
  const open = await session(pointsman);
  const queueLength = async (): Promise<number> =>
    ((await (await fetch(`${pointsman.admin}/api/v1/pools/pool`)).json()) as PoolReport).queued;
  const waiting = ask(pointsman.address('web'), get('/waits'));
  await eventually('a request in the queue', async () => (await queueLength()) === 1);
  const queued = await dial(pointsman.address('raw'));
  queued.send(get('/waits-too'));
  await eventually('a session in the queue', async () => (await queueLength()) === 2);
  expect(endpoint.requests().map(({ target }) => target)).toEqual(['/x']);
  expect((await endpointReport(pointsman, 'a')).state.full).toBe(true);
  open.close();
  expect((await waiting).status).toBe(200);
  expect((await queued.answer()).status).toBe(200);
  queued.close();
});

describe('operators', () => {
  test('drain: sessions stay until they end or the deadline comes', async () => {
    await using a = await web();
    await using b = await web();
    await using pointsman = await startPointsman(
      config([
        { address: a.name, name: 'a' },
        { address: b.name, name: 'b' },
      ]),
    );
    const sessions = [await session(pointsman), await session(pointsman)];
    expect(await endpointReport(pointsman, 'a')).toMatchObject({ active: 2, sessions: 2, tunnels: 0 });
    const drain = (...more: string[]) => cli(['drain', 'pool/a', '--admin', pointsman.admin, ...more]);
    expect((await drain('--deadline', '10m')).code).toBe(0);
    expect((await endpointReport(pointsman, 'a')).drain).toMatchObject({
      requests: 0,
      sessions: 2,
      empty: false,
    });
    // New ones go elsewhere, old ones go on.
    const next = await session(pointsman);
    expect(b.wires).toHaveLength(1);
    sessions[0]!.send(get('/again'));
    expect((await sessions[0]!.answer()).status).toBe(200);
    const ran = await drain('--deadline', '100ms', '--wait');
    expect([ran.code, ran.err]).toEqual([3, expect.stringContaining('2 sessions left at the deadline')]);
    for (const wire of sessions) {
      await wire.untilEnd();
      expect(wire.ending).toBe('fin');
      wire.close();
    }
    await eventually('empty', async () => (await endpointReport(pointsman, 'a')).active === 0);
    expect((await listenerReport(pointsman, 'raw')).failures).toEqual({ endpoint_drained: 2 });
    next.close();
  });

  test('status, metrics and listeners tell of sessions', async () => {
    await using a = await web();
    await using pointsman = await startPointsman(config([{ address: a.name, name: 'a' }]));
    const open = await session(pointsman);
    const status = await cli(['status', '--admin', pointsman.admin]);
    expect(status.out).toMatch(/^pool +1 of 1 available +1 +\d/m);
    const report = await listenerReport(pointsman, 'raw');
    expect(report).toMatchObject({ protocol: 'tcp', connections: { open: 1, total: 1 }, requests: 0 });
    expect(report.bytesReceived).toBe(get('/x').length);
    expect(report.bytesSent).toBe(open.receivedBytes);
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    for (const line of [
      'pointsman_endpoint_sessions{pool="pool",endpoint="a"} 1',
      `pointsman_endpoint_sent_bytes_total{pool="pool",endpoint="a"} ${get('/x').length}`,
      'pointsman_endpoint_connect_duration_seconds_count{pool="pool",endpoint="a"} 1',
      'pointsman_listener_open_connections{listener="raw"} 1',
    ])
      expect(metrics).toContain(line);
    open.close();
  });
});

test('a reload that changes the listener, or takes the endpoint away, leaves sessions alone', async () => {
  await using a = await web();
  await using b = await web();
  const before = config([a.name]);
  await using pointsman = await startPointsman(before);
  const open = await session(pointsman);
  const [listener] = before.listeners;
  const changed = { ...listener!, timeouts: { idle: '5m' } } as TestConfig['listeners'][number];
  expect(await pointsman.reload({ ...config([b.name]), listeners: [changed] })).toContain('reloaded');
  open.send(get('/still'));
  expect((await open.answer()).status).toBe(200);
  const next = await session(pointsman);
  expect([a.requests().length, b.requests().length]).toEqual([2, 1]);
  for (const wire of [open, next]) wire.close();
});

test('one that takes the listener away refuses new clients, and its sessions go on', async () => {
  await using a = await web();
  const before = config([a.name], {
    listeners: [
      { name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'pool' },
      { name: 'other', address: '127.0.0.1:0', protocol: 'tcp', pool: 'pool' },
    ],
  });
  await using pointsman = await startPointsman(before);
  const open = await session(pointsman);
  await pointsman.reload({ ...before, listeners: [before.listeners[1]!] });
  // The worker closes its socket a moment after the supervisor.
  await eventually('refused', async () => {
    const wire = await dial(pointsman.address('raw')).catch(() => undefined);
    wire?.close();
    return wire === undefined;
  });
  open.send(get('/still'));
  expect((await open.answer()).status).toBe(200);
  open.close();
});

test('the access log has a line for each session, shut down at the latest', async () => {
  await using a = await web();
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-log-'));
  const path = join(directory, 'access.log');
  const pointsman = await startPointsman({
    ...config([{ address: a.name, name: 'a' }]),
    accessLog: { path },
    shutdown: { deadline: '100ms' },
  });
  const whole = await session(pointsman);
  whole.halfClose();
  await whole.untilEnd();
  const cut = await session(pointsman);
  expect(await pointsman.stop()).toBe(0);
  await cut.untilEnd();
  expect(cut.ending).toBe('reset');
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  rmSync(directory, { recursive: true });
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const common = {
    listener: 'raw',
    pool: 'pool',
    endpoint: 'a',
    clientIp: '127.0.0.1',
    protocol: 'TCP',
    attempts: 1,
  };
  const bytes = { requestBytes: get('/x').length, responseBytes: whole.receivedBytes };
  expect(entries).toEqual([
    expect.objectContaining({ ...common, ...bytes, failure: '' }),
    expect.objectContaining({ ...common, ...bytes, failure: 'shutting_down' }),
  ]);
  expect(Object.keys(entries[0]!)).not.toContain('status');
});

test('limits of one client hold, and end with its connections', async () => {
  await using a = await web();
  await using pointsman = await startPointsman(
    config([a.name], {
      listeners: [
        {
          name: 'raw',
          address: '127.0.0.1:0',
          protocol: 'tcp',
          pool: 'pool',
          limits: { perClient: { connections: 2 } },
        },
      ],
    }),
  );
  const open = [await session(pointsman), await session(pointsman)];
  expect(await endingOf(pointsman)).toBe('reset');
  open[0]!.close();
  await eventually('room', async () => (await listenerReport(pointsman, 'raw')).connections.open === 1);
  const next = await session(pointsman);
  expect(await listenerReport(pointsman, 'raw')).toMatchObject({
    connections: { rejected: 1 },
    failures: { client_connection_limit: 1 },
  });
  for (const wire of [open[1]!, next]) wire.close();
});
