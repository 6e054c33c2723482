import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { cpuMsOf } from '../../test/support/cpu-time.ts';
import { formatIssue } from './issue.ts';
import { loadConfig, type LoadResult, loadYaml } from './load.ts';
import { readFailure } from './read-failure.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-config-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function written(name: string, text: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** What is said of a file, without the directory it lies in. */
async function said(path: string): Promise<string[]> {
  const result = await loadConfig(path);
  const lines = result.ok ? [] : result.issues.map((issue) => formatIssue(issue));
  return lines.map((line) => line.replaceAll(`${directory}/`, ''));
}

const GOOD = {
  listeners: [{ name: 'web', address: ':8080', routes: [{ pool: 'web' }] }],
  pools: [{ name: 'web', endpoints: ['10.0.0.1:3000'] }],
};

describe('loadConfig', () => {
  test('reads YAML and fills in the defaults, durations in milliseconds and sizes in bytes', async () => {
    const result = await loadConfig(
      written(
        'good.yaml',
        'listeners: [{ name: web, address: ":8080", routes: [{ reply: { status: 204 } }] }]\n',
      ),
    );
    expect(result).toMatchObject({
      ok: true,
      warnings: [],
      config: {
        workers: 'auto',
        admin: { address: { host: '127.0.0.1', port: 9900 } },
        listeners: [
          {
            address: { host: '0.0.0.0', port: 8080 },
            protocol: 'http',
            timeouts: { requestHead: 10_000, idle: 75_000 },
            limits: { headerBytes: 32_768 },
          },
        ],
        pools: [],
      },
    });
  });

  test('reads JSON, also with tabs, a byte order mark and CRLF', async () => {
    const text = `\ufeff${JSON.stringify(GOOD, undefined, '\t')}`.replaceAll('\n', '\r\n');
    expect(await loadConfig(written('good.json', text))).toMatchObject({ ok: true });
  });

  test('gives the place of a mistake in JSON', async () => {
    const text = JSON.stringify({ ...GOOD, workers: 'many' }, undefined, 2);
    expect(await said(written('bad.json', text))).toEqual([
      'bad.json:21:14: workers: "many" is not valid here; expected auto or a whole number',
    ]);
  });

  test('takes anchors and merge keys as they are meant', async () => {
    const text = `
listeners: [{ name: web, address: ":8080", routes: [{ split: [{ pool: a, weight: 1 }, { pool: b, weight: 1 }] }] }]
pools:
  - &a
    name: a
    endpoints: [10.0.0.1:80]
    queue: { size: 5 }
  - <<: *a
    name: b
`;
    expect(loadYaml(text, 'f')).toMatchObject({
      ok: true,
      config: {
        pools: [
          { name: 'a', queue: { size: 5 } },
          { name: 'b', queue: { size: 5 } },
        ],
      },
    });
  });

  test('runs a TypeScript module, which may import pointsman wherever it lies', async () => {
    const text = `import { defineConfig } from 'pointsman';
      const ports: number[] = [3000, 3001];
      export default defineConfig({
        listeners: [{ name: 'web', address: ':8080', routes: [{ pool: 'web' }] }],
        pools: [{ name: 'web', endpoints: ports.map((port) => \`10.0.0.1:\${port}\`) }],
      });`;
    expect(await loadConfig(written('good.config.ts', text))).toMatchObject({
      ok: true,
      config: { pools: [{ endpoints: [{ name: '10.0.0.1:3000' }, { name: '10.0.0.1:3001' }] }] },
    });
  });

  test('runs a changed module again', async () => {
    const path = written('changing.config.ts', `export default ${JSON.stringify({ ...GOOD, workers: 2 })};`);
    expect(await loadConfig(path)).toMatchObject({ ok: true, config: { workers: 2 } });
    written('changing.config.ts', `export default ${JSON.stringify({ ...GOOD, workers: 3 })};`);
    expect(await loadConfig(path)).toMatchObject({ ok: true, config: { workers: 3 } });
  });

  test('runs what a module imports again, too, and stops its timers', async () => {
    const path = written(
      'importing.config.ts',
      `import workers from './workers.ts';
       setInterval(() => undefined, 1);
       export default { ...${JSON.stringify(GOOD)}, workers };`,
    );
    written('workers.ts', 'export default 2;');
    expect(await loadConfig(path)).toMatchObject({ ok: true, config: { workers: 2 } });
    written('workers.ts', 'export default 3;');
    expect(await loadConfig(path)).toMatchObject({ ok: true, config: { workers: 3 } });
  });

  test('lists what is wrong in a module by its path', async () => {
    const config = { ...GOOD, listeners: [{ ...GOOD.listeners[0], routes: [{ pool: 'wbe' }] }], wrokers: 1 };
    expect(await said(written('wrong.config.ts', `export default ${JSON.stringify(config)};`))).toEqual([
      'wrong.config.ts: wrokers: unknown key "wrokers"; did you mean "workers"?',
      'wrong.config.ts: listeners[0].routes[0].pool: there is no pool "wbe"; did you mean "web"? (pools: web)',
    ]);
  });

  test.each([
    ['syntax.ts', 'export default {', 'syntax.ts:1:16: Expected identifier but found end of file'],
    ['throws.ts', 'throw new Error("no");', 'throws.ts: no'],
    [
      'nothing.ts',
      'export const a = 1;',
      'nothing.ts: there is no default export; write export default defineConfig({ ... })',
    ],
    [
      'function.ts',
      'export default () => ({});',
      'function.ts: the default export is not an object; write export default defineConfig({ ... })',
    ],
    [
      'imports.ts',
      "import './gone.ts';",
      "imports.ts: Cannot find module './gone.ts' imported from imports.ts",
    ],
  ])('says why %s cannot be loaded', async (name, text, expected) => {
    expect(await said(written(name, text))).toEqual([expected]);
  });

  test('says why a file cannot be read', async () => {
    mkdirSync(join(directory, 'folder.yaml'));
    mkdirSync(join(directory, 'folder.ts'));
    symlinkSync('loop.yaml', join(directory, 'loop.yaml'));
    expect(await said(join(directory, 'gone.yaml'))).toEqual(['gone.yaml: there is no such file']);
    expect(await said(join(directory, 'gone.ts'))).toEqual(['gone.ts: there is no such file']);
    expect(await said(join(directory, 'folder.yaml'))).toEqual([
      'folder.yaml: this is a directory; name a file in it',
    ]);
    expect(await said(join(directory, 'folder.ts'))).toEqual(['folder.ts: this is a directory']);
    expect(await said(join(directory, 'loop.yaml'))).toEqual([
      'loop.yaml: symbolic links go round in circles',
    ]);
    expect(await said('/dev/zero')).toEqual(['/dev/zero: this is a device']);
    expect(await said(written('binary.yaml', Buffer.from([0x61, 0xff, 0xfe])))).toEqual([
      'binary.yaml: the file is not UTF-8 text',
    ]);
  });

  test('says so when a file may not be read', () => {
    expect(readFailure(Object.assign(new Error('EACCES'), { code: 'EACCES' }))).toEqual({
      message: 'the file may not be read',
      hint: expect.stringMatching(/^user \S+ needs the right to$/),
    });
  });
});

