import type { PoolConfig } from '../config/schema/pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Picker, PickRequest } from '../model/picker.ts';
import type { Clock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';

/** Time and chance, as every policy gets them. */
export interface PolicyDeps {
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Turns that count as taken when a rotation begins: each worker begins at another place, or the first requests of all workers would go to the
   * first endpoint. Default 0.
   */
  readonly turns?: number;
}

/** What a picker thinks of one endpoint, for `explain`. */
export interface Judgement {
  /** The figure that it compares; what it means is said in `meaning`. */
  readonly score: number;
  /** Name of the figure and which way is better, such as `in flight / weight, least wins`. */
  readonly meaning: string;
  /** Why it is passed over although it could take the request. */
  readonly obstacle?: string;
}

/** A picker that can also be asked why. */
export interface PolicyPicker extends Picker {
  /** A copy that picks by the same code, draws from `random`, and whose picks leave no trace in this one. */
  fork(random: Random): PolicyPicker;
  /** How the next pick would judge one of its endpoints. May cost more than a pick. */
  judge(endpoint: Endpoint, request: PickRequest): Judgement;
}

/**
 * One way to choose an endpoint. Stateless: what must be remembered from pick to pick lies in the picker.
 *
 * `build` gets endpoints that take new work, in the order of the file, each with `effectiveWeight` above 0; it may get
 * none. A picker is built anew whenever membership or a weight changes; `previous` is the one it replaces (perhaps of
 * another policy), so that a rotation goes on where it was and an unchanged hash table is used again.
 */
export interface Policy {
  /** Needs the `latency` metric on its endpoints. */
  readonly usesLatency: boolean;
  build(
    endpoints: readonly Endpoint[],
    config: PoolConfig,
    deps: PolicyDeps,
    previous?: PolicyPicker,
  ): PolicyPicker;
}
