import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { cli, type Ran } from '../support/cli.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';

/** The commands that talk to a running instance: their words, exit codes, and how they find it. */

const TOKEN = 'correct-horse-battery';

let directory: string;
let unix: string;
let pointsman: Pointsman;

const config = (): TestConfig => ({
  admin: { address: '127.0.0.1:0', unix, token: TOKEN },
  listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
  pools: [
    {
      name: 'web',
      endpoints: [
        { name: 'a', address: '127.0.0.1:1' },
        { name: 'b', address: '127.0.0.1:2', weight: 0 },
        { name: 'c', address: '127.0.0.1:3' },
      ],
    },
  ],
});

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-cli-'));
  unix = join(directory, 'p.sock');
  pointsman = await startPointsman(config());
});

afterAll(async () => {
  await pointsman.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** By the unix socket, where no token is needed. */
function local(line: string): Promise<Ran> {
  return cli([...line.split(' '), '--admin', `unix:${unix}`]);
}

/** With times that pass taken out, at their length. */
function steady({ code, out, err }: Ran): Ran {
  const time = /\d{4}-\d\d-\d\dT[\d:]+Z/g;
  const workers = /^1 +ready +\d+ s +0 +0 +\d+$/m;
  const told = out.replaceAll(time, '<----- a time ----->').replace(/up \d+ s/, 'up N s');
  return { code, out: told.replace(/^WORKER .*\n/m, '').replace(workers, 'one worker, ready'), err };
}

describe('what is printed', () => {
  test('from the first look to the last change', async () => {
    expect(steady(await local('status'))).toEqual({
      code: 0,
      err: '',
      out: `Pointsman 0.1.0, revision 1, up N s, ready

POOL/ENDPOINT  STATE     REASON            IN FLIGHT  REQ/S  ERRORS  P99
web                      2 of 3 available          0    0.0       -
  a            open      not checked               0    0.0       -    -
  b            weight 0  not checked               0    0.0       -    -
  c            open      not checked               0    0.0       -    -

one worker, ready
`,
    });
    expect(steady(await local('drain web/a --deadline 10m'))).toEqual({
      code: 0,
      out: 'web/a: draining, empty, until <----- a time ----->\n',
      err: '',
    });
    expect(await local('disable web/c --wait')).toEqual({
      code: 0,
      out: 'web/c: disabled, empty\n',
      err: '',
    });
    expect(await local('weight web/b 4')).toEqual({ code: 0, out: 'web/b: weight 4\n', err: '' });
    expect(await local('endpoints add web 127.0.0.1:4 --name d --weight 2')).toMatchObject({
      out: 'web/d: added\n',
    });
    expect(steady(await local('status')).out).toBe(`Pointsman 0.1.0, revision 1, up N s, ready

POOL/ENDPOINT  STATE     REASON                             IN FLIGHT  REQ/S  ERRORS  P99
web                      2 of 4 available                           0    0.0       -
  a            draining  empty, until <----- a time ----->          0    0.0       -    -
  b            open      not checked                                0    0.0       -    -
  c            disabled  empty                                      0    0.0       -    -
  d            open      not checked                                0    0.0       -    -

one worker, ready

4 changes at run time: see pointsman changes
`);
    expect(await local('enable web/a')).toEqual({ code: 0, out: 'web/a: open, not checked\n', err: '' });
    expect(await local('endpoints remove web/d')).toEqual({ code: 0, out: 'web/d: removed\n', err: '' });
    const listed = await local('changes');
    expect(listed.out.replaceAll(/since \S+/g, 'since then')).toBe(
      `web/c: state disabled (configuration: enabled), by unix, since then
web/b: weight 4 (configuration: 0), by unix, since then
`,
    );
    expect(await local('changes --discard')).toEqual({ code: 0, out: '2 changes discarded\n', err: '' });
    expect((await local('changes')).out).toBe('everything is as the configuration says\n');
  });

  test('as JSON', async () => {
    const status = JSON.parse((await local('status --json')).out) as Record<string, unknown>;
    expect(status).toMatchObject({ ready: true, revision: 1, pools: [{ name: 'web' }] });
    expect(JSON.parse((await local('drain web/a --wait --json')).out)).toMatchObject({
      name: 'a',
      state: { admin: 'draining' },
      drain: { empty: true },
    });
    expect(JSON.parse((await local('weight web/a 3 --json')).out)).toMatchObject({ weight: 3 });
    const added = await local(
      'endpoints add web 127.0.0.1:5 --max-connections 7 --priority 1 --state draining --json',
    );
    expect(JSON.parse(added.out)).toMatchObject({
      name: '127.0.0.1:5',
      maxConnections: 7,
      priority: 1,
      state: { admin: 'draining' },
    });
    expect(JSON.parse((await local('endpoints remove web/127.0.0.1:5 --force --json')).out)).toEqual({
      pool: 'web',
      name: '127.0.0.1:5',
      removed: true,
    });
    const { changes } = JSON.parse((await local('changes --json')).out) as { changes: unknown };
    expect(changes).toMatchObject([
      { endpoint: 'a', kind: 'state' },
      { endpoint: 'a', kind: 'weight', value: 3, file: 1 },
    ]);
    expect(JSON.parse((await local('changes --discard --json')).out)).toEqual({ discarded: 2 });
  });

  test.each([
    [
      'drain web',
      2,
      'error: "web" does not name an endpoint; write POOL/ENDPOINT, such as web/10.0.0.1:3000\n',
    ],
    ['drain web/a/b', 2, 'error: "web/a/b" does not name'],
    ['drain web/a --deadline soon', 2, 'error: --deadline: "soon" is not a duration'],
    ['weight web/a 257', 2, 'error: "257" is not a weight; it is 0 to 256\n'],
    [
      'weight web/a',
      2,
      'error: missing required argument \'weight\'\nRun "pointsman weight --help" for help.\n',
    ],
    ['endpoints remove', 2, 'error: missing required argument'],
    ['drain wbe/a', 1, 'error: there is no pool "wbe"; did you mean "web"? (pools: web)\n'],
    ['enable web/z', 1, 'error: there is no endpoint "z" in pool web; '],
    [
      'endpoints add web nowhere',
      1,
      'error: address: "nowhere" has no port; write host:port, such as 10.0.0.1:3000\n',
    ],
  ])('%s: exit code %i', async (line, code, err) => {
    const ran = await local(line);
    expect([ran.code, ran.out]).toEqual([code, '']);
    expect(ran.err).toStartWith(err);
  });
});

describe('where it is asked', () => {
  const place = () => {
    const { host, port } = pointsman.address('admin');
    return `${host}:${port}`;
  };

  test('the token comes from the option, the environment, the configuration, in this order', async () => {
    const status = (words: string[], options = {}) => cli(['status', '--admin', place(), ...words], options);
    expect(await status([])).toMatchObject({
      code: 1,
      err: `error: ${place()} asks for a token: give it with --token or in POINTSMAN_TOKEN\n`,
    });
    expect(await status(['--token', 'wrong'])).toMatchObject({
      code: 1,
      err: `error: ${place()} does not accept this token\n`,
    });
    const environment = { POINTSMAN_TOKEN: TOKEN };
    expect((await status([], { environment })).code).toBe(0);
    expect((await status(['--token', 'wrong'], { environment })).code).toBe(1);
    writeFileSync(join(directory, 'pointsman.json'), JSON.stringify(config()));
    expect((await status([], { directory })).code).toBe(0);
    // The unix socket that it names is found too.
    expect((await cli(['status', '-c', join(directory, 'pointsman.json')])).code).toBe(0);
    expect((await cli(['status'], { directory })).code).toBe(0);
  });

  test('a file with a mistake elsewhere still says where', async () => {
    const file = join(directory, 'broken.json');
    writeFileSync(file, JSON.stringify({ ...config(), pools: [] }));
    expect((await cli(['status', '-c', file])).code).toBe(0);
    writeFileSync(file, JSON.stringify({ ...config(), admin: { address: 5 } }));
    expect(await cli(['status', '-c', file])).toEqual({
      code: 1,
      out: '',
      err: `error: ${file} cannot be used; pointsman check says why\n`,
    });
    const here = mkdtempSync(join(tmpdir(), 'pointsman-cli-'));
    writeFileSync(join(here, 'pointsman.yaml'), '{');
    expect((await cli(['status'], { directory: here })).err).toStartWith(
      'warning: pointsman.yaml cannot be used (pointsman check says why), so the admin interface is sought at 127.0.0.1:9900\n',
    );
    rmSync(here, { recursive: true });
  });

  test('nobody is there', async () => {
    for (const nowhere of ['127.0.0.1:1', 'http://127.0.0.1:1', `unix:${directory}/none.sock`]) {
      expect(await cli(['status', '--admin', nowhere])).toEqual({
        code: 1,
        out: '',
        err: `error: nothing listens at ${nowhere}; is Pointsman running? --admin says where its admin interface is\n`,
      });
    }
    const { err, code } = await cli(['status', '--admin', 'nonsense']);
    expect([code, err]).toEqual([
      1,
      'error: "nonsense" is not a place; write host:port, a URL or unix:/path\n',
    ]);
    const off = join(directory, 'off.json');
    writeFileSync(off, JSON.stringify({ ...config(), admin: false }));
    expect(await cli(['status', '-c', off])).toMatchObject({
      code: 1,
      err: `error: ${off} switches the admin interface off; --admin names another\n`,
    });
    const { host, port } = pointsman.address('web');
    expect(await cli(['status', '--admin', `${host}:${port}`])).toMatchObject({ code: 1 });
  });
});

test('status says which certificates cannot be had, and why', async () => {
  await using asking = await startPointsman({
    acme: { email: 'ops@example.com', directory: 'https://127.0.0.1:1/', storage: join(directory, 'acme') },
    listeners: [
      { name: 'plain', address: '127.0.0.1:0', routes: [{ redirect: { scheme: 'https' } }] },
      {
        name: 'secure',
        address: '127.0.0.1:0',
        tls: { acme: ['a.example'] },
        routes: [{ reply: { status: 200 } }],
      },
    ],
  });
  await asking.line('certificate-failed');
  const { out } = await cli(['status', '--admin', asking.admin]);
  expect(out).toMatch(/^NO NEW CERTIFICATE +NEXT ATTEMPT +REASON$/m);
  expect(out).toMatch(/^a\.example +\d{4}-\d\d-\d\dT[\d:]+Z +\S.*$/m);
});

describe('unix socket', () => {
  test('is for its owner alone, and no second process takes it', async () => {
    expect(statSync(unix).mode & 0o777).toBe(0o600);
    const second = await startPointsman(config()).then(
      () => 'started',
      (error: unknown) => String(error),
    );
    expect(second).toContain(`admin: cannot listen on ${unix}: another process does`);
    expect((await local('status')).code).toBe(0);
  });

  test('goes with the process; one that a crash left behind does not matter', async () => {
    const own = {
      ...config(),
      admin: { address: '127.0.0.1:0', unix: join(directory, 'own.sock') },
    } as const;
    const crashed = await startPointsman(own);
    await crashed.stop('SIGKILL');
    expect(existsSync(own.admin.unix)).toBe(true);
    const next = await startPointsman(own);
    expect((await cli(['status', '--admin', `unix:${own.admin.unix}`])).code).toBe(0);
    expect(await next.stop('SIGTERM')).toBe(0);
    expect(existsSync(own.admin.unix)).toBe(false);
    writeFileSync(own.admin.unix, 'precious');
    const refused = await startPointsman(own).then(
      () => 'started',
      (error: unknown) => String(error),
    );
    expect(refused).toContain('there is a file that is no socket');
    expect(statSync(own.admin.unix).size).toBe(8);
  });
});
