import { describe, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { WebSocket, WebSocketServer } from 'ws';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import type { StatusReport } from '../../src/admin/status-report.ts';
import type { UpgradeResult } from '../../src/model/control.ts';
import { opensslTalk, TestCa } from '../support/certificates.ts';
import { startEndpoints } from '../support/endpoint-process.ts';
import { get } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { failed, Load, summary } from '../support/load.ts';
import { type Pointsman, PROGRAM, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { cli } from '../support/cli.ts';
import { freePorts } from '../support/free-ports.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { UdpClient, UdpEndpoint } from '../support/udp-peers.ts';
import { ask, dial } from '../support/wire.ts';

function configOf(endpoints: readonly string[], more: Partial<TestConfig> = {}): TestConfig {
  return {
    workers: 2,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
    pools: [{ name: 'web', policy: 'round-robin', endpoints: [...endpoints] }],
    ...more,
  };
}

async function until(holds: () => Promise<boolean> | boolean, timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to that');
    await Bun.sleep(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Ends those that took over; their workers end with them. */
class Successors implements Disposable {
  readonly #pids: number[] = [];

  async upgrade(pointsman: Pointsman, query = ''): Promise<UpgradeResult> {
    const response = await fetch(`${pointsman.admin}/api/v1/upgrade${query}`, { method: 'POST' });
    const result = (await response.json()) as UpgradeResult;
    if (result.outcome === 'upgraded') {
      this.add(result.pid);
      await until(() => adminOf(pointsman, result.pid));
    }
    return result;
  }

  add(pid: number): void {
    this.#pids.push(pid);
  }

  [Symbol.dispose](): void {
    for (const pid of this.#pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
}

/** Whether that process answers the admin API. */
async function adminOf(pointsman: Pointsman, pid: number): Promise<boolean> {
  try {
    return (await statusOf(pointsman)).pid === pid;
  } catch {
    return false;
  }
}

async function statusOf({ admin }: Pointsman): Promise<StatusReport> {
  return (await (await fetch(`${admin}/api/v1/status`, { keepalive: false })).json()) as StatusReport;
}

async function poolOf({ admin }: Pointsman): Promise<PoolReport> {
  return (await (await fetch(`${admin}/api/v1/pools/web`, { keepalive: false })).json()) as PoolReport;
}

async function patch({ admin }: Pointsman, endpoint: string, change: object): Promise<number> {
  const response = await fetch(`${admin}/api/v1/pools/web/endpoints/${endpoint}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(change),
  });
  await response.text();
  return response.status;
}

describe('upgrade', () => {
  test('three in a row under load: nobody is refused, no request fails', async () => {
    await using processes = await startEndpoints(2);
    await using pointsman = await startPointsman(configOf(processes.all.map(({ address }) => address)));
    using successors = new Successors();
    const load = new Load({ address: pointsman.address(), ratePerSecond: 200, freshShare: 0.5 });
    await Bun.sleep(200);
    const pids = [pointsman.pid];
    for (let round = 0; round < 3; round++) {
      const result = await successors.upgrade(pointsman);
      expect(result).toMatchObject({ outcome: 'upgraded', revision: round + 2 });
      if (result.outcome === 'upgraded') pids.push(result.pid);
      await Bun.sleep(200);
    }
    await until(() => load.shots.length > 200);
    const shots = await load.stop();
    expect(shots.length).toBeGreaterThan(200);
    expect(summary(failed(shots))).toBe('');
    expect(new Set(pids).size).toBe(4);
    expect(await pointsman.exited()).toBe(0);
    await until(() => !pids.slice(0, 3).some(isAlive));
    expect((await statusOf(pointsman)).pid).toBe(pids[3]!);
  }, 60_000);

  test('by SIGUSR2; a long request is finished by the old process, and counts as no failure', async () => {
    await using endpoint = await HeldEndpoint.start('slow');
    await using pointsman = await startPointsman(configOf([endpoint.name]));
    using successors = new Successors();
    endpoint.hold();
    const long = await dial(pointsman.address());
    long.send(get('/long'));
    await endpoint.took(1);
    pointsman.signal('SIGUSR2');
    const line = await pointsman.line('upgraded');
    successors.add(Number(/pid=(\d+)/.exec(line)![1]));
    await Bun.sleep(300);
    expect(pointsman.running).toBe(true);
    endpoint.release();
    const answer = await long.answer();
    expect([answer.status, answer.body.toString()]).toEqual([200, 'slow']);
    expect(await pointsman.exited()).toBe(0);
    expect(pointsman.lines('shutdown-cut')).toEqual([]);
    expect((await ask(pointsman.address(), get('/next'))).status).toBe(200);
    // The log goes on where it was; the file was deleted with the first process.
    process.kill(Number(/pid=(\d+)/.exec(line)![1]), 'SIGHUP');
    expect(await pointsman.line('reload-refused')).toContain('the configuration has 1 problem');
  });

  test('a WebSocket gets a Close frame at the deadline', async () => {
    const [port = 0] = await freePorts(1);
    const server = new WebSocketServer({ port, host: '127.0.0.1' });
    const config = configOf([`127.0.0.1:${port}`], { shutdown: { deadline: '400ms' } });
    await using pointsman = await startPointsman(config);
    using successors = new Successors();
    const { host, port: listening } = pointsman.address();
    const socket = new WebSocket(`ws://${host}:${listening}/`);
    await new Promise((resolve) => socket.once('open', resolve));
    const ended = new Promise<number>((resolve) => socket.once('close', resolve));
    const beganMs = performance.now();
    await successors.upgrade(pointsman);
    expect(await ended).toBe(1001);
    expect(performance.now() - beganMs).toBeGreaterThan(400);
    server.close();
  });

  test('drains with their deadlines, weights, members and verdicts survive', async () => {
    await using good = await ScriptedEndpoint.start();
    await using other = await ScriptedEndpoint.start();
    const [deadPort = 0] = await freePorts(1);
    const pools = [
      {
        name: 'web',
        healthCheck: { tcp: {}, interval: '500ms', timeout: '400ms' },
        endpoints: [
          { name: 'good', address: good.name },
          { name: 'other', address: other.name },
          { name: 'dead', address: `127.0.0.1:${deadPort}` },
        ],
      },
    ];
    await using pointsman = await startPointsman(configOf([], { pools }));
    using successors = new Successors();
    await until(async () =>
      (await poolOf(pointsman)).endpoints.every(({ state }) => state.health !== 'unknown'),
    );
    expect(await patch(pointsman, 'good', { weight: 7 })).toBe(200);
    expect(await patch(pointsman, 'other', { state: 'draining', deadline: '60s' })).toBe(200);
    const added = await fetch(`${pointsman.admin}/api/v1/pools/web/endpoints`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'added', address: good.name }),
    });
    expect(added.status).toBe(201);
    const changes = async (): Promise<unknown> =>
      (await fetch(`${pointsman.admin}/api/v1/changes`, { keepalive: false })).json();
    const told = async (): Promise<unknown[]> =>
      (await poolOf(pointsman)).endpoints.map(({ name, weight, drain, state: { admin, health } }) => [
        name,
        weight,
        admin,
        health,
        drain === null,
      ]);
    const deadline = async (): Promise<number> => {
      const other = (await poolOf(pointsman)).endpoints.find(({ name }) => name === 'other');
      return Date.parse(other?.drain?.deadline ?? '');
    };
    await until(async () => (await told()).every((line) => (line as unknown[])[3] !== 'unknown'));
    const before = [await changes(), await told()];
    const deadlineMs = await deadline();
    expect((await successors.upgrade(pointsman)).outcome).toBe('upgraded');
    expect([await changes(), await told()]).toEqual(before);
    // It is told as a length: a little is lost on the way.
    expect(Math.abs((await deadline()) - deadlineMs)).toBeLessThan(2000);
  });

  test('datagrams are answered all the while, by one process or the other', async () => {
    await using endpoint = await UdpEndpoint.start('u');
    const listener = { name: 'in', address: '127.0.0.1:0', protocol: 'udp', pool: 'p' } as const;
    const pools = [{ name: 'p', endpoints: [endpoint.address] }];
    await using pointsman = await startPointsman({ workers: 2, listeners: [listener], pools });
    using successors = new Successors();
    const { port } = pointsman.address('in');
    const load = { stopped: false };
    const asked = Array.from({ length: 8 }, () => 0);
    const clients = asked.map(async (_, index) => {
      using client = await UdpClient.open(port);
      while (!load.stopped) {
        const text = `${index}-${asked[index]!++}`;
        expect(await client.ask(text)).toBe(`u:${text}`);
        await Bun.sleep(2);
      }
    });
    const more = (count: number): Promise<void> => {
      const before = [...asked];
      return until(() => asked.every((now, index) => now > before[index]! + count));
    };
    await more(25);
    expect((await successors.upgrade(pointsman)).outcome).toBe('upgraded');
    await more(50);
    load.stopped = true;
    await Promise.all(clients);
    expect(await pointsman.exited()).toBe(0);
  }, 30_000);

  test('by the command line; a port that is set stays the same for everything', async () => {
    const [web = 0, admin = 0] = await freePorts(2);
    const address = `127.0.0.1:${admin}`;
    const unix = join(mkdtempSync(join(tmpdir(), 'pointsman-upgrade-')), 'admin.sock');
    const listener = { name: 'web', address: `127.0.0.1:${web}`, routes: [{ reply: { status: 200 } }] };
    await using pointsman = await startPointsman({ admin: { address, unix }, listeners: [listener] });
    using successors = new Successors();
    const first = await cli(['upgrade', '--admin', address, '--json']);
    expect([first.code, first.err]).toEqual([0, '']);
    const { pid } = JSON.parse(first.out) as { pid: number };
    successors.add(pid);
    await until(() => adminOf(pointsman, pid));
    const second = await cli(['upgrade', '--admin', `unix:${unix}`]);
    expect(second.out).toMatch(/^process \d+ has taken over: version .*, revision 3\n$/);
    successors.add(Number(/\d+/.exec(second.out)![0]));
    expect((await ask({ host: '127.0.0.1', port: web }, get('/'))).status).toBe(200);
  });

  testWith('openssl')('a TLS session is resumed by the next process', async () => {
    using ca = new TestCa();
    ca.issue('live', { names: ['a.example'] });
    const certificates = [{ cert: ca.file('live.pem'), key: ca.file('live.key') }];
    const listener = { name: 'web', address: '127.0.0.1:0', tls: { certificates } };
    const listeners = [{ ...listener, routes: [{ reply: { status: 200 } }] }];
    await using pointsman = await startPointsman({ workers: 2, listeners });
    using successors = new Successors();
    const { host, port } = pointsman.address();
    const request = 'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';
    const session = ca.file('session');
    const talk = (how: string): Promise<string> =>
      opensslTalk(`s_client -connect ${host}:${port} -servername a.example -ign_eof ${how}`, request);
    expect(await talk(`-sess_out ${session}`)).toContain('New, TLS');
    expect((await successors.upgrade(pointsman)).outcome).toBe('upgraded');
    expect(await talk(`-sess_in ${session}`)).toContain('Reused, TLS');
  });
});

describe('an upgrade that fails', () => {
  /** A path to the program that can be made to lead elsewhere. */
  class Link implements Disposable {
    readonly #folder = mkdtempSync(join(tmpdir(), 'pointsman-upgrade-'));
    readonly path: string = join(this.#folder, 'pointsman');

    constructor() {
      symlinkSync(PROGRAM, this.path);
    }

    script(lines: string): void {
      unlinkSync(this.path);
      writeFileSync(this.path, `#!/bin/sh\n${lines}\n`);
      chmodSync(this.path, 0o755);
    }

    restore(): void {
      unlinkSync(this.path);
      symlinkSync(PROGRAM, this.path);
    }

    [Symbol.dispose](): void {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  test('changes nothing, says why, and can be repeated', async () => {
    await using endpoint = await ScriptedEndpoint.start(async (wire) => {
      while ((await wire.request(60_000)).kind === 'message') wire.send(plainAnswer('ok'));
    });
    using link = new Link();
    const config = configOf([endpoint.name]);
    await using pointsman = await startPointsman(config, { program: link.path });
    using successors = new Successors();
    const kept = await dial(pointsman.address());
    const works = async (): Promise<void> => {
      kept.send(get('/kept'));
      expect((await kept.answer()).status).toBe(200);
      expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
      expect((await statusOf(pointsman)).pid).toBe(pointsman.pid);
    };
    link.script('exit 7');
    expect(await successors.upgrade(pointsman)).toMatchObject({ outcome: 'refused', reason: 'failed' });
    expect(await pointsman.line('upgrade-refused')).toContain('exit code 7');
    await works();
    link.script(`echo 'first line' >&2; exec '${process.execPath}' -e 'const broken ='`);
    const broken = await cli(['upgrade', '--admin', new URL(pointsman.admin).host]);
    expect(broken.code).toBe(1);
    expect(broken.err).toContain('first line\n');
    expect(broken.err).toMatch(/did not take over: it ended with exit code 1: error: .+; the program that/);
    await works();
    link.script('exec /nowhere/bun src/main.ts');
    expect(await successors.upgrade(pointsman)).toMatchObject({
      message: expect.stringContaining('not found'),
    });
    await works();
    unlinkSync(link.path);
    expect(await successors.upgrade(pointsman)).toMatchObject({ reason: 'failed' });
    writeFileSync(link.path, '');
    link.script('exec sleep 60');
    const before = pointsman.lines('upgrading').length;
    const slow = successors.upgrade(pointsman, '?timeout=2s');
    await pointsman.line('upgrading', before);
    const second = await fetch(`${pointsman.admin}/api/v1/upgrade`, { method: 'POST' });
    expect([second.status, ((await second.json()) as { reason: string }).reason]).toEqual([409, 'busy']);
    expect(await patch(pointsman, endpoint.name, { weight: 3 })).toBe(409);
    expect(await slow).toMatchObject({ message: expect.stringContaining('not ready after 2000 ms') });
    expect(await patch(pointsman, endpoint.name, { weight: 3 })).toBe(200);
    await works();
    link.restore();
    writeFileSync(pointsman.file, JSON.stringify({ ...config, listeners: [{ name: 'web' }] }));
    const wrong = await successors.upgrade(pointsman);
    if (wrong.outcome === 'upgraded') throw new Error('it took over');
    expect(wrong.message).toContain('the configuration is wrong');
    expect(wrong.log.join('\n')).toContain('listeners[0]');
    await works();
    writeFileSync(
      pointsman.file,
      JSON.stringify({ admin: { address: '127.0.0.1:0' }, ...config, workers: 4 }),
    );
    expect((await successors.upgrade(pointsman)).outcome).toBe('upgraded');
    expect((await statusOf(pointsman)).workers).toHaveLength(4);
    for (let count = 0; count < 40; count++)
      expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  }, 60_000);
});
