import { afterEach, describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import type { StatusReport } from '../../src/admin/status-report.ts';
import { cli } from '../support/cli.ts';
import { get } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { ask, dial } from '../support/wire.ts';

const successors: number[] = [];
afterEach(() => {
  for (const pid of successors.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function pidOf({ admin }: Pointsman): Promise<number> {
  try {
    const status = await fetch(`${admin}/api/v1/status`, { keepalive: false });
    return ((await status.json()) as StatusReport).pid;
  } catch {
    return 0;
  }
}

/** Upgrades to the same program; returns its process, which answers the admin interface then. */
async function upgrade(pointsman: Pointsman): Promise<number> {
  const upgraded = await cli(['upgrade', '--admin', new URL(pointsman.admin).host, '--json']);
  expect([upgraded.code, upgraded.err]).toEqual([0, '']);
  const { pid } = JSON.parse(upgraded.out) as { pid: number };
  successors.push(pid);
  await untilTrue('the next process', async () => (await pidOf(pointsman)) === pid);
  return pid;
}

function answering(status: number, name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') break;
      wire.forget();
      wire.send(status === 200 ? plainAnswer(name) : `HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
    }
    wire.close();
  });
}

function webOf(pools: TestConfig['pools']): TestConfig {
  return {
    workers: 2,
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
    pools,
  };
}

describe('what survives an upgrade', () => {
  test('an ejection goes on for the rest of its time', async () => {
    await using good = await answering(200, 'good');
    await using bad = await answering(500, 'bad');
    const pool = {
      name: 'web',
      policy: 'round-robin' as const,
      endpoints: [
        { name: 'good', address: good.name },
        { name: 'bad', address: bad.name },
      ],
      outlierDetection: { consecutiveFailures: 3, ejectFor: '5m' },
    };
    await using pointsman = await startPointsman(webOf([pool]));
    const stateOf = async (name: string): Promise<PoolReport['endpoints'][number]['state']> => {
      const response = await fetch(`${pointsman.admin}/api/v1/pools/web`, { keepalive: false });
      const { endpoints } = (await response.json()) as PoolReport;
      return endpoints.find((endpoint) => endpoint.name === name)!.state;
    };
    await untilTrue('the ejection', async () => {
      await ask(pointsman.address(), get('/'));
      return (await stateOf('bad')).ejected !== null;
    });
    const before = Date.parse((await stateOf('bad')).ejected!.until);
    await upgrade(pointsman);
    expect(Math.abs(Date.parse((await stateOf('bad')).ejected!.until) - before)).toBeLessThan(5000);
    for (let count = 0; count < 20; count++)
      expect((await ask(pointsman.address(), get('/'))).body.toString()).toBe('good');
  }, 60_000);

  test('a session of TCP goes on through two of them, in the process that began it', async () => {
    await using endpoint = await ScriptedEndpoint.start((wire) => {
      wire.socket.on('data', (bytes: Buffer) => wire.socket.write(bytes));
      wire.socket.on('end', () => wire.socket.end());
    });
    const listener = { name: 'raw', address: '127.0.0.1:0', protocol: 'tcp' as const, pool: 'p' };
    const config: TestConfig = {
      workers: 2,
      listeners: [listener],
      pools: [{ name: 'p', endpoints: [endpoint.name] }],
      shutdown: { deadline: '60s' },
    };
    await using pointsman = await startPointsman(config);
    const wire = await dial(pointsman.address());
    let said = '';
    const talks = async (text: string): Promise<void> => {
      wire.send(text);
      said += text;
      await wire.until(() => wire.text === said);
      expect(wire.text).toBe(said);
    };
    await talks('one');
    const first = await upgrade(pointsman);
    await talks('two');
    await upgrade(pointsman);
    await talks('three');
    expect(pointsman.running).toBe(true);
    // The one in the middle had nothing to finish.
    await untilTrue('its end', () => !isAlive(first));
    wire.close();
    expect(await pointsman.exited()).toBe(0);
  }, 60_000);
});

describe('an old process that is killed', () => {
  test('after the new one took over costs nothing: its workers finish what they have', async () => {
    await using endpoint = await HeldEndpoint.start('held');
    await using pointsman = await startPointsman(webOf([{ name: 'web', endpoints: [endpoint.name] }]));
    endpoint.hold();
    const long = await dial(pointsman.address());
    long.send(get('/long'));
    await endpoint.took(1);
    const pid = await upgrade(pointsman);
    expect(pointsman.running).toBe(true);
    pointsman.signal('SIGKILL');
    await Bun.sleep(2000);
    endpoint.release();
    expect((await long.answer()).status).toBe(200);
    for (let count = 0; count < 20; count++)
      expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
    expect(await pidOf(pointsman)).toBe(pid);
  }, 60_000);

  test('in the middle leaves either a whole new one or nothing', async () => {
    for (const delayMs of [0, 100, 200, 300, 400]) {
      await using endpoint = await answering(200, 'ok');
      await using pointsman = await startPointsman(webOf([{ name: 'web', endpoints: [endpoint.name] }]));
      const { host, port } = pointsman.address();
      pointsman.signal('SIGUSR2');
      await pointsman.line('upgrading');
      await Bun.sleep(delayMs);
      // On a quick machine the upgrade is over before the longest of the delays.
      if (pointsman.running) pointsman.signal('SIGKILL');
      let whole = false;
      await untilTrue('an end of it', async () => {
        const pid = await pidOf(pointsman);
        whole = pid !== 0 && pid !== pointsman.pid;
        if (whole) successors.push(pid);
        const refused = await dial({ host, port }).then(
          (wire) => (wire.close(), false),
          () => true,
        );
        return whole || refused;
      });
      if (!whole) continue;
      for (let count = 0; count < 10; count++) expect((await ask({ host, port }, get('/'))).status).toBe(200);
    }
  }, 120_000);
});