describe('bounds', () => {
  test.each([
    ['lists', '['.repeat(100_000), 'f:1:201'],
    ['maps', 'a: {'.repeat(100_000), 'f:1:804'],
    ['items', '- '.repeat(100_000), 'f:1:401'],
    ['keys', '? '.repeat(100_000), 'f:1:401'],
  ])('refuses %s that are nested without end', (_, text, place) => {
    const result = loadYaml(text, 'f');
    expect(result.ok ? [] : result.issues.map((issue) => formatIssue(issue))).toEqual([
      `${place}: the file is nested too deeply`,
    ]);
  });

  test('loads 10 000 routes with 3 seconds of a processor', () => {
    let text =
      'pools: [{ name: web, endpoints: [10.0.0.1:80] }]\nlisteners:\n- name: web\n  address: :8080\n  routes:\n';
    for (let route = 0; route < 10_000; route++) {
      text += `  - match:\n      host: h${route}.example.com\n      path: /api/${route}/*\n    pool: web\n`;
    }
    let result: LoadResult | undefined;
    const tookMs = cpuMsOf(() => {
      result = loadYaml(text, 'f');
    });
    expect(result).toMatchObject({ ok: true, warnings: [] });
    expect(tookMs).toBeLessThan(3000);
  }, 60_000);

  test('explains 10 000 wrong routes with 5 seconds of a processor', () => {
    let text =
      'pools: [{ name: web, endpoints: [10.0.0.1:80] }]\nlisteners:\n- name: web\n  address: :8080\n  routes:\n';
    for (let route = 0; route < 10_000; route++) text += `  - { match: { path: api }, pool: wbe }\n`;
    let result: LoadResult | undefined;
    const tookMs = cpuMsOf(() => {
      result = loadYaml(text, 'f');
    });
    expect(result?.ok === false ? result.issues.length : 0).toBe(20_000);
    expect(tookMs).toBeLessThan(5000);
  }, 60_000);
});
