import { type CandidateExplanation, explainPick } from '../balancer/explain.ts';
import { createPool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { ListenerConfig } from '../config/schema/listener.ts';
import type { HashKeyConfig, PoolConfig } from '../config/schema/pool.ts';
import { CookieAffinity } from '../filters/affinity/cookie-affinity.ts';
import { createFilter } from '../filters/registry.ts';
import { ForwardingPolicy } from '../l7/client-forwarding.ts';
import { hashedKey, hashKeyOf } from '../l7/hash-key.ts';
import { type CompiledRoute, pickArm, redirectLocation, type Split } from '../l7/route.ts';
import { compileRoutes, type RouteVerdict } from '../l7/router.ts';
import { availability, type Endpoint } from '../model/endpoint.ts';
import { type FailureCode, FAILURES } from '../model/failures.ts';
import type { FilterContext } from '../model/filter.ts';
import type { RequestHead } from '../model/message.ts';
import type { PickRequest } from '../model/picker.ts';
import type { Pool } from '../model/pool.ts';
import type { Log } from '../model/ports.ts';
import { systemClock } from '../util/clock.ts';
import { type Random, seededRandom } from '../util/random.ts';
import { type AskedRequest, readRequest } from './explain-request.ts';

/** Everything that is decided about one request, and why. Printed as it is by `--json`. */
export interface Decision {
  readonly listener: { readonly name: string; readonly address: string };
  /** What the listener read; absent when it refuses the request. */
  readonly request?: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly query: string;
    readonly clientIp: string;
  };
  readonly routes: readonly (RouteVerdict & { readonly route: string })[];
  /** Name of the route; absent when none fits. */
  readonly route?: string;
  readonly filters: readonly FilterEffect[];
  readonly split?: readonly { readonly pool: string; readonly percent: number }[];
  readonly pool?: PoolDecision;
  readonly result: Result;
}

export interface FilterEffect {
  readonly filter: string;
  /** What it did, for people. */
  readonly effect: string;
}

export interface PoolDecision {
  readonly name: string;
  readonly policy: string;
  readonly panic: boolean;
  /** What the policy hashes, and the hash; null when the request does not have it. */
  readonly hash?: { readonly key: string; readonly value: number | null };
  readonly affinity?: { readonly cookie: string; readonly bound: string | null };
  readonly candidates: readonly CandidateExplanation[];
}

/** What comes of the request. */
export type Result =
  | {
      readonly kind: 'endpoint';
      readonly endpoint: string;
      readonly address: string;
      readonly because: string;
      /** The head that the endpoint would get, without the lines that frame the body. */
      readonly sends: readonly string[];
    }
  | { readonly kind: 'reply'; readonly status: number; readonly by: string }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  | {
      readonly kind: 'failure';
      readonly code: FailureCode;
      readonly status: number;
      readonly meaning: string;
    };

const NOBODY_LISTENS: Log = { debug() {}, info() {}, warn() {}, error() {} };
const NOTHING_TRIED: readonly Endpoint[] = [];
/** Draws are the same each time, so that the same question has the same answer. */
const SEED = 1;

/** A pool with what the data path links to it. */
interface LinkedPool {
  readonly pool: Pool;
  readonly config: PoolConfig;
  readonly affinity: CookieAffinity | undefined;
}

function failed(code: FailureCode): Result {
  const { status, meaning } = FAILURES[code];
  return { kind: 'failure', code, status, meaning };
}

function keyText(key: HashKeyConfig): string {
  return typeof key === 'string' ? key : Object.entries(key).flat().join(' ');
}

/** Pools as they are right after a start: every endpoint that the file enables may be used, and carries nothing. */
class FreshPools {
  readonly publisher: Publisher;
  readonly #pools = new Map<string, LinkedPool>();

