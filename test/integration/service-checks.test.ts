import { afterEach, expect } from 'bun:test';

import { readFileSync } from 'node:fs';

import { healthCheck } from '../../src/config/schema/pool.ts';
import { probeOf } from '../../src/health/probe-of.ts';
import type { ProbeResult } from '../../src/health/probe.ts';
import { probeDeps } from '../support/probe-deps.ts';
import { testWith, whichProgram } from '../support/programs.ts';
import { freePorts } from '../support/free-ports.ts';
import { PostgresServer, RedisServer, ServiceProcess, succeeds, untilTrue } from '../support/services.ts';

const LONG_MS = 120_000;
const deps = probeDeps();
const running: ServiceProcess[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

function check(port: number, config: Readonly<Record<string, unknown>>): Promise<ProbeResult> {
  const parsed = healthCheck.parse({ ...config, timeout: '5s' });
  // As the check of a configuration does.
  const ca = parsed.tls?.ca;
  if (ca !== undefined) ca.content = readFileSync(ca.path, 'latin1');
  const probe = probeOf(deps, { host: '127.0.0.1', port }, 'http1', parsed);
  return new Promise((resolve) => {
    probe(resolve);
  });
}

async function redis(): Promise<RedisServer> {
  const [port] = await freePorts(1);
  const server = new RedisServer(port!);
  running.push(server);
  return server;
}

testWith('redis-server')(
  'Redis: answers, asks for a password, loads its data',
  async () => {
    const server = await redis();
    await server.start();
    const { port } = server;
    expect(await check(port, { redis: {} })).toEqual({ passed: true, detail: 'PING answered PONG' });
    expect((await check(port, { tcp: { send: 'PING\r\n', expect: '+PONG' } })).passed).toBe(true);
    expect((await check(port, { redis: { password: 'p' } })).detail).toStartWith('AUTH answered "-ERR');

    await server.say('DEBUG SLEEP 0', 'CONFIG SET save ""', ...keys(400), 'SAVE');
    await server.start('--requirepass', 'secret');
    expect((await check(port, { redis: {} })).detail).toStartWith('PING answered "-NOAUTH');
    expect((await check(port, { redis: { password: 'wrong' } })).detail).toStartWith(
      'AUTH answered "-WRONGPASS',
    );
    expect((await check(port, { redis: { password: 'secret' } })).passed).toBe(true);

    await server.start('--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024');
    expect((await check(port, { redis: {} })).detail).toStartWith('PING answered "-LOADING');

    await server.kill();
    expect((await check(port, { redis: {} })).detail).toBe('connection refused (ECONNREFUSED)');
  },
  LONG_MS,
);

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `SET key${index} ${'x'.repeat(100)}`);
}

testWith('redis-server')(
  'Redis: a primary and its replica are told apart',
  async () => {
    const [primary, replica] = [await redis(), await redis()];
    await Promise.all([primary.start(), replica.start('--replicaof', '127.0.0.1', String(primary.port))]);
    expect((await check(primary.port, { redis: { role: 'primary' } })).passed).toBe(true);
    expect((await check(primary.port, { redis: { role: 'replica' } })).passed).toBe(false);
    expect((await check(replica.port, { redis: { role: 'primary' } })).passed).toBe(false);
    await untilTrue(
      'replication',
      async () => (await check(replica.port, { redis: { role: 'replica' } })).passed,
    );
    await primary.kill();
    await untilTrue('the end of replication', async () => {
      const { passed, detail } = await check(replica.port, { redis: { role: 'replica' } });
      return !passed && detail.startsWith('it is a replica without its primary');
    });
  },
  LONG_MS,
);

testWith('postgres', 'initdb', 'pg_isready')(
  'PostgreSQL: takes sessions, is in recovery, is gone',
  async () => {
    const [port] = await freePorts(1);
    const server = new PostgresServer(port!);
    running.push(server);
    await server.start();
    await untilTrue('sessions', async () => (await check(port!, { postgres: { user: 'postgres' } })).passed);
    expect(await check(port!, { postgres: { user: 'postgres' } })).toEqual({
      passed: true,
      detail: 'takes sessions',
    });
    // A role and a database that are not there.
    expect((await check(port!, { postgres: { database: 'none' } })).passed).toBe(true);
    expect((await check(port!, { postgres: { startup: false } })).detail).toBe(
      'answered the request for TLS with N',
    );

    await server.kill('SIGQUIT');
    server.touch('standby.signal');
    await server.start('hot_standby=off', 'restore_command=false');
    const recovering = await check(port!, { postgres: { user: 'postgres' } });
    expect(recovering.passed).toBe(false);
    expect(recovering.detail).toContain('57P03');
    expect((await check(port!, { postgres: { startup: false } })).passed).toBe(true);

    await server.kill('SIGQUIT');
    expect((await check(port!, { postgres: {} })).detail).toBe('connection refused (ECONNREFUSED)');
  },
  LONG_MS,
);

testWith('openssl')(
  'a TLS handshake: trusted or not, by name, with ALPN, or none at all',
  async () => {
    const [port] = await freePorts(1);
    const server = new ServiceProcess();
    running.push(server);
    const { directory } = server;
    const openssl = whichProgram('openssl')!;
    const [cert, key] = [`${directory}/c.pem`, `${directory}/k.pem`];
    const names = 'subjectAltName=DNS:api.test,IP:127.0.0.1';
    const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const what = ['-subj', '/CN=api.test', '-addext', names, '-days', '2', '-keyout', key, '-out', cert];
    expect(await succeeds(openssl, ...kind, ...what)).toBe(true);
    await server.run([
      openssl,
      's_server',
      '-accept',
      `127.0.0.1:${port}`,
      '-cert',
      cert,
      '-key',
      key,
      '-alpn',
      'h2,http/1.1',
      '-quiet',
    ]);
    await untilTrue('openssl', async () => (await check(port!, { tcp: {} })).passed);

    expect((await check(port!, { tls: { verify: false } })).passed).toBe(true);
    expect((await check(port!, { tls: {} })).detail).toStartWith('no TLS handshake: ');
    expect((await check(port!, { tls: { ca: cert } })).passed).toBe(true);
    expect((await check(port!, { tls: { ca: cert, sni: 'api.test' } })).passed).toBe(true);
    expect((await check(port!, { tls: { ca: cert, sni: 'other.test' } })).passed).toBe(false);
    expect((await check(port!, { tls: { verify: false, alpn: ['h2'] } })).detail).toBe('TLSv1.3, h2');
    expect((await check(port!, { tls: { verify: false, alpn: ['x'] } })).passed).toBe(false);

    await server.kill();
    expect((await check(port!, { tls: {} })).passed).toBe(false);
  },
  LONG_MS,
);

testWith('redis-server')(
  'a peer that is not TLS at all, or says nothing',
  async () => {
    const server = await redis();
    await server.start();
    expect((await check(server.port, { tls: { verify: false } })).passed).toBe(false);
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const config = healthCheck.parse({ tls: {}, timeout: '200ms' });
    const result = await new Promise((resolve) => {
      probeOf(deps, { host: '127.0.0.1', port: silent.port }, 'http1', config)(resolve);
    });
    silent.stop(true);
    expect(result).toEqual({ passed: false, detail: 'no TLS handshake within 200 ms' });
  },
  LONG_MS,
);
