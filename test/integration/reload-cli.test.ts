import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { runCommandLine } from '../../src/cli/program.ts';
import { get } from '../support/front.ts';
import { HeldEndpoint } from '../support/held-endpoint.ts';
import { Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { ask, dial } from '../support/wire.ts';

let endpoint: HeldEndpoint;
beforeAll(async () => {
  endpoint = await HeldEndpoint.start('a');
});
afterAll(() => endpoint[Symbol.asyncDispose]());

async function command(directory: string, ...words: string[]) {
  let out = '';
  let err = '';
  const code = await runCommandLine(words, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    directory,
    outColor: false,
    errColor: false,
  });
  return { code, out, err };
}

function configOf(more: object = {}): TestConfig {
  return {
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'api' }] }],
    pools: [{ name: 'api', endpoints: [endpoint.name], ...more }],
  };
}

test('pointsman reload puts it into force, or says why not', async () => {
  await using pointsman = await startPointsman(configOf());
  const { file } = pointsman;
  const directory = dirname(file);
  const write = (config: TestConfig) =>
    writeFileSync(file, JSON.stringify({ workers: 1, admin: { address: '127.0.0.1:0' }, ...config }));
  write(configOf({ policy: 'first' }));
  const admin = ['--admin', pointsman.admin];
  expect(await command(directory, 'reload', ...admin)).toEqual({
    code: 0,
    out: 'pool api changed (policy)\nrevision 2 is in force: 1 change\n',
    err: '',
  });
  expect((await command(directory, 'reload', ...admin)).out).toBe(
    'revision 2 is in force: nothing to change\n',
  );
  write(configOf({ policy: 'frist' }));
  const wrong = await command(directory, 'reload', ...admin);
  expect([wrong.code, wrong.out]).toEqual([2, '']);
  expect(wrong.err).toContain('did you mean "first"?');
  expect(wrong.err).toContain('error: the configuration has 1 problem; revision 2 stays in force');
  const json = await command(directory, 'reload', ...admin, '--json');
  expect([json.code, JSON.parse(json.out)]).toMatchObject([2, { outcome: 'refused', reason: 'config' }]);
  write({ listeners: [{ name: 'web', address: '192.0.2.1:80', routes: [{ reply: { status: 204 } }] }] });
  const unbound = await command(directory, 'reload', ...admin);
  expect([unbound.code, unbound.out]).toEqual([1, '']);
  expect(unbound.err).toContain('cannot listen on 192.0.2.1:80: EADDRNOTAVAIL');
  expect((await ask(pointsman.address(), get('/'))).status).toBe(200);
});

test('pointsman diff counts what is under way', async () => {
  await using pointsman = await startPointsman(configOf());
  const directory = dirname(pointsman.file);
  writeFileSync(join(directory, 'new.json'), JSON.stringify(configOf({ endpoints: ['127.0.0.1:1'] })));
  const before = endpoint.taken.length;
  endpoint.hold();
  const wire = await dial(pointsman.address());
  wire.send(get('/held'));
  await endpoint.took(before + 1);
  const { out } = await command(directory, 'diff', pointsman.file, 'new.json', '--admin', pointsman.admin);
  expect(out).toContain(`- endpoint api/${endpoint.name} removed`);
  expect(out).toContain('now: 1 connection, 0 tunnels, 1 request under way');
  endpoint.release();
  expect((await wire.answer()).status).toBe(200);
  wire.close();
});

test('nobody answers', async () => {
  const { code, err } = await command('/', 'reload', '--admin', '127.0.0.1:1');
  expect([code, err]).toEqual([
    1,
    'error: nothing listens at 127.0.0.1:1; is Pointsman running? --admin says where its admin interface is\n',
  ]);
});

test('one that was started without a file has nothing to reload', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-test-'));
  const args = ['run', '--listen', '127.0.0.1:0', '--to', endpoint.name, '--admin', '127.0.0.1:0'];
  await using pointsman = new Pointsman(directory, args, {});
  await pointsman.started(['admin']);
  const { code, err } = await command(directory, 'reload', '--admin', pointsman.admin);
  expect([code, err]).toEqual([
    1,
    'error: the configuration came from the command line; there is no file to read; revision 1 stays in force\n',
  ]);
});
