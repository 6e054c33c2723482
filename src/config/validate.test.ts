import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import type { Environment } from './check/check.ts';
import { checkHashing } from './check/hashing.ts';
import type { Problem } from './issue.ts';
import { config } from './schema/config.ts';
import { validate } from './validate.ts';

const machine: Environment = {
  directoryExists: () => true,
  storageProblem: () => undefined,
  readFile: () => ({ ok: false, message: 'there is no such file' }),
  nowMs: () => 0,
};

/** Uses every key, so that every part of the schema is met. */
const FULL = {
  $schema: './schema.json',
  workers: 'auto',
  admin: { address: '127.0.0.1:9901', token: 'abcdefghijklmnop' },
  accessLog: { path: 'stderr', format: '${clientIp} ${status}' },
  log: { level: 'debug', format: 'json' },
  shutdown: { delay: '1s', deadline: '5s' },
  listeners: [
    {
      name: 'web',
      address: ':8080',
      protocol: 'http',
      trustedProxies: ['10.0.0.0/8', '::1'],
      forwarding: { xForwarded: true, forwarded: false, via: 'a' },
      timeouts: { requestHead: '1s', requestBody: '1s', idle: '1s', send: '1s', tunnel: '1s' },
      limits: {
        requestLine: '1KiB',
        headerCount: 5,
        headerBytes: '2KiB',
        bodyBytes: 5,
        connections: 5,
        requestsPerConnection: 5,
      },
      routes: [
        {
          name: 'api',
          match: {
            host: ['a.com', '*.a.com'],
            path: '/api/*',
            method: ['GET'],
            headers: { a: 'b', c: { prefix: 'd' } },
            cookies: { a: { regex: '^b' } },
            query: { a: { present: false } },
            from: '10.0.0.0/8',
          },
          split: [
            { pool: 'web', weight: 1 },
            { pool: 'other', weight: 2 },
          ],
          filters: [
            { headers: { request: { set: { a: 'b' } }, response: { add: { a: 'b' }, remove: ['c'] } } },
            { rewrite: { prefix: '/api', to: '/' } },
            { rateLimit: { rate: '5/s', burst: 5, key: 'header:a', maxKeys: 5 } },
          ],
        },
        {
          match: { path: '/a' },
          reply: { status: 200, body: 'a', contentType: 'text/html', headers: { a: 'b' } },
        },
        { redirect: { to: '/a', status: 301 } },
      ],
    },
  ],
  pools: [
    {
      name: 'web',
      policy: 'maglev',
      hash: { key: { header: 'a' }, boundedLoad: 2, tableSize: 251, pointsPerWeight: 5 },
      endpoints: [
        'a:1',
        { address: 'b:1', name: 'b', weight: 2, maxConnections: 5, priority: 1, state: 'draining' },
      ],
      healthCheck: {
        http: {
          path: '/a',
          method: 'GET',
          host: 'a',
          headers: { a: 'b' },
          expect: [200, '300-399'],
          body: { contains: 'a' },
        },
        interval: '5s',
        fastInterval: '1s',
        downInterval: '1s',
        jitterPercent: 5,
        timeout: '1s',
        fall: 1,
        rise: 1,
        initial: 'healthy',
        port: 5,
      },
      outlierDetection: {
        consecutiveFailures: 1,
        failurePercent: 50,
        minRequests: 5,
        window: '1s',
        statuses: ['500-599'],
        ejectFor: '1s',
        maxEjectFor: '2s',
        maxEjectedPercent: 10,
      },
      affinity: {
        cookie: { name: 'a', path: '/', domain: 'a.com', maxAge: '1h', secure: 'always' },
        strict: true,
      },
      protocol: 'http1',
      timeouts: { connect: '1s', response: '1s', responseBody: '1s', idle: '1s', maxAge: '1s' },
      maxIdleConnections: 5,
      queue: { size: 5, timeout: '1s' },
      slowStart: '1s',
      panicPercent: 5,
      retry: {
        attempts: 1,
        budgetPercent: 5,
        minRetries: 1,
        statuses: [503],
        bufferSize: '1KiB',
        deadline: '5s',
      },
    },
    { name: 'other', endpoints: ['a:1'], outlierDetection: false },
  ],
};

/** Every place in a value, as paths. */
function placesOf(value: unknown, at: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [at];
  const inner = Object.entries(value).flatMap(([key, item]) =>
    placesOf(item, [...at, Array.isArray(value) ? Number(key) : key]),
  );
  return at.length === 0 ? inner : [at, ...inner];
}

function replaced(value: unknown, at: readonly (string | number)[], by: unknown): unknown {
  const [first, ...rest] = at;
  if (first === undefined) return by;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<
    string | number,
    unknown
  >;
  copy[first] = replaced(copy[first], rest, by);
  return copy;
}

describe('validate', () => {
  test('takes a configuration that uses every key', () => {
    const result = validate(FULL, machine);
    expect(result.ok ? [] : result.problems).toEqual([]);
    expect(result.ok && result.warnings.map((warning) => warning.code)).toEqual(['ineffective']);
  });

  test('any value at any place is taken or explained there or above, never thrown', () => {
    const places = placesOf(FULL);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.anything({ withNullPrototype: true }), (at, by) => {
        const input = replaced(FULL, at, by);
        const result = validate(input, machine);
        expect(result.ok).toBe(config.safeParse(input).success && result.ok);
        if (result.ok) return;
        expect(result.problems.length).toBeGreaterThan(0);
        for (const problem of result.problems) {
          expect(problem.message).not.toMatch(/invalid input|\[object/i);
        }
      }),
      { numRuns: 1000 },
    );
  }, 60_000);

  test('keys of the prototype are keys like others', () => {
    const input: unknown = JSON.parse('{"__proto__": {"workers": 5}, "constructor": 1, "listeners": []}');
    const result = validate(input, machine);
    const said = result.ok ? [] : result.problems.map(({ at, code }) => [at[0], code]);
    expect(said).toEqual(
      expect.arrayContaining([
        ['__proto__', 'unknown-key'],
        ['constructor', 'unknown-key'],
      ]),
    );
  });
});

describe('checkHashing', () => {
  test('a listener that cannot supply what a pool hashes is a conflict', () => {
    const draft = {
      listeners: [{ name: 'pg', protocol: 'http' as const, routes: [{ pool: 'db' }] }],
      pools: [
        { name: 'db', policy: 'ring-hash' as const, hash: { key: { header: 'x-user' } }, affinity: {} },
        { name: 'unused', policy: 'ring-hash' as const, hash: { key: 'path' as const } },
      ],
    };
    const errors: Problem[] = [];
    const report = {
      error: (problem: Problem) => void errors.push(problem),
      warning: () => {},
      written: () => false,
    };
    checkHashing(draft, report, { http: ['client-ip'] });
    expect(errors.map(({ at, message }) => [at.join('.'), message])).toEqual([
      ['pools.0.hash.key', 'listener "pg" speaks http and has no header to hash'],
      ['pools.0.affinity', 'listener "pg" speaks http and cannot set a cookie'],
    ]);
  });
});
