import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runCommandLine } from './program.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-diff-'));
  const write = (name: string, config: object): void =>
    writeFileSync(join(directory, name), JSON.stringify(config));
  const web = { name: 'web', address: ':8080', routes: [{ pool: 'web' }] };
  const old = { name: 'old', address: ':8081', routes: [{ pool: 'web' }] };
  const pool = { name: 'web', endpoints: ['10.0.0.1:80', '10.0.0.2:80'] };
  write('a.json', { listeners: [web, old], pools: [pool] });
  write('b.json', {
    workers: 2,
    listeners: [web],
    pools: [{ ...pool, policy: 'first', endpoints: ['10.0.0.2:80', '10.0.0.3:80'] }],
  });
  write('bad.json', { listeners: [] });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function pointsman(line: string) {
  let out = '';
  let err = '';
  const code = await runCommandLine(line.split(' '), {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    directory,
    outColor: false,
    errColor: false,
  });
  return { code, out, err };
}

test('says what changes, what that does and what is not touched', async () => {
  expect(await pointsman('diff a.json b.json')).toEqual({
    code: 1,
    err: '',
    out: `~ setting workers changed (workers)
    workers that are too many finish what they have and end; new ones take connections when they are ready
- listener old removed
    accepts no more; each connection ends with its next response, tunnels and sessions when they end by themselves
~ pool web changed (policy)
    its endpoints keep health, counters and connections
+ endpoint web/10.0.0.3:80 added
    takes requests, and its checks begin
- endpoint web/10.0.0.1:80 removed
    gets nothing new; what is under way finishes, idle connections close
5 changes; 1 listener, 0 pools, 1 endpoint untouched
`,
  });
});

test('the same ends with 0', async () => {
  const { code, out } = await pointsman('diff a.json a.json');
  expect([code, out]).toEqual([0, 'no difference; 2 listeners, 1 pool, 2 endpoints untouched\n']);
});

test('as JSON', async () => {
  const { code, out } = await pointsman('diff a.json b.json --json');
  const report = JSON.parse(out) as { kept: unknown; changes: object[] };
  expect([code, report.kept]).toEqual([1, { listeners: 1, pools: 0, endpoints: 1 }]);
  expect(report.changes[1]).toMatchObject({
    object: 'listener',
    name: 'old',
    change: 'removed',
    touches: null,
  });
});

test('a wrong configuration, or nobody to ask, ends with 2', async () => {
  const bad = await pointsman('diff a.json bad.json');
  expect([bad.code, bad.out]).toEqual([2, '']);
  expect(bad.err).toContain('bad.json:1:14: listeners: needs at least 1 item');
  const nobody = await pointsman('diff a.json b.json --admin 127.0.0.1:1');
  expect([nobody.code, nobody.out]).toEqual([2, '']);
  expect(nobody.err).toContain('nothing listens at 127.0.0.1:1');
});
