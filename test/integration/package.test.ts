import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import manifest from '../../package.json';

/** What "npm pack" puts together runs by itself, installed as npm lays it out: beside its dependencies, with a link in .bin. */

const root = new URL('../..', import.meta.url).pathname;
let directory: string;
let program: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-package-'));
  const pack = Bun.spawnSync(['npm', 'pack', '--silent', '--pack-destination', directory], { cwd: root });
  expect(pack.stderr.toString() + pack.exitCode).toEndWith('0');
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  const tarball = join(directory, `pointsman-${manifest.version}.tgz`);
  expect(Bun.spawnSync(['tar', '-xzf', tarball, '-C', modules]).exitCode).toBe(0);
  Bun.spawnSync(['mv', join(modules, 'package'), join(modules, 'pointsman')]);
  program = join(modules, '.bin/pointsman');
  symlinkSync('../pointsman/bin/pointsman', program);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function pointsman(...words: readonly string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync([program, ...words], {
    cwd: directory,
    stdin: 'ignore',
  });
  return `${exitCode}: ${stdout.toString()}${stderr.toString()}`;
}

test('it holds the program, its unit, its pages, and no tests', () => {
  const files = [...new Bun.Glob('**').scanSync({ cwd: join(directory, 'node_modules/pointsman') })];
  expect(files).toContain('packaging/pointsman.service');
  expect(files).toContain('docs/guide/first-ten-minutes.md');
  expect(files).toContain('LICENSE');
  expect(files.filter((file) => file.includes('.test.'))).toEqual([]);
  expect(existsSync(join(directory, 'node_modules/pointsman/test'))).toBe(false);
});

test('its commands work, also for a configuration in TypeScript that lies elsewhere', () => {
  expect(pointsman('--version')).toBe(`0: ${manifest.version}\n`);
  writeFileSync(
    join(directory, 'pointsman.config.ts'),
    `import { defineConfig } from 'pointsman';
export default defineConfig({ listeners: [{ name: 'web', address: ':8080', routes: [{ reply: { status: 200 } }] }] });
`,
  );
  expect(pointsman('check')).toBe('0: pointsman.config.ts: ok: 1 listener, 1 route, 0 pools, 0 endpoints\n');
});

test('it serves', async () => {
  const file = join(directory, 'serve.yaml');
  writeFileSync(
    file,
    `workers: 1
admin: false
listeners: [{ name: web, address: "127.0.0.1:0", routes: [{ reply: { status: 200, body: "from a package" } }] }]
`,
  );
  const running = Bun.spawn([program, 'run', '-c', file], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  });
  try {
    let log = '';
    let address: string | undefined;
    const decoder = new TextDecoder();
    for await (const chunk of running.stderr) {
      log += decoder.decode(chunk, { stream: true });
      address = /listening listener=web address=(\S+)/.exec(log)?.[1];
      if (address !== undefined) break;
    }
    expect([address === undefined, log]).toEqual([false, expect.stringContaining('started')]);
    expect(await (await fetch(`http://${address}/`)).text()).toBe('from a package');
    running.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  } finally {
    running.kill('SIGKILL');
    await running.exited;
  }
});
