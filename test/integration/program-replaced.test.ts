import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'bun:test';

import type { StatusReport } from '../../src/admin/status-report.ts';
import { cli } from '../support/cli.ts';
import { get } from '../support/front.ts';
import { startPointsman, type TestConfig } from '../support/pointsman.ts';
import { untilTrue } from '../support/services.ts';
import { ask } from '../support/wire.ts';

const ROOT = join(import.meta.dir, '../..');

/** An installation of its own, whose files may be replaced. */
class Installation implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'pointsman-installed-'));

  constructor() {
    for (const part of ['src', 'bin', 'package.json'])
      cpSync(join(ROOT, part), join(this.folder, part), { recursive: true, verbatimSymlinks: true });
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** The program that is installed now counts in another way. */
  replace(): void {
    const file = join(this.folder, 'src/model/shared/layout.ts');
    const before = readFileSync(file, 'utf8');
    const after = before.replace('const VERSION = 1;', 'const VERSION = 1000;');
    expect(after).not.toBe(before);
    writeFileSync(file, after);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

test('files of another version do no harm to a running Pointsman: workers go on with the old code until an upgrade', async () => {
  using installation = new Installation();
  const listener = { name: 'web', address: '127.0.0.1:0', routes: [{ reply: { status: 200, body: 'ok' } }] };
  const config: TestConfig = { workers: 2, log: { level: 'debug' }, listeners: [listener] };
  const program = join(installation.folder, 'bin/pointsman');
  await using pointsman = await startPointsman(config, { program });
  const status = async (): Promise<StatusReport> =>
    (await (await fetch(`${pointsman.admin}/api/v1/status`, { keepalive: false })).json()) as StatusReport;
  await pointsman.line('worker-code-kept');
  installation.replace();
  for (const [round, victim] of pointsman.workerPids.entries()) {
    process.kill(victim, 'SIGKILL');
    await untilTrue('a worker in its place', async () => {
      const { workers } = await status();
      return (
        workers.filter(({ state, restarts }) => state === 'ready' && restarts === 1).length === round + 1
      );
    });
  }
  expect(pointsman.lines('program-replaced')).toHaveLength(1);
  expect(pointsman.lines('program-replaced')[0]).toContain('pointsman upgrade');
  for (let count = 0; count < 20; count++)
    expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  const upgraded = await cli(['upgrade', '--admin', new URL(pointsman.admin).host, '--json']);
  expect([upgraded.code, upgraded.err]).toEqual([0, '']);
  const { pid } = JSON.parse(upgraded.out) as { pid: number };
  try {
    await untilTrue('the next process', async () => (await status().catch(() => undefined))?.pid === pid);
    expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
  } finally {
    process.kill(pid, 'SIGKILL');
  }
}, 60_000);
