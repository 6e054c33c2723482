import { describe, expect, test } from 'bun:test';

import { setCounts } from '../../test/support/set-counts.ts';
import { PolicyPool } from '../../test/support/policy-pool.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import { seededRandom } from '../util/random.ts';
import {
  backoffMs,
  isFree,
  isIdempotent,
  judgeRetry,
  type RetrySituation,
  type RetryVerdict,
} from './retry.ts';

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'POST', 'PATCH', 'PROPFIND', 'get', ''];
const IDEMPOTENT = new Set(METHODS.slice(0, 6));
const CODES = Object.keys(FAILURES) as FailureCode[];

function pool(retry: Record<string, unknown> = {}) {
  return new PolicyPool({ endpoints: [1], retry }).pool;
}

function judge(situation: Partial<RetrySituation>, retry: Record<string, unknown> = {}): RetryVerdict {
  return judgeRetry(pool(retry), {
    code: 'endpoint_closed',
    method: 'GET',
    attempts: 1,
    reach: { failures: 1, lostMs: 0 },
    replayable: true,
    charged: false,
    ...situation,
  });
}

test('methods that may be sent twice (RFC 9110 section 9.2.2)', () => {
  expect(METHODS.filter(isIdempotent)).toEqual([...IDEMPOTENT]);
});

describe('what may be tried again', () => {
  test('every failure with every method: by its class in the table of failures, and no other way', () => {
    for (const code of CODES) {
      for (const method of METHODS) {
        const proof = FAILURES[code].retry;
        const safe =
          proof === 'safe' || proof === 'chosen' || (proof === 'idempotent' && IDEMPOTENT.has(method));
        expect(`${code} ${method} ${judge({ code, method })}`).toBe(
          `${code} ${method} ${safe ? 'now' : 'no'}`,
        );
        expect(judge({ code, method, replayable: false })).toBe('no');
        expect(judge({ code, method }, { attempts: 0 })).toBe('no');
      }
    }
  });

  test('nothing that the client did, and nothing after the response head', () => {
    for (const code of CODES) {
      const { origin, phase } = FAILURES[code];
      if (origin === 'client' || phase === 'response-body' || phase === 'tunnel')
        expect([code, FAILURES[code].retry]).toEqual([code, 'never']);
      if (FAILURES[code].retry !== 'safe') continue;
      // HTTP/2 says of a stream that nobody has looked at it (RFC 9113 section 8.7).
      const refused = code === 'stream_refused' || code === 'endpoint_goaway';
      expect(refused ? ['send'] : ['connect', 'handshake']).toContain(phase);
    }
  });

  test('a connection that was dead already costs no attempt', () => {
    expect(CODES.filter(isFree)).toEqual(['endpoint_stale', 'endpoint_goaway']);
    expect(judge({ code: 'endpoint_stale', attempts: 100 })).toBe('now');
    expect(judge({ code: 'endpoint_stale', method: 'POST' })).toBe('no');
  });

  test('as often as is configured', () => {
    expect([1, 2, 3].map((attempts) => judge({ attempts }, { attempts: 2 }))).toEqual(['now', 'now', 'no']);
  });
});

describe('the budget', () => {
  test('leaves room for a share of the requests under way, and for a few always', () => {
    const one = pool({ budgetPercent: 20, minRetries: 3 });
    const verdict = (charged = false): RetryVerdict =>
      judgeRetry(one, {
        code: 'endpoint_closed',
        method: 'GET',
        attempts: 1,
        reach: { failures: 0, lostMs: 0 },
        replayable: true,
        charged,
      });
    for (const [activeRequests, activeRetries, expected] of [
      [1, 0, 'now'],
      [1, 2, 'now'],
      [1, 3, 'later'],
      [15, 3, 'later'],
      [16, 3, 'now'],
      [100, 19, 'now'],
      [100, 20, 'later'],
    ] as const) {
      setCounts(one.counts, { activeRequests, activeRetries, queued: 0 });
      expect([activeRequests, activeRetries, verdict()]).toEqual([activeRequests, activeRetries, expected]);
      // Who holds a place has it.
      expect(verdict(true)).toBe('now');
    }
  });

  test('may be nothing', () => {
    expect(judge({}, { budgetPercent: 0, minRetries: 0 })).toBe('later');
    // What costs an endpoint nothing is not bounded by it.
    expect(judge({ code: 'connect_refused' }, { budgetPercent: 0, minRetries: 0 })).toBe('now');
  });
});

test('waiting grows to a quarter of a second, with full jitter', () => {
  const longest = { next: () => 0.999_999 };
  expect([0, 1, 2, 3, 4, 10, 1000].map((retries) => Math.round(backoffMs(retries, longest)))).toEqual([
    25, 50, 100, 200, 250, 250, 250,
  ]);
  const random = seededRandom(1);
  const waits = Array.from({ length: 1000 }, () => backoffMs(2, random));
  expect(Math.min(...waits)).toBeWithin(0, 5);
  expect(Math.max(...waits)).toBeWithin(95, 100);
});
