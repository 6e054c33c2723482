import type { PoolConfig } from '../config/schema/pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { canTake, type PickRequest } from '../model/picker.ts';
import type { Random } from '../util/random.ts';
import { BoundedLoad } from './bounded-load.ts';
import type { Judgement, PolicyDeps, PolicyPicker } from './policy.ts';
import { RandomTwoPicker } from './random-two.ts';

/** A circle of slots, each owned by an endpoint; a hash falls on one and walks on from there. */
export interface HashTable {
  /** Owner of each slot, as an index into the endpoints in the order of their names. */
  readonly owners: Uint32Array;
  /** The slot on which a hash (unsigned, 32 bits) falls. */
  locate(hash: number): number;
}

/** How a policy makes its table. */
interface TableRecipe {
  /** All that the table depends on beside names and weights. */
  readonly parameters: string;
  make(endpoints: readonly Endpoint[]): HashTable;
}

/** Slots looked at before the walk gives up on chance and asks each endpoint in turn; none where slots have no owner. */
function walkLimit(table: HashTable, endpoints: readonly Endpoint[]): number {
  if (endpoints.length === 0) return 0;
  return Math.min(table.owners.length, 32 + 2 * endpoints.length);
}

class HashPicker implements PolicyPicker {
  readonly table: HashTable;
  /** Names, weights and parameters of the table. */
  readonly fingerprint: string;
  readonly #endpoints: readonly Endpoint[];
  readonly #bound: BoundedLoad;
  readonly #unhashed: RandomTwoPicker;
  readonly #walkLimit: number;
  readonly #boundFactor: number;

  constructor(
    table: HashTable,
    fingerprint: string,
    endpoints: readonly Endpoint[],
    boundFactor: number,
    random: Random,
  ) {
    this.table = table;
    this.fingerprint = fingerprint;
    this.#endpoints = endpoints;
    this.#boundFactor = boundFactor;
    this.#bound = new BoundedLoad(endpoints, boundFactor);
    this.#unhashed = new RandomTwoPicker(endpoints, random);
    this.#walkLimit = walkLimit(table, endpoints);
  }

  pick(request: PickRequest): Endpoint | undefined {
    if (request.hash < 0) return this.#unhashed.pick(request);
    const { owners } = this.table;
    this.#bound.begin();
    let slot = this.table.locate(request.hash);
    for (let step = 0; step < this.#walkLimit; step++) {
      const endpoint = this.#endpoints[owners[slot]!]!;
      if (this.#bound.admits(endpoint, request)) return endpoint;
      slot = slot + 1 === owners.length ? 0 : slot + 1;
    }
    return this.#scan(request);
  }

  fork(random: Random): PolicyPicker {
    return new HashPicker(this.table, this.fingerprint, this.#endpoints, this.#boundFactor, random);
  }

  judge(endpoint: Endpoint, request: PickRequest): Judgement {
    if (request.hash < 0) return this.#unhashed.judge(endpoint);
    const { owners } = this.table;
    const start = this.table.locate(request.hash);
    let steps = 0;
    while (steps < owners.length && this.#endpoints[owners[(start + steps) % owners.length]!] !== endpoint)
      steps++;
    const score = steps === owners.length ? Number.POSITIVE_INFINITY : steps;
    const meaning = 'slots from the hash to its nearest, fewest wins';
    this.#bound.begin();
    const obstacle = this.#bound.obstacle(endpoint, request);
    return obstacle === undefined ? { score, meaning } : { score, meaning, obstacle };
  }

  /** Each endpoint once, from a place that depends on the hash: first within the bound, else any that can take it. */
  #scan(request: PickRequest): Endpoint | undefined {
    const count = this.#endpoints.length;
    let beyondBound: Endpoint | undefined;
    for (let step = 0; step < count; step++) {
      const endpoint = this.#endpoints[(request.hash + step) % count]!;
      if (this.#bound.admits(endpoint, request)) return endpoint;
      if (beyondBound === undefined && canTake(endpoint, request)) beyondBound = endpoint;
    }
    return beyondBound;
  }
}

/** In the order of their names, so that every balancer with the same endpoints makes the same choices. */
function byName(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return endpoints.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Picks through a table; the table of `previous` is used again when it would come out the same. */
export function buildHashPicker(
  endpoints: readonly Endpoint[],
  config: PoolConfig,
  deps: PolicyDeps,
  previous: PolicyPicker | undefined,
  recipe: TableRecipe,
): PolicyPicker {
  const ordered = byName(endpoints);
  const members = ordered.map((endpoint) => [endpoint.name, endpoint.effectiveWeight]);
  const fingerprint = JSON.stringify([recipe.parameters, members]);
  const table =
    previous instanceof HashPicker && previous.fingerprint === fingerprint
      ? previous.table
      : recipe.make(ordered);
  return new HashPicker(table, fingerprint, ordered, config.hash.boundedLoad, deps.random);
}
