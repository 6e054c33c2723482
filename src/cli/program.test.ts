import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import manifest from '../../package.json' with { type: 'json' };
import { runCommandLine } from './program.ts';
import type { Terminal } from './terminal.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-cli-'));
  writeFileSync(
    join(directory, 'good.yaml'),
    `listeners:
  - name: web
    address: :8080
    routes:
      - { match: { path: /api/* }, pool: web }
      - { match: { path: /api/users }, pool: web }
      - pool: web
pools:
  - { name: web, endpoints: [10.0.0.1:80, 10.0.0.2:80] }
`,
  );
  writeFileSync(join(directory, 'bad.yaml'), 'listeners: []\nwrokers: 2\n');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function pointsman(line: string, options: Partial<Terminal> = {}) {
  let out = '';
  let err = '';
  const terminal: Terminal = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    directory,
    outColor: false,
    errColor: false,
    ...options,
  };
  const code = await runCommandLine(line === '' ? [] : line.split(' '), terminal);
  return { code, out, err };
}

describe('check', () => {
  test('sums up a good configuration and prints its warnings aside', async () => {
    expect(await pointsman('check -c good.yaml')).toEqual({
      code: 0,
      out: 'good.yaml: ok: 1 listener, 3 routes, 1 pool, 2 endpoints\n',
      err: 'good.yaml:6:9: warning: listeners[0].routes[1]: this route is never reached: routes[0] takes all that it matches; put it before that one\n',
    });
  });

  test('lists all that is wrong on stderr and ends with 2', async () => {
    expect(await pointsman('check -c bad.yaml')).toEqual({
      code: 2,
      out: '',
      err: `bad.yaml:1:12: listeners: needs at least 1 item
bad.yaml:2:1: wrokers: unknown key "wrokers"; did you mean "workers"?
bad.yaml: 2 problems
`,
    });
  });

  test('prints JSON for programs', async () => {
    const { code, out, err } = await pointsman('check -c bad.yaml --json');
    expect({ code, err, out: JSON.parse(out) as unknown }).toEqual({
      code: 2,
      err: '',
      out: {
        ok: false,
        source: 'bad.yaml',
        errors: [
          {
            code: 'value',
            path: 'listeners',
            message: 'needs at least 1 item',
            file: 'bad.yaml',
            line: 1,
            column: 12,
          },
          {
            code: 'unknown-key',
            path: 'wrokers',
            message: 'unknown key "wrokers"',
            hint: 'did you mean "workers"?',
            file: 'bad.yaml',
            line: 2,
            column: 1,
          },
        ],
        warnings: [],
      },
    });
    const good = await pointsman('check -c good.yaml --json');
    expect(good.code).toBe(0);
    expect(JSON.parse(good.out)).toMatchObject({ ok: true, errors: [], warnings: [{ code: 'unreachable' }] });
  });

  test('finds a default file, and says which were looked for', async () => {
    const { code, err } = await pointsman('check');
    expect(code).toBe(2);
    expect(err).toContain('looked for pointsman.yaml, pointsman.yml, pointsman.json, pointsman.config.ts');
    const json = { listeners: [{ name: 'web', address: ':80', routes: [{ reply: { status: 200 } }] }] };
    writeFileSync(join(directory, 'pointsman.json'), JSON.stringify(json));
    expect((await pointsman('check')).out).toStartWith('pointsman.json: ok');
    rmSync(join(directory, 'pointsman.json'));
  });

  test('colours only what goes to a terminal', async () => {
    expect((await pointsman('check -c bad.yaml', { errColor: true })).err).toContain(
      '\u001b[1mbad.yaml:1:12\u001b[22m',
    );
    expect((await pointsman('check -c good.yaml', { outColor: true })).out).toContain(
      '\u001b[32mok\u001b[39m',
    );
  });
});

describe('run', () => {
  test('starts nothing when the file is wrong', async () => {
    const { code, err } = await pointsman('run -c bad.yaml');
    expect(code).toBe(2);
    expect(err).toEndWith('bad.yaml: 2 problems; nothing was started\n');
  });

  test('names the flags that are wrong', async () => {
    const { code, err } = await pointsman(
      'run --listen 80 --to a,b:1 --to c:99999 --policy roundrobin --admin x',
    );
    expect(code).toBe(2);
    expect(err.split('\n')).toEqual([
      '--admin: "x" has no port; write host:port, such as 0.0.0.0:8080',
      '--listen: 80 is only a port; write ":80", or host:port such as 0.0.0.0:8080',
      '--policy: "roundrobin" is not valid here; did you mean "round-robin"? (expected one of round-robin, random, random-two, least-connections, least-response-time, ip-hash, ring-hash, maglev, first)',
      '--to: "a" has no port; write host:port, such as 10.0.0.1:3000',
      '--to: "c:99999": the port must be at most 65535',
      'command line: 5 problems; nothing was started',
      '',
    ]);
  });

  test.each([
    ['run --listen :80', 'error: --to is missing, such as --to localhost:3000,localhost:3001'],
    ['run --to a:1', 'error: --listen is missing, such as --listen :8080'],
    ['run -c good.yaml --to a:1', 'error: --to and --config exclude each other; write it in the file'],
    ['run -c good.yaml --admin off', 'error: --admin and --config exclude each other; write it in the file'],
  ])('%s', async (line, expected) => {
    const { code, err } = await pointsman(line);
    expect(code).toBe(2);
    expect(err.split('\n')[0]).toBe(expected);
  });
});

