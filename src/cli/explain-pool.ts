import { type CandidateExplanation, explainPick } from '../balancer/explain.ts';
import { createPool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import type { HashKeyConfig, PoolConfig } from '../config/schema/pool.ts';
import { CookieAffinity } from '../filters/affinity/cookie-affinity.ts';
import { hashKeyOf } from '../l7/hash-key.ts';
import { hashClient, hashClientPort, hashedKey } from '../model/hashed-key.ts';
import { availability, type Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import type { Pool } from '../model/pool.ts';
import type { Log } from '../model/ports.ts';
import { systemClock } from '../util/clock.ts';
import type { Random } from '../util/random.ts';
import type { Peer } from './explain-listener.ts';
import { adopt, type LiveState } from './explain-live.ts';

const NOTHING_TRIED: readonly Endpoint[] = [];

/** A pool as it judged a request. */
export interface PoolDecision {
  readonly name: string;
  readonly policy: string;
  readonly panic: boolean;
  /** What the policy hashes, and the hash; null when the request does not have it. */
  readonly hash?: { readonly key: string; readonly value: number | null };
  readonly affinity?: { readonly cookie: string; readonly bound: string | null };
  readonly candidates: readonly CandidateExplanation[];
}

/** A pool with what the data path links to it. */
export interface LinkedPool {
  readonly pool: Pool;
  readonly config: PoolConfig;
  readonly affinity: CookieAffinity | undefined;
}

export interface PoolsOptions {
  readonly random: Random;
  readonly log: Log;
  /** State of a running instance; without it, every endpoint that the file enables may be used and carries nothing. */
  readonly live: LiveState | undefined;
}

/** Pools to ask, which serve nobody. */
export class AskedPools {
  readonly publisher: Publisher;
  readonly #pools = new Map<string, LinkedPool>();

  constructor(configs: readonly PoolConfig[], { random, log, live }: PoolsOptions) {
    this.publisher = new Publisher({ clock: systemClock, random }, log);
    for (const config of configs) {
      const pool = createPool(config, this.publisher);
      for (const endpoint of pool.view.all) {
        const report = live?.get(config.name)?.get(endpoint.name);
        if (report === undefined) endpoint.health = 'unknown';
        else adopt(endpoint, report, systemClock);
      }
      this.publisher.publish(pool);
      const affinity = config.affinity && new CookieAffinity(pool, config.affinity);
      this.#pools.set(config.name, { pool, config, affinity });
    }
  }

  get(name: string): LinkedPool {
    const pool = this.#pools.get(name);
    if (pool === undefined) throw new RangeError(`there is no pool "${name}"`);
    return pool;
  }
}

/** Where a request of a pool goes, or why nowhere. */
export type Choice =
  | { readonly endpoint: Endpoint; readonly because: string }
  /** Everything that could take it is full. */
  | { readonly queue: PoolConfig['queue'] }
  | { readonly failure: FailureCode };

function hashOf(key: HashKeyConfig, request: RequestHead | undefined, client: Peer): number {
  if (request !== undefined) return hashKeyOf(key)(request, client.ip);
  if (key !== 'client-ip-port') return hashClient(client.ip);
  return client.port === undefined ? -1 : hashClientPort(client.ip, client.port);
}

function keyText(key: HashKeyConfig): string {
  return typeof key === 'string' ? key : Object.entries(key).flat().join(' ');
}

/**
 * Chooses as the data path does: the endpoint that the request is bound to while that may be used, else by the policy.
 * Changes nothing.
 * @param request Undefined for a session, of which nothing but the client is known.
 */
export function chooseEndpoint(
  pools: AskedPools,
  { pool, config, affinity }: LinkedPool,
  request: RequestHead | undefined,
  client: Peer,
  random: Random,
): { readonly pool: PoolDecision; readonly choice: Choice } {
  const key = hashedKey(config);
  const hash = key === undefined ? -1 : hashOf(key, request, client);
  const explained = explainPick(pools.publisher, pool, { hash, tried: NOTHING_TRIED }, random);
  const bound = request && affinity?.bound(request);
  const picked = pool.view.all.find(({ name }) => name === explained.chosen);
  const choice = judge(pool, bound, picked);
  const taken = 'endpoint' in choice ? choice.endpoint.name : undefined;
  const decision: PoolDecision = {
    name: config.name,
    policy: config.policy,
    panic: explained.panic,
    ...(key === undefined ? {} : { hash: { key: keyText(key), value: hash < 0 ? null : hash } }),
    ...(config.affinity && {
      affinity: { cookie: config.affinity.cookie.name, bound: bound?.name ?? null },
    }),
    candidates: explained.candidates.map((one) => Object.assign({}, one, { chosen: one.endpoint === taken })),
  };
  return { pool: decision, choice };
}

function judge(pool: Pool, bound: Endpoint | undefined, picked: Endpoint | undefined): Choice {
  const { affinity, policy, queue } = pool.config;
  if (bound !== undefined && availability(bound, systemClock.nowMs()) !== 'closed') {
    return bound.full
      ? { queue }
      : { endpoint: bound, because: `the cookie ${affinity!.cookie.name} binds the client to it` };
  }
  if (bound !== undefined && affinity!.strict) return { failure: 'affinity_unavailable' };
  if (picked !== undefined) return { endpoint: picked, because: `${policy} picks it` };
  return pool.view.available.some((endpoint) => endpoint.full) ? { queue } : { failure: 'no_endpoint' };
}
