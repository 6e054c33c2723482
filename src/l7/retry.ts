import { type Reach, triesOn } from '../connector/reach.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { Pool } from '../model/pool.ts';
import type { Random } from '../util/random.ts';

/** Methods that may be sent twice (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

const BACKOFF_BASE_MS = 25;
const BACKOFF_CAP_MS = 250;

export type RetryVerdict = 'no' | 'now' | 'later' | 'unreachable';

/** What the decision depends on besides the pool. */
export interface RetrySituation {
  readonly code: FailureCode;
  readonly method: string;
  /** Attempts so far in which the request was sent. */
  readonly attempts: number;
  /** Attempts so far in which nothing was sent. */
  readonly reach: Reach;
  /** The body can be sent again from its beginning. */
  readonly replayable: boolean;
  /** This exchange holds a place in the budget already. */
  readonly charged: boolean;
}

/** A reused connection that was dead or leaving already: no attempt was really made. */
export function isFree(code: FailureCode): boolean {
  return code === 'endpoint_stale' || code === 'endpoint_goaway';
}

/** Nothing was sent, so nothing can have been done twice and no work is added to an endpoint in trouble. */
export function nothingSent(code: FailureCode): boolean {
  return FAILURES[code].retry === 'safe';
}

/**
 * Whether a failed attempt may be followed by another (RFC 9110 section 9.2.2, and the budget of the pool).
 * `later`: it may, but too many retries are under way; ask again after `backoffMs`. `unreachable`: it might, but enough endpoints were
 * tried in vain.
 */
export function judgeRetry(pool: Pool, situation: RetrySituation): RetryVerdict {
  const { retry } = pool.config;
  const { code, method, attempts, reach, replayable, charged } = situation;
  const proof = FAILURES[code].retry;
  if (retry.attempts === 0 || proof === 'never' || !replayable) return 'no';
  if (proof === 'idempotent' && !IDEMPOTENT.has(method)) return 'no';
  if (isFree(code)) return 'now';
  if (nothingSent(code)) return triesOn(reach, retry) ? 'now' : 'unreachable';
  if (attempts > retry.attempts) return 'no';
  return charged || pool.activeRetries < retryBudget(pool) ? 'now' : 'later';
}

/** Retries that may be under way: `budgetPercent` of the requests under way, but some are always allowed. */
export function retryBudget(pool: Pool): number {
  const { budgetPercent, minRetries } = pool.config.retry;
  return Math.ceil(Math.max(minRetries, (pool.activeRequests * budgetPercent) / 100));
}

/** Full jitter: anything up to 25 ms doubled for each retry before, at most 250 ms. */
export function backoffMs(retries: number, random: Random): number {
  return random.next() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** retries);
}

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}
