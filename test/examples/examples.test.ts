import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';

import { GrpcClient } from '../support/grpc-client.ts';
import { GrpcEndpoint, serviceOf } from '../support/grpc-echo.ts';
import { testWith } from '../support/programs.ts';
import { freePorts } from '../support/free-ports.ts';
import { EXAMPLES, prepare } from './running-example.ts';

const ROOT = join(EXAMPLES, '..');

interface Answer {
  readonly endpoint: number;
  readonly path: string;
  readonly debug: string | null;
}

async function read(response: Response): Promise<Answer> {
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

/** Waits until `condition` holds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition().catch(() => false))) {
    if (performance.now() > deadline) throw new Error('waited for 10 s in vain');
    await Bun.sleep(20);
  }
}

// The one with TLS needs certificates first; its test makes them.
const files = [...new Bun.Glob('*/pointsman.*').scanSync({ cwd: EXAMPLES })]
  .filter((file) => !file.startsWith('tls/'))
  .sort();

test.each(files)('%s passes "pointsman check" where it is', (file) => {
  const check = Bun.spawnSync([join(ROOT, 'bin/pointsman'), 'check', '-c', join(EXAMPLES, file)]);
  expect(check.stderr.toString()).not.toContain('warning');
  expect(check.exitCode).toBe(0);
});

describe('what the READMEs promise', () => {
  test('minimal: both share the traffic, one may die', async () => {
    await using example = await prepare('minimal/pointsman.yaml');
    example.serve(3001, 3002);
    await example.start();
    const seen = new Set<number>();
    // Two are drawn by chance: that one of them is never the first has a chance of 2^-39.
    for (let i = 0; i < 40; i++) seen.add((await read(await example.ask('/'))).endpoint);
    expect([...seen].toSorted((a, b) => a - b)).toEqual([3001, 3002]);
    await example.kill(3001);
    for (let i = 0; i < 30; i++) expect((await read(await example.ask('/'))).endpoint).toBe(3002);
  });

  test('canary: a tenth by chance, testers always', async () => {
    await using example = await prepare('canary/pointsman.yaml');
    example.serve(3001, 3002);
    await example.start();
    let canary = 0;
    for (let i = 0; i < 900; i++) if ((await read(await example.ask('/'))).endpoint === 3002) canary++;
    // Seven standard deviations of 900 draws at 0.1: P(B(900, 0.1) < 24 or > 180) is below 1e-17.
    expect(canary).toBeGreaterThanOrEqual(24);
    expect(canary).toBeLessThanOrEqual(180);
    for (let i = 0; i < 20; i++)
      expect((await read(await example.ask('/', { 'x-canary': 'always' }))).endpoint).toBe(3002);
  });

  test('sticky: a client stays, and is bound anew when its endpoint dies', async () => {
    await using example = await prepare('sticky/pointsman.yaml');
    example.serve(3001, 3002);
    await example.start();
    const first = await example.ask('/');
    const cookie = first.headers.get('set-cookie')!.split(';')[0]!;
    expect(cookie).toStartWith('SERVERID=');
    const { endpoint } = await read(first);
    for (let i = 0; i < 20; i++)
      expect((await read(await example.ask('/', { cookie }))).endpoint).toBe(endpoint);
    await example.kill(endpoint);
    const moved = await example.ask('/', { cookie });
    expect(moved.headers.get('set-cookie')).toStartWith('SERVERID=');
    expect((await read(moved)).endpoint).not.toBe(endpoint);
  });

  test('api-gateway: prefixes, closed paths, redirects, limits, hidden headers', async () => {
    await using example = await prepare('api-gateway/pointsman.yaml');
    example.serve(3001, 3002);
    await example.start();
    const users = await example.ask('/api/users/7', { 'x-debug': '1', 'x-api-key': 'a' });
    expect(users.headers.get('server')).toBeNull();
    expect(users.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await read(users)).toEqual({ endpoint: 3001, path: '/7', debug: null });
    expect(await read(await example.ask('/api/orders/9'))).toEqual({
      endpoint: 3002,
      path: '/9',
      debug: null,
    });
    expect((await example.ask('/api/users/internal/keys')).status).toBe(404);
    const moved = await example.ask('/users/7?x=1');
    expect(moved.status).toBe(308);
    expect(moved.headers.get('location')).toBe('/api/users/7?x=1');
    const burst = await Promise.all(
      Array.from({ length: 6 }, () => example.ask('/api/users/1', { 'x-api-key': 'b' })),
    );
    expect(burst.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200, 200, 200, 200, 200, 429,
    ]);
  });

  testWith('openssl')('tls: by name, sent on from http, 421 for the other name', async () => {
    await using example = await prepare('tls/pointsman.yaml');
    example.serve(3001, 3002);
    const make = Bun.spawnSync([join(EXAMPLES, 'tls/make-certificates.sh')], { cwd: example.directory });
    expect(make.exitCode).toBe(0);
    const check = Bun.spawnSync([join(ROOT, 'bin/pointsman'), 'check'], { cwd: example.directory });
    expect(check.stderr.toString()).not.toContain('warning');
    expect(check.exitCode).toBe(0);
    await example.start();
    const ca = await Bun.file(join(example.directory, 'certificates/ca.pem')).text();
    const ask = (name: string, host = name): Promise<Response> =>
      fetch(`https://127.0.0.1:${example.port(8443)}/x`, {
        headers: { host },
        tls: { ca, serverName: name },
      });
    const shop = await ask('shop.example');
    expect(shop.headers.get('strict-transport-security')).toBe('max-age=86400');
    expect((await read(shop)).endpoint).toBe(3001);
    expect((await read(await ask('admin.example'))).endpoint).toBe(3002);
    expect((await ask('shop.example', 'admin.example')).status).toBe(421);
    const plain = await example.ask('/x?y=1', { host: 'shop.example' });
    expect(plain.status).toBe(308);
    expect(plain.headers.get('location')).toBe('https://shop.example:8443/x?y=1');
  });

  test('grpc: calls one by one, around a server that is not available', async () => {
    await using example = await prepare('grpc/pointsman.yaml');
    const definition = serviceOf('shop.Orders');
    await using one = await GrpcEndpoint.start(example.port(3001), definition);
    await using two = await GrpcEndpoint.start(example.port(3002), definition);
    await example.start();
    using client = new GrpcClient(`127.0.0.1:${example.port(8080)}`, definition);
    for (let call = 0; call < 20; call++) expect((await client.unary(`${call}`)).body).toBe(`${call}`);
    expect(Math.min(one.calls, two.calls)).toBeGreaterThan(0);
    one.unary = (_call, answer) => answer({ code: status.UNAVAILABLE, details: 'not now' });
    for (let call = 0; call < 20; call++) expect((await client.unary(`${call}`)).body).toBe(`${call}`);
    using other = new GrpcClient(`127.0.0.1:${example.port(8080)}`, serviceOf('shop.Other'));
    expect((await other.unary('x')).code).toBe(12);
    expect(one.askedFor).toContain('shop.Orders');
  });

  test('typescript: a pool for each team, by host', async () => {
    await using example = await prepare('typescript/pointsman.config.ts');
    example.serve(3001, 3002);
    await example.start();
    expect((await read(await example.ask('/', { host: 'shop.example.com' }))).endpoint).toBe(3001);
    expect((await read(await example.ask('/', { host: 'search.example.com' }))).endpoint).toBe(3002);
    expect((await example.ask('/', { host: 'other.example.com' })).status).toBe(404);
  });

  testWith('redis-server')('sessions-in-redis: any endpoint goes on where another stopped', async () => {
    await using example = await prepare('sessions-in-redis/pointsman.yaml');
    const [redisPort = 0] = await freePorts(1);
    const quiet = { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' } as const;
    const redis = Bun.spawn(
      [
        'redis-server',
        '--bind',
        '127.0.0.1',
        '--port',
        String(redisPort),
        '--save',
        '',
        '--dir',
        example.directory,
      ],
      quiet,
    );
    const ports = [example.port(3001), example.port(3002)];
    const endpoints = ports.map((port) =>
      Bun.spawn([process.execPath, join(EXAMPLES, 'sessions-in-redis/endpoint.ts')], {
        ...quiet,
        env: { ...process.env, PORT: String(port), REDIS_URL: `redis://127.0.0.1:${redisPort}` },
      }),
    );
    try {
      for (const port of ports) await until(async () => (await fetch(`http://127.0.0.1:${port}/`)).ok);
      await example.start();
      const first = await example.ask('/');
      const cookie = first.headers.get('set-cookie')!.split(';')[0]!;
      expect(await first.json()).toHaveProperty('visits', 1);
      const seen = new Set<string>();
      for (let visits = 2; visits <= 20; visits++) {
        if (visits === 12) {
          endpoints[0]!.kill('SIGKILL');
          await endpoints[0]!.exited;
        }
        const answer = (await (await example.ask('/', { cookie })).json()) as {
          endpoint: string;
          visits: number;
        };
        expect(answer.visits).toBe(visits);
        seen.add(answer.endpoint);
      }
      expect(seen.size).toBe(2);
    } finally {
      for (const child of [...endpoints, redis]) child.kill('SIGKILL');
    }
  });
});
