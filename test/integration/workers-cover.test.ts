import { describe, expect, test } from 'bun:test';

import type { StatusReport } from '../../src/admin/status-report.ts';
import { get } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { untilTrue } from '../support/services.ts';
import { UdpClient, UdpEndpoint } from '../support/udp-peers.ts';
import { ask, type HostPort } from '../support/wire.ts';

/** Of one request. Those that wait for the cover take some two seconds when the machine has time. */
const LONG_WAIT_MS = 10_000;

type ListenerInput = TestConfig['listeners'][number];

function web(name: string): ListenerInput {
  return { name, address: '127.0.0.1:0', routes: [{ pool: 'api' }] };
}

function configOf(endpoint: string, more: Partial<TestConfig> = {}): TestConfig {
  return {
    workers: 2,
    listeners: [web('web')],
    pools: [{ name: 'api', endpoints: [endpoint] }],
    workerWatchdog: { warnAfter: '1s', killAfter: '30s' },
    ...more,
  };
}

/** Kills whoever is in a place, again and again, before it can accept anything. */
class CrashLoop {
  readonly #pointsman: Pointsman;
  readonly #survivor: number;
  readonly #timer: Timer;

  constructor(pointsman: Pointsman) {
    this.#pointsman = pointsman;
    const [victim, survivor] = pointsman.workerPids;
    this.#survivor = survivor!;
    process.kill(victim!, 'SIGKILL');
    this.#timer = setInterval(() => this.#strike(), 3);
  }

  #strike(): void {
    for (const pid of this.#pointsman.workerPids) {
      if (pid === this.#survivor) continue;
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    }
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

interface Tally {
  answered: number;
  readonly failures: string[];
  slowestMs: number;
}

/** Opens a connection with one request every `everyMs` until `over`, and more than `least` were answered; then waits for all answers. */
async function load(address: HostPort, everyMs: number, over: Promise<unknown>, least = 0): Promise<Tally> {
  const tally: Tally = { answered: 0, failures: [], slowestMs: 0 };
  const one = async (): Promise<void> => {
    const startMs = performance.now();
    try {
      const { status } = await ask(address, get('/', 'Connection: close'), 15_000);
      if (status === 200) tally.answered++;
      else tally.failures.push(`status ${status}`);
    } catch (error) {
      tally.failures.push(String(error));
    }
    tally.slowestMs = Math.max(tally.slowestMs, performance.now() - startMs);
  };
  const asked: Promise<void>[] = [];
  const timer = setInterval(() => asked.push(one()), everyMs);
  try {
    await over;
    await untilTrue('enough answers', () => tally.answered > least || tally.failures.length > 0);
  } finally {
    clearInterval(timer);
  }
  await Promise.all(asked);
  return tally;
}

async function firstWorker({ admin }: Pointsman): Promise<StatusReport['workers'][number]> {
  const { workers } = (await (await fetch(`${admin}/api/v1/status`)).json()) as StatusReport;
  return workers[0]!;
}

describe('a worker that dies at each start', () => {
  test('costs nobody more than a moment: another accepts for it, and stops when it is back', async () => {
    await using endpoint = await HeldEndpoint.start('ok');
    await using pointsman = await startPointsman(configOf(endpoint.name));
    const loop = new CrashLoop(pointsman);
    const covered = pointsman.line('worker-covered').then(() => Bun.sleep(1000));
    const crashing = load(pointsman.address(), 5, covered, 100);
    expect(await pointsman.line('worker-covered')).toContain('worker=1 by=2');
    expect(await firstWorker(pointsman)).toMatchObject({ coveredBy: 2 });
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    expect(metrics).toContain('pointsman_worker_covered{worker="1"} 1\n');
    const during = await crashing;
    expect(during.failures).toEqual([]);
    expect(during.answered).toBeGreaterThan(100);
    expect(during.slowestMs).toBeLessThan(LONG_WAIT_MS);
    loop.end();
    const after = await load(
      pointsman.address(),
      5,
      pointsman.line('worker-cover-ended').then(() => Bun.sleep(500)),
    );
    expect(after.failures).toEqual([]);
    expect(pointsman.lines('worker-covered')).toHaveLength(1);
    expect(await firstWorker(pointsman)).toMatchObject({ state: 'ready', coveredBy: null });
  }, 40_000);

  test('is covered through a reload, UDP too', async () => {
    await using endpoint = await HeldEndpoint.start('ok');
    await using echo = await UdpEndpoint.start('e');
    const pools = [
      { name: 'api', endpoints: [endpoint.name] },
      { name: 'udp', endpoints: [echo.address] },
    ];
    const udp: ListenerInput = { name: 'dgram', address: '127.0.0.1:0', protocol: 'udp', pool: 'udp' };
    const before = configOf(endpoint.name, { pools, listeners: [web('old'), web('kept'), udp] });
    await using pointsman = await startPointsman(before);
    const old = pointsman.address('old');
    const loop = new CrashLoop(pointsman);
    await pointsman.line('worker-covered');
    const talk = async (): Promise<void> => {
      const clients = await Promise.all(
        Array.from({ length: 16 }, () => UdpClient.open(pointsman.address('dgram').port)),
      );
      const answers = await Promise.all(clients.map((client) => client.ask('x')));
      for (const client of clients) client[Symbol.dispose]();
      expect(answers).toEqual(Array.from({ length: 16 }, () => 'e:x'));
    };
    await talk();
    expect(await pointsman.reload({ ...before, listeners: [web('kept'), web('new'), udp] })).toContain(
      'reloaded',
    );
    await pointsman.started(['new']);
    for (const name of ['kept', 'new']) {
      const { failures, answered, slowestMs } = await load(pointsman.address(name), 10, Bun.sleep(500), 10);
      expect(failures).toEqual([]);
      expect(answered).toBeGreaterThan(10);
      expect(slowestMs).toBeLessThan(LONG_WAIT_MS);
    }
    await talk();
    const gone = await ask(old, get('/')).then(
      () => 'answered',
      () => 'refused',
    );
    expect(gone).toBe('refused');
    loop.end();
    await pointsman.line('worker-cover-ended');
    await talk();
    const { failures } = await load(pointsman.address('new'), 10, Bun.sleep(500));
    expect(failures).toEqual([]);
  }, 60_000);
});

describe('a worker that hangs', () => {
  test('is covered until it answers again', async () => {
    await using endpoint = await HeldEndpoint.start('ok');
    await using pointsman = await startPointsman(configOf(endpoint.name));
    const [victim] = pointsman.workerPids;
    process.kill(victim!, 'SIGSTOP');
    const covered = pointsman.line('worker-covered').then(() => Bun.sleep(1000));
    const tally = await load(pointsman.address(), 10, covered, 100);
    expect(tally.failures).toEqual([]);
    expect(tally.answered).toBeGreaterThan(100);
    // Asked once a second, and covered when a second has passed without an answer: nobody waits for the one that hangs.
    expect(tally.slowestMs).toBeLessThan(LONG_WAIT_MS);
    expect(pointsman.lines('worker-covered')[0]).toContain('worker=1 by=2');
    process.kill(victim!, 'SIGCONT');
    expect(await pointsman.line('worker-cover-ended')).toContain('worker=1 by=2');
    const after = await load(pointsman.address(), 10, Bun.sleep(500));
    expect(after.failures).toEqual([]);
    expect(pointsman.workerPids).toContain(victim!);
  }, 40_000);
});