  constructor(configs: readonly PoolConfig[], random: Random) {
    this.publisher = new Publisher({ clock: systemClock, random }, NOBODY_LISTENS);
    for (const config of configs) {
      const pool = createPool(config, this.publisher);
      for (const endpoint of pool.view.all) endpoint.health = 'unknown';
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

/**
 * Decides about a request as the data path would: the same codec, router, filters, affinity and policies, on pools that
 * have just started. Opens no socket.
 * @param peerIp Who connects; trusted proxies may name another client.
 */
export function decide(
  config: Config,
  listener: ListenerConfig,
  asked: AskedRequest,
  peerIp: string,
): Decision {
  const random = seededRandom(SEED);
  const pools = new FreshPools(config.pools, random);
  try {
    return decideWith(pools, listener, asked, peerIp, random);
  } finally {
    pools.publisher.stop();
  }
}

function decideWith(
  pools: FreshPools,
  listener: ListenerConfig,
  asked: AskedRequest,
  peerIp: string,
  random: Random,
): Decision {
  const at = { listener: { name: listener.name, address: formatAddress(listener.address) } };
  const nothing = { routes: [], filters: [] };
  const request = readRequest(asked, listener);
  if ('code' in request) return { ...at, ...nothing, result: failed(request.code) };

  const client = new ForwardingPolicy(listener, 'explain').forPeer(peerIp, asked.secure);
  const refused = client.apply(request);
  const { method, authority: host, path, query } = request;
  const read = { ...at, request: { method, host, path, query, clientIp: client.ip } };
  if (refused !== undefined) return { ...read, ...nothing, result: failed(refused) };

  const router = compileRoutes<LinkedPool>(listener.routes, {
    pool: (name) => pools.get(name),
    filter: (filter) => createFilter(filter, { log: NOBODY_LISTENS }),
  });
  const routes = router
    .explain(request, client.ip)
    .map(({ route, verdict }) => ({ route: route.name, ...verdict }));
  const route = router.route(request, client.ip);
  if (route === undefined) return { ...read, ...nothing, routes, result: failed('no_route') };

  const filtered = runFilters(route, request, client.ip, asked.secure);
  const routed = { ...read, routes, route: route.name, filters: filtered.effects };
  if (filtered.status !== undefined)
    return {
      ...routed,
      result: { kind: 'reply', status: filtered.status, by: filtered.effects.at(-1)!.filter },
    };
  const { action } = route;
  switch (action.kind) {
    case 'reply':
      return { ...routed, result: { kind: 'reply', status: action.reply.status, by: route.name } };
    case 'redirect': {
      const location = redirectLocation(action, request);
      return { ...routed, result: { kind: 'redirect', status: action.status, location } };
    }
    case 'split':
      return {
        ...routed,
        split: shares(action),
        ...choose(pools, armOf(action, request, random), request, client.ip, random),
      };
    case 'pool':
      return { ...routed, ...choose(pools, action.pool, request, client.ip, random) };
  }
}

function shares(split: Split<LinkedPool>): Decision['split'] & object {
  return split.arms.map(({ pool, weight }) => ({
    pool: pool.config.name,
    percent: (weight * 100) / split.totalWeight,
  }));
}

function armOf(split: Split<LinkedPool>, request: RequestHead, random: Random): LinkedPool {
  return pickArm(split, random, request, (arm) => arm.affinity?.bound(request) !== undefined);
}

interface Filtered {
  readonly effects: readonly FilterEffect[];
  /** Set when a filter answered the request itself. */
  readonly status?: number;
}

function runFilters(
  route: CompiledRoute<LinkedPool>,
  request: RequestHead,
  clientIp: string,
  secure: boolean,
): Filtered {
  const context: FilterContext = {
    request,
    clientIp,
    secure,
    routeName: route.name,
    nowMs: systemClock.nowMs(),
  };
  const effects: FilterEffect[] = [];
  for (const filter of route.filters) {
    const before = headLines(request);
    const verdict = filter.onRequest?.(context);
    if (verdict instanceof Promise) {
      effects.push({ filter: filter.name, effect: 'answers later; taken as going on' });
      continue;
    }
    if (verdict !== undefined) {
      effects.push({ filter: filter.name, effect: `answers ${verdict.status}` });
      return { effects, status: verdict.status };
    }
    effects.push({ filter: filter.name, effect: difference(before, headLines(request)) });
  }
  return { effects };
}

function difference(before: readonly string[], after: readonly string[]): string {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return gone.length + come.length === 0 ? 'goes on' : [...gone, ...come].join(', ');
}

/** The head as it would be written, without what frames the body. */
function headLines(request: RequestHead): string[] {
  const { fields } = request;
  const lines = [`${request.method} ${request.path}${request.query} HTTP/1.1`];
  if (request.hostReplaced) lines.push(`Host: ${request.authority}`);
  for (let line = 0; line < fields.count; line++) {
    if (!fields.isDropped(line)) lines.push(`${fields.name(line)}: ${fields.value(line)}`);
  }
  return [...lines, ...fields.added.map((line) => line.bytes.latin1Slice().trimEnd())];
}

function choose(
  pools: FreshPools,
  { pool, config, affinity }: LinkedPool,
  request: RequestHead,
  clientIp: string,
  random: Random,
): { readonly pool: PoolDecision; readonly result: Result } {
  const key = hashedKey(config);
  const hash = key === undefined ? -1 : hashKeyOf(key)(request, clientIp);
  const question: PickRequest = { hash, tried: NOTHING_TRIED };
  const { candidates, panic, chosen } = explainPick(pools.publisher, pool, question, random);
  const bound = affinity?.bound(request);
  const picture: PoolDecision = {
    name: config.name,
    policy: config.policy,
    panic,
    ...(key === undefined ? {} : { hash: { key: keyText(key), value: hash < 0 ? null : hash } }),
    ...(config.affinity && {
      affinity: { cookie: config.affinity.cookie.name, bound: bound?.name ?? null },
    }),
    candidates,
  };
  const sends = headLines(request);
  const goesTo = (endpoint: Endpoint, because: string): Result => ({
    kind: 'endpoint',
    endpoint: endpoint.name,
    address: formatAddress(endpoint.config.address),
    because,
    sends,
  });
  if (bound !== undefined && availability(bound, systemClock.nowMs()) !== 'closed')
    return { pool: picture, result: goesTo(bound, `the cookie ${config.affinity!.cookie.name} binds it`) };
  if (bound !== undefined && config.affinity!.strict)
    return { pool: picture, result: failed('affinity_unavailable') };
  const endpoint = pool.view.all.find(({ name }) => name === chosen);
  return {
    pool: picture,
    result:
      endpoint === undefined
        ? failed('no_endpoint')
        : goesTo(endpoint, `the policy ${config.policy} picks it`),
  };
}
