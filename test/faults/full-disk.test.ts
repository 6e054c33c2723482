import { describe, expect, test } from 'bun:test';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { get, startFront } from '../support/front.ts';
import { faultTest, InjectedFault } from '../support/injected-fault.ts';
import { PROGRAM, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { ask, dial } from '../support/wire.ts';

const WRITES = 'write,writev,pwrite64,pwritev';

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it did not come about');
    await Bun.sleep(20);
  }
}

describe('a full disk', () => {
  faultTest(
    'under the access log: requests are served, it is said once, and written when there is room',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'pointsman-test-'));
      const path = join(directory, 'access.log');
      await using endpoint = await ScriptedEndpoint.start();
      await using pointsman = await startPointsman({
        accessLog: { path, format: 'common' },
        listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
        pools: [{ name: 'web', endpoints: [endpoint.name] }],
      });
      const client = await dial(pointsman.address());
      const serve = async (target: string): Promise<void> => {
        client.send(get(target));
        expect((await client.answer()).status).toBe(200);
      };
      const log = (): string => readFileSync(path, 'utf8');
      await serve('/before');
      await until(() => log().includes('/before'));
      await using fault = await InjectedFault.begin(pointsman.workerPids.at(-1)!, WRITES, 'ENOSPC', path);
      for (let round = 0; round < 20; round++) await serve(`/meanwhile${round}`);
      await until(() => pointsman.lines('access-log.trouble').length > 0);
      await Bun.sleep(2000);
      // It is tried now and then, not all the time.
      expect(fault.count).toBeLessThan(50);
      expect(pointsman.lines('access-log.trouble')).toHaveLength(1);
      expect(log()).not.toContain('/meanwhile');
      await fault.end();
      await serve('/after');
      await until(() => log().includes('/after'));
      expect(log().match(/meanwhile/g)).toHaveLength(20);
      await until(() => pointsman.lines('access-log.recovered').length === 1);
      client.close();
      rmSync(directory, { recursive: true, force: true });
    },
    30_000,
  );

  test('under its own log: it starts, serves and stops', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pointsman-test-'));
    const file = join(directory, 'pointsman.json');
    const [port = 0] = await freePorts(1);
    await using endpoint = await ScriptedEndpoint.start();
    const config: TestConfig = {
      listeners: [{ name: 'web', address: `127.0.0.1:${port}`, routes: [{ pool: 'web' }] }],
      pools: [{ name: 'web', endpoints: [endpoint.name] }],
    };
    writeFileSync(file, JSON.stringify({ workers: 1, admin: false, ...config }));
    const full = openSync('/dev/full', 'w');
    const program = Bun.spawn([PROGRAM, 'run', '-c', file], { stdin: 'ignore', stdout: full, stderr: full });
    closeSync(full);
    const address = { host: '127.0.0.1', port };
    for (let tries = 0; tries < 500; tries++) {
      const wire = await dial(address).catch(() => undefined);
      wire?.close();
      if (wire !== undefined) break;
      await Bun.sleep(20);
    }
    for (let round = 0; round < 20; round++) expect((await ask(address, get('/x'))).status).toBe(200);
    expect(program.exitCode).toBeNull();
    program.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    rmSync(directory, { recursive: true, force: true });
  }, 30_000);

  faultTest(
    'under the memory that processes share: a reload is refused and says why, the next is not',
    async () => {
      await using endpoint = await ScriptedEndpoint.start();
      await using pointsman = await startFront([endpoint]);
      const web = { name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] };
      const pools = Array.from({ length: 50 }, (_, index) => ({
        name: index === 0 ? 'web' : `more${index}`,
        endpoints: [endpoint.name],
      }));
      await using fault = await InjectedFault.begin(pointsman.pid, 'pwrite64', 'ENOSPC');
      const said = await pointsman.reload({ listeners: [web], pools });
      expect(fault.count).toBeGreaterThan(0);
      await fault.end();
      expect(said).toContain('reload-refused');
      expect(said).toMatch(/room|ENOSPC|space/);
      expect((await ask(pointsman.address(), get('/x'))).status).toBe(200);
      expect(await pointsman.reload({ listeners: [web], pools })).toContain('reloaded');
      expect((await ask(pointsman.address(), get('/x'))).status).toBe(200);
    },
    30_000,
  );
});