describe('schema', () => {
  test('prints one part', async () => {
    const { code, out } = await pointsman('schema pools.queue');
    expect(code).toBe(0);
    expect(out).toBe(`pools[].queue: Where requests wait while every endpoint is at \`maxConnections\`.
  size: whole number, at least 0 = 1000
      Requests that may wait; 0 is none. More: 503.
  timeout: duration = 5s
      How long one may wait. Longer: 503.

`);
  });

  test('prints the JSON Schema', async () => {
    const { code, out } = await pointsman('schema --json-schema');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      type: 'object',
      required: ['listeners'],
      additionalProperties: false,
    });
  });

  test('finds parts and keys by their names alone', async () => {
    const headings = async (line: string) =>
      [...(await pointsman(line)).out.matchAll(/^(\S+)(?: \(.*\))?: /gm)].map((match) => match[1]!);
    expect(await headings('schema TLS')).toEqual([
      'listeners[].tls',
      'pools[].healthCheck.tls',
      'pools[].tls',
    ]);
    expect((await pointsman('schema maxConnections')).out).toStartWith('pools[].endpoints[]: The endpoints');
    expect((await pointsman('schema timeouts.connect')).out).toContain('  connect: duration = ');
  });

  test('knows which part was meant', async () => {
    const { code, err } = await pointsman('schema pools.helthCheck');
    expect(code).toBe(2);
    expect(err).toContain('did you mean "pools.healthCheck"?');
  });
});

describe('usage', () => {
  test('--version', async () => {
    expect(await pointsman('--version')).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' });
  });

  test('--help has examples', async () => {
    const { code, out } = await pointsman('--help');
    expect(code).toBe(0);
    expect(out).toContain('pointsman run --listen :8080 --to localhost:3000,localhost:3001');
  });

  test.each([
    ['chek', "error: unknown command 'chek'\n(Did you mean check?)"],
    ['check --jsno', "error: unknown option '--jsno'\n(Did you mean --json?)"],
    ['check extra', "error: too many arguments for 'check'. Expected 0 arguments but got 1"],
    ['check -c', "error: option '-c, --config <file>' argument missing"],
  ])('%s', async (line, expected) => {
    const { code, err } = await pointsman(line);
    expect(code).toBe(2);
    expect(err).toStartWith(expected);
  });

  test.each([
    ['validate', "error: unknown command 'validate'\npointsman check -c FILE says"],
    ['-t', "error: unknown option '-t'\npointsman check -c FILE says"],
    ['-c good.yaml', "error: unknown option '-c'\npointsman run -c FILE starts it"],
    ['start', "error: unknown command 'start'\npointsman run -c FILE starts it"],
    ['stop', "error: unknown command 'stop'\nCtrl-C or SIGTERM"],
    ['check good.yaml', 'error: a configuration is named with -c\nWrite: pointsman check -c good.yaml\n'],
    ['run good.yaml', 'error: a configuration is named with -c\nWrite: pointsman run -c good.yaml\n'],
    [
      'help tls',
      "error: unknown command 'tls'\nWhat a configuration can say of it:\n  pointsman schema listeners.tls\n",
    ],
  ])('%s: what is typed first by those who come from elsewhere', async (line, expected) => {
    const { code, out, err } = await pointsman(line);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toStartWith(expected);
  });

  test('-v', async () => {
    expect(await pointsman('-v')).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' });
  });

  test('nothing at all prints help and is an error', async () => {
    const { code, err } = await pointsman('');
    expect(code).toBe(2);
    expect(err).toContain('Usage: pointsman');
  });
});

test('the executable works from anywhere, with exit codes and without colour in a pipe', () => {
  const executable = join(import.meta.dir, '../../bin/pointsman');
  const run = Bun.spawnSync([executable, 'check', '-c', 'bad.yaml'], {
    cwd: directory,
    env: { ...process.env },
  });
  expect(run.exitCode).toBe(2);
  expect(run.stderr.toString()).toBe(`bad.yaml:1:12: listeners: needs at least 1 item
bad.yaml:2:1: wrokers: unknown key "wrokers"; did you mean "workers"?
bad.yaml: 2 problems
`);
});
