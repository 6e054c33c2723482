import type { Places } from './places.ts';
import type { SharedCount } from './shared-count.ts';

/** What the endpoints that are balanced together carry, for policies that bound the share of one. */
export class PeerLoad {
  readonly #members: readonly Places[];
  /** There is one worker. */
  readonly #alone: boolean;
  /** Of this process. */
  #own = 0;
  /** Where each worker writes what it has on them, so that a pick adds up workers, not endpoints; undefined for groups without. */
  #shared: SharedCount | undefined;

  /** @param shared Of these endpoints alone, in all workers. */
  constructor(members: readonly Places[], shared?: SharedCount) {
    this.#members = members;
    this.#alone = members[0]?.alone !== false;
    this.#shared = this.#alone ? undefined : shared;
    for (const { own } of members) this.#own += own;
    this.#shared?.set(this.#own);
  }

  /** Sum of the `inFlight` of all. Exact as soon as all workers have published who is balanced together. */
  get inFlight(): number {
    if (this.#alone) return this.#own;
    if (this.#shared !== undefined) return this.#shared.sum;
    let sum = this.#own;
    for (const { others } of this.#members) sum += others;
    return sum;
  }

  /** This process has taken a place at one of them (1), or given it back (-1). */
  change(delta: number): void {
    this.#own += delta;
    this.#shared?.set(this.#own);
  }

  /** Others are balanced together from now on: what is given back to these does not count there. */
  retire(): void {
    this.#shared = undefined;
  }
}
