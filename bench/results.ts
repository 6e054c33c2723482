import type { LoadResult } from './wrk.ts';

/** One load on one proxy. */
export interface Sample extends LoadResult {
  /** CPU time of the proxy for one request, in microseconds. */
  readonly cpuUs: number;
  readonly perSecond: number;
  /** Cores (1 is a whole one) that processes which are not ours used meanwhile. */
  readonly foreignCores: number;
}

/** What one proxy did in one case. */
export interface CaseResult {
  readonly proxy: string;
  readonly title: string;
  /** One a round, in the order of the rounds. */
  readonly samples: readonly Sample[];
  /** Memory of the whole proxy after the warm-up. */
  readonly memoryBytes: number;
  readonly idle: IdleResult | undefined;
}

export interface IdleResult {
  readonly held: number;
  readonly openAtEnd: number;
  readonly bytesPerConnection: number;
}

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly plain: boolean;
  readonly results: readonly CaseResult[];
}
