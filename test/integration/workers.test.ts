import { describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import type { StatusReport } from '../../src/admin/status-report.ts';
import { freePorts } from '../support/free-ports.ts';
import { get } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask, dial } from '../support/wire.ts';

function configOf(endpoints: readonly string[], more: Partial<TestConfig> = {}): TestConfig {
  return {
    workers: 2,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api' }] }],
    pools: [{ name: 'api', policy: 'round-robin', endpoints: [...endpoints] }],
    ...more,
  };
}

/** Answers at once, after a short time or so. */
function answering(delayMs: number): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') break;
      wire.forget();
      await Bun.sleep(delayMs);
      wire.send(plainAnswer('ok'));
    }
    wire.close();
  });
}

async function statusOf(pointsman: Pointsman): Promise<StatusReport> {
  return (await (await fetch(`${pointsman.admin}/api/v1/status`)).json()) as StatusReport;
}

async function poolOf(pointsman: Pointsman): Promise<PoolReport> {
  return (await (await fetch(`${pointsman.admin}/api/v1/pools/api`)).json()) as PoolReport;
}

async function metricOf(pointsman: Pointsman, series: string): Promise<number> {
  const text = await (await fetch(`${pointsman.admin}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.slice(series.length));
}

async function until(holds: () => Promise<boolean> | boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to that');
    await Bun.sleep(5);
  }
}

/** What became of requests, each on a connection of its own. */
interface Tally {
  answered: number;
  /** The connection was made, but no answer came. */
  lost: number;
  refused: number;
}

/** Opens `count` connections, `atOnce` of them at a time, with one request each. */
async function storm(pointsman: Pointsman, count: number, atOnce: number): Promise<Tally> {
  const tally: Tally = { answered: 0, lost: 0, refused: 0 };
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      let wire;
      try {
        wire = await dial(pointsman.address());
      } catch {
        tally.refused++;
        continue;
      }
      wire.send(get('/', 'Connection: close'));
      const { kind } = await wire.response('GET', 15_000);
      if (kind === 'message') tally.answered++;
      else tally.lost++;
      wire.close();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return tally;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a worker that is killed', () => {
  test('costs what it had under way, refuses nobody, and is replaced at once', async () => {
    await using endpoint = await answering(2);
    await using pointsman = await startPointsman(configOf([endpoint.name]));
    const [victim] = pointsman.workerPids;
    const atOnce = 16;
    const load = storm(pointsman, 1000, atOnce);
    await until(() => endpoint.wires.length > 0);
    await Bun.sleep(100);
    process.kill(victim!, 'SIGKILL');
    await pointsman.line('worker-ready');
    const { answered, lost, refused } = await load;
    expect(refused).toBe(0);
    expect(lost).toBeLessThanOrEqual(atOnce);
    expect(answered).toBe(1000 - lost);
    expect(pointsman.lines('worker-died')[0]).toContain('worker=1 ');
    expect(pointsman.lines('worker-died')[0]).toContain('reason=SIGKILL');
    expect(pointsman.lines('worker-died')[0]).toContain('restartInMs=0');
    expect(pointsman.workerPids).toHaveLength(2);
    expect(pointsman.workerPids).not.toContain(victim);
    const { workers, ready } = await statusOf(pointsman);
    expect(workers.map(({ state, restarts }) => [state, restarts])).toEqual([
      ['ready', 1],
      ['ready', 0],
    ]);
    expect(ready).toBe(true);
    // What it had under way counts no more.
    await until(async () => (await poolOf(pointsman)).endpoints[0]!.active === 0);
    const open = 'pointsman_listener_open_connections{listener="web"}';
    await until(async () => (await metricOf(pointsman, open)) === 0);
  });

  test('between taking an endpoint and letting it go gives back its place', async () => {
    await using endpoint = await HeldEndpoint.start('held');
    endpoint.hold();
    const pools = [
      { name: 'api', endpoints: [{ address: endpoint.name, maxConnections: 1 }], queue: { size: 10 } },
    ];
    await using pointsman = await startPointsman(configOf([], { pools }));
    const lost = await dial(pointsman.address());
    lost.send(get('/lost'));
    await endpoint.took(1);
    const { workers } = await statusOf(pointsman);
    process.kill(workers.find(({ connections }) => connections > 0)!.pid!, 'SIGKILL');
    await lost.untilEnd();
    endpoint.release();
    expect((await ask(pointsman.address(), get('/next'), 10_000)).body.toString()).toBe('held');
  });

  test('again and again is started again ever later, and that is told everywhere', async () => {
    await using endpoint = await answering(0);
    await using pointsman = await startPointsman(configOf([endpoint.name], { workers: 1 }));
    process.kill(pointsman.workerPids[0]!, 'SIGKILL');
    await pointsman.line('worker-ready');
    const told = async () => {
      const [ready, status, up] = await Promise.all([
        fetch(`${pointsman.admin}/readyz`).then(async (answer) => [answer.status, await answer.json()]),
        statusOf(pointsman),
        metricOf(pointsman, 'pointsman_worker_up{worker="1"}'),
      ]);
      return { ready, worker: status.workers[0], up };
    };
    const waiting = (deaths: number) => ({
      ready: [
        503,
        {
          ready: false,
          reasons: [
            expect.stringMatching(
              new RegExp(
                `^worker 1 ended ${deaths} times in a row \\(SIGKILL\\); the next try is in [1-8] s$`,
              ),
            ),
          ],
        },
      ],
      worker: expect.objectContaining({ state: 'waiting', pid: null }),
      up: 0,
    });
    let deaths = 1;
    for (let waitMs = 1000; ; waitMs *= 2) {
      process.kill(pointsman.workerPids[0]!, 'SIGKILL');
      expect(await pointsman.line('worker-died', deaths)).toContain(`restartInMs=${waitMs}`);
      deaths++;
      const found = await told();
      // A machine that stood still meanwhile has missed it: the next wait is longer.
      if (deaths > 4 || (found.worker?.state === 'waiting' && found.up === 0)) {
        expect(found).toEqual(waiting(deaths));
        break;
      }
      await pointsman.line('worker-ready', deaths - 1);
    }
    // Whoever connects meanwhile waits.
    expect((await ask(pointsman.address(), get('/'), 30_000)).status).toBe(200);
    expect(await metricOf(pointsman, 'pointsman_worker_restarts_total{worker="1"}')).toBe(deaths);
  });
});

describe('a worker that hangs', () => {
  test('is told of, then killed and replaced', async () => {
    await using endpoint = await answering(0);
    const workerWatchdog = { warnAfter: '1s', killAfter: '2s' };
    await using pointsman = await startPointsman(configOf([endpoint.name], { workerWatchdog }));
    const [victim] = pointsman.workerPids;
    process.kill(victim!, 'SIGSTOP');
    const load = storm(pointsman, 40, 8);
    expect(await pointsman.line('worker-stuck')).toContain(`worker=1 pid=${victim}`);
    expect((await statusOf(pointsman)).workers[0]!.stuckSeconds).toBeGreaterThan(0);
    expect(await pointsman.line('worker-killed')).toContain('reason="no answer for 2000 ms"');
    await pointsman.line('worker-ready');
    const { refused, lost } = await load;
    expect(refused + lost).toBe(0);
  });
});

describe('a supervisor that is killed', () => {
  test('leaves no workers behind, and another can take its place', async () => {
    await using endpoint = await answering(0);
    const [port = 0] = await freePorts(1);
    const listener = { name: 'web', address: `127.0.0.1:${port}`, routes: [{ pool: 'api' }] };
    const config = configOf([endpoint.name], { workers: 4, listeners: [listener] });
    const pointsman = await startPointsman(config);
    const pids = pointsman.workerPids;
    expect(pids).toHaveLength(4);
    await pointsman.stop('SIGKILL');
    await until(() => !pids.some(isAlive));
    await using next = await startPointsman(config);
    expect((await ask(next.address(), get('/'))).status).toBe(200);
  });

  test('lets workers finish what takes no longer than a second', async () => {
    await using endpoint = await answering(300);
    const pointsman = await startPointsman(configOf([endpoint.name]));
    const answer = ask(pointsman.address(), get('/'));
    await until(() => endpoint.wires.length > 0);
    await pointsman.stop('SIGKILL');
    expect((await answer).status).toBe(200);
  });
});

describe('two at one address', () => {
  test('the second says that it is taken, although sockets are shared among workers', async () => {
    await using endpoint = await answering(0);
    await using first = await startPointsman(configOf([endpoint.name]));
    const { host, port } = first.address();
    const second = startPointsman(
      configOf([endpoint.name], {
        listeners: [{ name: 'web', address: `${host}:${port}`, routes: [{ pool: 'api' }] }],
      }),
    );
    expect(second).rejects.toThrow(/listener web: cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE/);
    await second.catch(() => {});
  });
});

describe('stopping', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('by %s to all processes drains every worker', async (signal) => {
    await using endpoint = await HeldEndpoint.start();
    endpoint.hold();
    await using pointsman = await startPointsman(configOf([endpoint.name], { workers: 4 }));
    const answers = Array.from({ length: 24 }, () => ask(pointsman.address(), get('/'), 30_000));
    await endpoint.took(24);
    pointsman.signalGroup(signal);
    await pointsman.line('stopping');
    endpoint.release();
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    expect(await pointsman.exited()).toBe(0);
    expect(pointsman.lines('shutdown-cut')).toEqual([]);
  });

  test('what does not finish is cut in all workers, and summed', async () => {
    await using endpoint = await HeldEndpoint.start();
    endpoint.hold();
    const config = configOf([endpoint.name], { workers: 3, shutdown: { deadline: '200ms' } });
    await using pointsman = await startPointsman(config);
    const lost = Array.from({ length: 12 }, () => ask(pointsman.address(), get('/'), 15_000).catch(() => {}));
    await endpoint.took(12);
    expect(await pointsman.stop()).toBe(0);
    expect(pointsman.lines('shutdown-cut')[0]).toContain('exchanges=12');
    await Promise.all(lost);
  });
});

describe('what workers count', () => {
  test('is summed in status and metrics, and spread over all of them', async () => {
    await using endpoint = await answering(0);
    await using pointsman = await startPointsman(configOf([endpoint.name], { workers: 4 }));
    const wires = await Promise.all(Array.from({ length: 300 }, () => dial(pointsman.address())));
    for (const wire of wires) wire.send(get('/'));
    for (const wire of wires) expect((await wire.answer()).status).toBe(200);
    const pool = await poolOf(pointsman);
    expect([pool.requests, pool.active, pool.endpoints[0]!.requests]).toEqual([300, 0, 300]);
    expect(await metricOf(pointsman, 'pointsman_listener_requests_total{listener="web"}')).toBe(300);
    const { workers } = await statusOf(pointsman);
    const open = workers.map(({ connections }) => connections);
    expect(open.reduce((sum, count) => sum + count)).toBe(300);
    // 75 each on average. That any has 30 or less, six standard deviations below, has a chance of
    // 4 x P(B(300, 1/4) <= 30), below 2e-10.
    expect(Math.min(...open)).toBeGreaterThan(30);
    for (const wire of wires) wire.close();
  });
});
