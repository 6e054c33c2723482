import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { Pool } from '../model/pool.ts';
import type { Random } from '../util/random.ts';
import { backoffMs, isFree, judgeRetry, nothingSent, retryBudget, type RetryVerdict } from './retry.ts';

/** Connections that were dead or leaving already cost no attempt, but not without end. */
const MAX_FREE = 8;

/** How long an exchange waits for a place in the retry budget, milliseconds. */
const BUDGET_PATIENCE_MS = 2000;

/** Where the endpoint may have worked on the request, another attempt adds to its work: that is what the budget bounds. */
function isCostly(code: FailureCode): boolean {
  return !nothingSent(code) && !isFree(code);
}

/** What a request has behind it that did not succeed at once: its failed attempts, its retries, its place in the retry budget. */
export class Retries {
  /** Of the latest failed attempt. */
  lastFailure: FailureCode | undefined = undefined;
  lastDetail = '';
  readonly #pool: Pool;
  #begun = 0;
  /** Attempts on connections that were dead already. */
  #free = 0;
  /** Attempts in which nothing was sent, and what they took together, milliseconds. */
  #unsent = 0;
  #lostMs = 0;
  /** Retries that added to the work of an endpoint. */
  #costly = 0;
  /** Holds a place in the retry budget. */
  #charged = false;
  #budgetSinceMs = -1;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** The attempt under way is not the first. */
  get begun(): boolean {
    return this.#begun > 0;
  }

  /**
   * An attempt failed.
   * @returns whether it counts: not when its connection was dead or leaving already, for then it was none.
   */
  failed(code: FailureCode, detail: string, elapsedMs: number): boolean {
    this.lastFailure = code;
    this.lastDetail = detail;
    if (isFree(code) && this.#free < MAX_FREE) {
      this.#free++;
      return false;
    }
    if (nothingSent(code)) {
      this.#unsent++;
      this.#lostMs += elapsedMs;
    }
    return true;
  }

  /** Whether another attempt may follow a failure of that kind, after `count` attempts that count. */
  judge(code: FailureCode, method: string, count: number, replayable: boolean): RetryVerdict {
    return judgeRetry(this.#pool, {
      code,
      method,
      attempts: count - this.#unsent,
      reach: { failures: this.#unsent, lostMs: this.#lostMs },
      replayable,
      charged: this.#charged,
    });
  }

  /** Another attempt is to follow such a failure. Returns false, and none begins, when the budget has no place. */
  begin(code: FailureCode): boolean {
    const costly = isCostly(code);
    if (costly && !this.#charged) {
      if (!this.#pool.counts.activeRetries.take(retryBudget(this.#pool))) return false;
      this.#charged = true;
    }
    this.#begun++;
    this.#pool.stats.retries++;
    if (costly) this.#costly++;
    return true;
  }

  /** How long the one that has begun waits, milliseconds; undefined when it goes at once. */
  pauseMs(code: FailureCode, random: Random): number | undefined {
    return isCostly(code) && this.#costly > 1 ? backoffMs(this.#costly, random) : undefined;
  }

  /** The budget has no place. Returns whether it is worth asking again. */
  mayWaitForBudget(nowMs: number): boolean {
    if (this.#budgetSinceMs < 0) this.#budgetSinceMs = nowMs;
    return nowMs - this.#budgetSinceMs <= BUDGET_PATIENCE_MS;
  }

  /** How long to wait before it is asked again, milliseconds. */
  budgetPauseMs(random: Random): number {
    return backoffMs(this.#costly + 1, random);
  }

  /** No endpoint answered, well or badly. What we have run out of ourselves is not said of endpoints. */
  get reachedNobody(): boolean {
    const last = this.lastFailure;
    return last === undefined || (FAILURES[last].phase === 'connect' && FAILURES[last].origin === 'endpoint');
  }

  /** The exchange is over. */
  end(): void {
    if (this.#charged) this.#pool.counts.activeRetries.give();
  }
}
