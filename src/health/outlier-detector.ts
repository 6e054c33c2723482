import type { OutlierDetectionConfig } from '../config/schema/pool.ts';
import { parseStatusSet } from '../config/status-set.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { Pool } from '../model/pool.ts';
import type { OutcomeObserver } from '../model/ports.ts';
import type { OutcomeWindow } from '../model/shared/outcome-window.ts';
import type { SharedMark } from '../model/shared/shared-mark.ts';
import type { Clock } from '../util/clock.ts';

/** What speaks against an endpoint. Plain data, so that it can be sent. */
export interface Suspicion {
  /** The attempt that was one too many could not even connect. */
  readonly unreachable: boolean;
  /** The rule that is broken and the last failure, in words. */
  readonly reason: string;
}

/** Decides what becomes of a suspicion: the one authority on ejections, wherever it is. */
export interface Judge {
  suspect(pool: Pool, endpoint: Endpoint, suspicion: Suspicion): void;
}

/** How long after a suspicion the rules look again at an endpoint that was not ejected. */
const ASK_AGAIN_MS = 1000;

/**
 * Failures of the endpoint's that do not speak against it: a reused connection that it closed while idle is everyday life,
 * and what follows from the verdict of the active check is no news.
 */
const BLAMELESS: ReadonlySet<FailureCode> = new Set(['endpoint_stale', 'endpoint_unhealthy']);

/** What is remembered of an endpoint between two outcomes: what all workers have seen together. */
class Tally {
  readonly config: OutlierDetectionConfig;
  readonly isBad: (status: number) => boolean;
  /** Undefined when nobody asks for it. */
  readonly window: OutcomeWindow | undefined;
  /** Failures in a row. */
  readonly streak: SharedMark;
  askAgainMs = 0;

  constructor(config: OutlierDetectionConfig, { counts }: Endpoint) {
    this.config = config;
    this.isBad = parseStatusSet(config.statuses);
    this.streak = counts.streak;
    this.window = config.failurePercent > 0 ? counts.outcomes : undefined;
    this.window?.fit(config.window);
  }

  clear(): void {
    this.streak.clear();
    this.askAgainMs = 0;
    this.window?.clear();
  }
}

/**
 * Watches endpoints by real traffic: failures in a row, or a share of failures within a window, call for an ejection. Each rule
 * states its reason. Outcomes of an endpoint that is out already change nothing. What has been seen is held against the endpoint
 * until it is ejected.
 */
export class OutlierDetector implements OutcomeObserver {
  readonly #clock: Clock;
  readonly #judge: Judge;
  readonly #tallies = new WeakMap<Endpoint, Tally>();

  constructor(clock: Clock, judge: Judge) {
    this.#clock = clock;
    this.#judge = judge;
  }

  /** The endpoint was ejected: it begins anew when it comes back. */
  forgive(endpoint: Endpoint): void {
    this.#tallies.get(endpoint)?.clear();
  }

  observe(pool: Pool, endpoint: Endpoint, failure: FailureCode | undefined, status: number): void {
    const config = pool.config.outlierDetection;
    if (config === false) return;
    let tally = this.#tallies.get(endpoint);
    if (tally?.config !== config) {
      tally = new Tally(config, endpoint);
      this.#tallies.set(endpoint, tally);
    }
    if (failure === undefined && !tally.isBad(status)) {
      tally.streak.clear();
      tally.window?.record(false, this.#clock.nowMs());
      return;
    }
    if (failure !== undefined && (FAILURES[failure].origin !== 'endpoint' || BLAMELESS.has(failure))) return;
    this.#onFailure(pool, endpoint, tally, failure, status);
  }

  #onFailure(
    pool: Pool,
    endpoint: Endpoint,
    tally: Tally,
    failure: FailureCode | undefined,
    status: number,
  ): void {
    const nowMs = this.#clock.nowMs();
    if (endpoint.ejectedUntilMs > nowMs || endpoint.health === 'unhealthy' || endpoint.admin === 'disabled')
      return;
    const streak = tally.streak.increment();
    tally.window?.record(true, nowMs);
    if (nowMs < tally.askAgainMs) return;
    const broken = brokenRule(tally, streak, nowMs);
    if (broken === undefined) return;
    tally.askAgainMs = nowMs + ASK_AGAIN_MS;
    const last = failure === undefined ? `status ${status}` : failure;
    const phase = failure === undefined ? undefined : FAILURES[failure].phase;
    this.#judge.suspect(pool, endpoint, {
      unreachable: phase === 'connect' || phase === 'handshake',
      reason: `${broken} (last: ${last})`,
    });
  }
}

/** The rule that the endpoint breaks, in words. */
function brokenRule({ config, window }: Tally, streak: number, nowMs: number): string | undefined {
  if (config.consecutiveFailures > 0 && streak >= config.consecutiveFailures)
    return `${streak} failures in a row`;
  window?.sum(nowMs);
  if (
    window === undefined ||
    window.outcomes < config.minRequests ||
    window.failurePercent < config.failurePercent
  ) {
    return undefined;
  }
  return `${window.failurePercent.toFixed(0)} % of ${window.outcomes} requests failed within ${config.window} ms`;
}
