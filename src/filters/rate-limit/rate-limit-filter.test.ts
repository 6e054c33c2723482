import { describe, expect, test } from 'bun:test';

import { filterContext } from '../../../test/support/filter-context.ts';
import { requestHead } from '../../../test/support/request-head.ts';
import { rateLimitFilter as schema } from '../../config/schema/filters.ts';
import type { LocalReply } from '../../model/filter.ts';
import type { Log, LogFields } from '../../model/ports.ts';
import { RateLimitFilter } from './rate-limit-filter.ts';

class Warnings implements Log {
  readonly seen: (LogFields | undefined)[] = [];
  debug(): void {}
  info(): void {}
  error(): void {}
  warn(_event: string, fields?: LogFields): void {
    this.seen.push(fields);
  }
}

/** A filter, as a function of the client, the time and header lines. */
function limit(config: object, log: Log = new Warnings()) {
  const filter = new RateLimitFilter(schema.parse(config), log);
  return (clientIp: string, nowMs: number, ...lines: string[]): LocalReply | undefined =>
    filter.onRequest(filterContext(requestHead('GET', '/', ...lines), { clientIp, nowMs }));
}

describe('the refusal', () => {
  test('is 429 and says when to come back', () => {
    const ask = limit({ rate: '2/m', burst: 1 });
    expect(ask('192.0.2.1', 0)).toBeUndefined();
    const reply = ask('192.0.2.1', 500)!;
    expect(reply.status).toBe(429);
    expect(reply.failure).toBe('rate_limited');
    expect(reply.fields.map((line) => line.bytes.toString().trimEnd())).toEqual([
      'Content-Type: text/plain; charset=utf-8',
      'Proxy-Status: pointsman; error=http_request_denied; details="rate_limited"',
      'Retry-After: 30',
      'RateLimit-Policy: "client-ip";q=2;w=60',
      'RateLimit: "client-ip";r=0;t=30',
    ]);
    expect(ask('192.0.2.1', 29_000)!.fields[2]!.value).toBe('1');
    expect(ask('192.0.2.1', 30_000)).toBeUndefined();
  });

  test('is made once for many', () => {
    const ask = limit({ rate: '1/m' });
    ask('192.0.2.1', 0);
    expect(ask('192.0.2.1', 100)).toBe(ask('192.0.2.1', 200));
  });
});

describe('the burst', () => {
  test.each([
    ['100/s', 100],
    ['600/m', 10],
    ['90/m', 2],
    ['10/h', 1],
  ])('of %s is %d when nothing is said', (rate, burst) => {
    const ask = limit({ rate });
    let passed = 0;
    while (ask('192.0.2.1', 0) === undefined) passed++;
    expect(passed).toBe(burst);
  });
});

describe('the key', () => {
  const once = { rate: '1/h' };

  test('client-ip tells addresses apart, and IPv6 by /64', () => {
    const ask = limit(once);
    expect(ask('192.0.2.1', 0)).toBeUndefined();
    expect(ask('192.0.2.2', 0)).toBeUndefined();
    expect(ask('2001:db8::1', 0)).toBeUndefined();
    expect(ask('2001:db8::2', 0)?.status).toBe(429);
    expect(ask('2001:db8:0:1::2', 0)).toBeUndefined();
  });

  test('route is one for all', () => {
    const ask = limit({ ...once, key: 'route' });
    expect(ask('192.0.2.1', 0)).toBeUndefined();
    expect(ask('192.0.2.2', 0)?.fields.at(-1)?.value).toBe('"route";r=0;t=3600');
  });

  test('header tells values apart; without it the client counts', () => {
    const ask = limit({ ...once, key: 'header:X-Key' });
    expect(ask('192.0.2.1', 0, 'x-key: a')).toBeUndefined();
    expect(ask('192.0.2.2', 0, 'X-Key: a')?.status).toBe(429);
    expect(ask('192.0.2.1', 0, 'X-Key: b')).toBeUndefined();
    expect(ask('192.0.2.1', 0)).toBeUndefined();
    expect(ask('192.0.2.1', 0, 'X-Key:')?.status).toBe(429);
    expect(ask('192.0.2.3', 0)).toBeUndefined();
    expect(ask('192.0.2.9', 0, 'X-Key: 192.0.2.1')).toBeUndefined();
  });

  test('may be long', () => {
    const ask = limit({ ...once, key: 'header:X-Key' });
    const long = `X-Key: ${'k'.repeat(2000)}`;
    expect(ask('192.0.2.1', 0, `${long}1`)).toBeUndefined();
    expect(ask('192.0.2.1', 0, `${long}2`)).toBeUndefined();
    expect(ask('192.0.2.1', 0, `${long}1`)?.status).toBe(429);
  });
});

test('a table that is too small is told of once a minute, with what happened since', () => {
  const warnings = new Warnings();
  const ask = limit({ rate: '1/h', maxKeys: 1 }, warnings);
  for (let host = 0; host < 10; host++) expect(ask(`192.0.2.${host}`, host)).toBeUndefined();
  expect(warnings.seen).toEqual([expect.objectContaining({ route: 'routes[0]', keys: 1, forgotten: 1 })]);
  ask('192.0.2.99', 70_000);
  expect(warnings.seen).toHaveLength(2);
  expect(warnings.seen[1]).toMatchObject({ forgotten: 9 });
});
