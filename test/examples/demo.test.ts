import { expect, test } from 'bun:test';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { eventually } from './eventually.ts';

const PROGRAM = join(import.meta.dir, '../../bin/pointsman');

/** The demonstration, started as a user does, with what it printed. */
class Demo implements AsyncDisposable {
  readonly child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  text = '';

  constructor(...options: string[]) {
    this.child = Bun.spawn([PROGRAM, 'demo', ...options], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, NO_COLOR: '1' },
    });
    void this.#read(this.child.stdout);
    void this.#read(this.child.stderr);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) this.text += decoder.decode(bytes, { stream: true });
  }

  /** Waits for a match in what it printed. */
  shown(pattern: RegExp): Promise<RegExpExecArray> {
    return eventually(`${pattern.source} in the output`, () => pattern.exec(this.text) ?? undefined, 15_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child.exited;
  }
}

function start(): Demo {
  return new Demo('--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0');
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function pidsOf(demo: Demo): Promise<number[]> {
  await demo.shown(/Ctrl-C ends everything/);
  return [...demo.text.matchAll(/pid (\d+)/g)].map((match) => Number(match[1]));
}

test('everything that it says can be done, can be done', async () => {
  await using demo = start();
  const [url = ''] = await demo.shown(/http:\/\/127\.0\.0\.1:\d+\//);
  const [first = 0, ...others] = await pidsOf(demo);
  expect(others).toHaveLength(2);

  const commands = demo.text.split('\n').flatMap((line) => /^ {5}(\S.*)/.exec(line)?.[1] ?? []);
  const run = (word: string) => {
    const command = commands.find((line) => line.includes(word))!;
    const result = Bun.spawnSync(['sh', '-c', command], { cwd: join(PROGRAM, '../..'), stdin: 'ignore' });
    expect(`${command}: ${result.exitCode} ${result.stderr.toString()}`).toBe(`${command}: 0 `);
    return result.stdout.toString();
  };
  expect(run('for i in').trim().split('\n')).toHaveLength(6);
  // The share of one round is a matter of luck; of four it is not.
  const shares = new Map<string, number>();
  for (let round = 0; round < 4; round++)
    for (const [, share, endpoint = ''] of run('seq 60').matchAll(/(\d+) endpoint (\w+)/g))
      shares.set(endpoint, (shares.get(endpoint) ?? 0) + Number(share));
  expect([...shares.values()].reduce((sum, share) => sum + share)).toBe(240);
  expect(shares.get('slow') ?? 0).toBeLessThan(80);
  expect(JSON.parse(run('/api/v1/pools'))).toMatchObject({ pools: [{ name: 'demo', total: 3 }] });
  expect(run('/metrics')).toContain('pointsman_endpoint_state{pool="demo",endpoint="slow",state="open"} 1');
  expect(run('explain')).toContain('pool      demo, policy random-two');
  expect(run(' status ')).toContain('3 of 3 available');
  expect(run(' drain ')).toContain('demo/slow: draining');
  expect(run(' status ')).toContain('2 of 3 available');
  run(' enable ');
  expect(run(' status ')).toContain('3 of 3 available');

  const [configFile = ''] = await demo.shown(/\/\S+\/pointsman\.yaml/);
  const yaml = readFileSync(configFile, 'utf8');
  writeFileSync(configFile, yaml.replace('name: demo\n', 'name: demo\n    policy: round-robin\n'));
  expect(run(' reload ')).toContain('revision 2 is in force');

  // Killed under traffic: no answer is missing, and a new process takes the old one's place.
  const asker = new AbortController();
  let failed = 0;
  const names = new Set<string>();
  const asked = (async () => {
    while (!asker.signal.aborted) {
      const response = await fetch(url).catch(() => undefined);
      if (response?.status !== 200) failed++;
      names.add((await response?.text())?.split(' answers')[0] ?? 'no answer');
      await Bun.sleep(10);
    }
  })();
  expect(commands).toContain(`kill -9 ${first}`);
  run(`kill -9 ${first}`);
  await demo.shown(/>> endpoint one was ended \(SIGKILL\); it starts again in 5 seconds/);
  await demo.shown(/endpoint-(?:unhealthy|ejected) pool=demo endpoint=one/);
  const [, again = ''] = await demo.shown(/>> endpoint one runs again; to end it once more: kill -9 (\d+)/);
  await eventually(
    'an answer of the new process',
    () => names.has(`endpoint one (pid ${again})`) || undefined,
  );
  asker.abort();
  await asked;
  expect(failed).toBe(0);

  expect(existsSync(configFile)).toBe(true);
  demo.child.kill('SIGINT');
  expect(await demo.child.exited).toBe(0);
  for (const pid of [Number(again), ...others])
    await eventually(`the end of ${pid}`, () => !alive(pid) || undefined);
  expect(existsSync(configFile)).toBe(false);
});

test('endpoints do not outlive it, even when it is killed', async () => {
  await using demo = start();
  const pids = await pidsOf(demo);
  expect(pids.filter(alive)).toEqual(pids);
  demo.child.kill('SIGKILL');
  for (const pid of pids) await eventually(`the end of ${pid}`, () => !alive(pid) || undefined);
});

test('a port that is taken is named, with the way out', async () => {
  using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const place = `127.0.0.1:${taken.port}`;
  await using demo = new Demo('--listen', place);
  expect(await demo.child.exited).toBe(1);
  await demo.shown(new RegExp(`error: another program listens on ${place}\n`));
  expect(demo.text).toMatch(/Choose another place: \S+\/bin\/pointsman demo --listen 127\.0\.0\.1:\d+\n/);
});

test('options are judged as those of "run" are', async () => {
  await using demo = new Demo('--listen', '127.0.0.1:0', '--policy', 'fastest');
  expect(await demo.child.exited).toBe(2);
  await demo.shown(/--policy: "fastest" is not valid here; expected one of round-robin, /);
});
