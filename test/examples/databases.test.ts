import { afterEach, expect } from 'bun:test';

import { testWith, whichProgram } from '../support/programs.ts';
import { PostgresServer, RedisServer, type ServiceProcess, untilTrue } from '../support/services.ts';
import { prepare, type RunningExample } from './running-example.ts';

const LONG_MS = 120_000;
const running: ServiceProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

/** What a program prints, or its error. */
async function outputOf(...command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return (await child.exited) === 0 ? out.trim() : `failed: ${err.trim()}`;
}

function sql(example: RunningExample, statement: string): Promise<string> {
  const port = String(example.port(5432));
  return outputOf(
    'psql',
    '-h',
    '127.0.0.1',
    '-p',
    port,
    '-U',
    'postgres',
    '-d',
    'postgres',
    '-Atqc',
    statement,
  );
}

async function postgresAt(example: RunningExample, written: number): Promise<PostgresServer> {
  const server = new PostgresServer(example.port(written));
  running.push(server);
  await server.start();
  return server;
}

async function redisAt(example: RunningExample, written: number): Promise<RedisServer> {
  const server = new RedisServer(example.port(written));
  running.push(server);
  await server.start();
  return server;
}

testWith(
  'postgres',
  'initdb',
  'pg_isready',
  'psql',
)(
  'PostgreSQL: sessions, and another server when the first is killed',
  async () => {
    await using example = await prepare('databases/pointsman.yaml');
    const [first] = await Promise.all([postgresAt(example, 5433), postgresAt(example, 5434)]);
    await example.start();
    const portOfServer = 'select inet_server_port()';
    expect(await sql(example, portOfServer)).toBe(String(first.port));
    const rows = await sql(example, "select string_agg(n::text, ',') from generate_series(1, 20000) n");
    expect([rows.length, rows.endsWith(',20000')]).toEqual([108_893, true]);

    const hanging = sql(example, 'select pg_sleep(60)');
    await untilTrue(
      'the session',
      async () =>
        (await sql(example, "select count(*) from pg_stat_activity where query like 'select pg_sleep%'")) ===
        '1',
    );
    // Frozen: it neither answers nor refuses.
    process.kill(first.pid, 'SIGSTOP');
    expect(await hanging).toContain('failed:');
    await untilTrue(
      'the other server',
      async () => (await sql(example, portOfServer)) === String(example.port(5434)),
    );
    process.kill(first.pid, 'SIGCONT');
    await first.kill();
    expect(await sql(example, portOfServer)).toBe(String(example.port(5434)));
    await first.start();
    await untilTrue(
      'the first server',
      async () => (await sql(example, portOfServer)) === String(first.port),
    );
  },
  LONG_MS,
);

testWith('redis-server', 'redis-cli', 'redis-benchmark')(
  'Redis: pipelines under load, the primary alone, and a replica that is promoted',
  async () => {
    await using example = await prepare('databases/pointsman.yaml');
    const [primary, replica] = await Promise.all([redisAt(example, 6380), redisAt(example, 6381)]);
    await replica.say(`REPLICAOF 127.0.0.1 ${primary.port}`);
    await example.start();
    const port = String(example.port(6379));
    const cli = (...words: readonly string[]) => outputOf('redis-cli', '-p', port, ...words);
    expect(await cli('SET', 'colour', 'red')).toBe('OK');
    const bench = ['-p', port, '-n', '20000', '-c', '20', '-P', '8', '-d', '1000', '-t', 'set,get', '--csv'];
    expect(await outputOf(whichProgram('redis-benchmark')!, ...bench)).toContain('"GET"');
    expect(await cli('INFO', 'replication')).toContain('role:master');
    await untilTrue('replication', async () => (await replica.say('GET colour')).includes('red'));

    await primary.kill();
    await replica.say('REPLICAOF NO ONE');
    await untilTrue('the promoted replica', async () => (await cli('SET', 'colour', 'blue')) === 'OK');
    expect(await cli('GET', 'colour')).toBe('blue');
  },
  LONG_MS,
);
