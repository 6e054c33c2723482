import { formatAddress } from '../config/schema/address.ts';
import type { Config } from '../config/schema/config.ts';
import type { HttpListenerConfig } from '../config/schema/listener.ts';
import { createFilter } from '../filters/registry.ts';
import { ForwardingPolicy } from '../l7/client-forwarding.ts';
import { pickArm, redirectLocation, type Split } from '../l7/route.ts';
import { compileRoutes, type RouteVerdict } from '../l7/router.ts';
import { type FailureCode, FAILURES } from '../model/failures.ts';
import type { RequestHead } from '../model/message.ts';
import type { Log } from '../model/ports.ts';
import type { WeightedArms } from '../model/weighted-arms.ts';
import type { HandshakeFailureReason } from '../model/tls-stats.ts';
import { systemClock } from '../util/clock.ts';
import { type Random, seededRandom } from '../util/random.ts';
import { type FilterEffect, headLines, runFilters } from './explain-filters.ts';
import {
  type Choice,
  chooseEndpoint,
  AskedPools,
  type LinkedPool,
  type PoolDecision,
} from './explain-pool.ts';
import type { LiveState } from './explain-live.ts';
import { type AskedRequest, readRequest } from './explain-request.ts';
import { askedHandshake } from './explain-tls.ts';

/** Everything that is decided about one request, and why. Printed as it is by `--json`. */
export interface Decision {
  readonly listener: { readonly name: string; readonly address: string };
  /** Who connects, where there is no request. */
  readonly client?: string;
  /** The handshake, where the URL begins with https. */
  readonly tls?: {
    /** Empty when the client names none. */
    readonly serverName: string;
    /** Names of the certificate that is shown. */
    readonly certificate: readonly string[];
  };
  /** What the listener read; absent when it refuses the request. */
  readonly request?: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly query: string;
    readonly clientIp: string;
  };
  readonly routes: readonly { readonly route: string; readonly verdict: RouteVerdict }[];
  /** Name of the route; absent when none fits. */
  readonly route?: string;
  readonly filters: readonly FilterEffect[];
  readonly split?: readonly { readonly pool: string; readonly percent: number }[];
  readonly pool?: PoolDecision;
  readonly result: Result;
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
  /** Waits until an endpoint is below its `maxConnections`. */
  /** No route passes the TLS of the client on: the listener ends it, and what comes then are requests. */
  | { readonly kind: 'tls-ended' }
  | { readonly kind: 'queue'; readonly size: number; readonly timeoutMs: number }
  | { readonly kind: 'reply'; readonly status: number; readonly by: string }
  /** The handshake fails, as counted by `pointsman_tls_handshake_failures_total`. */
  | { readonly kind: 'refused'; readonly reason: HandshakeFailureReason; readonly serverName: string }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  | {
      readonly kind: 'failure';
      readonly code: FailureCode;
      readonly status: number;
      readonly meaning: string;
    };

export const NOBODY_LISTENS: Log = { debug() {}, info() {}, warn() {}, error() {} };
/** Draws are the same each time, so that the same question has the same answer. */
export const SEED = 1;

export function failed(code: FailureCode): Result {
  const { status, meaning } = FAILURES[code];
  return { kind: 'failure', code, status, meaning };
}

/** Who asks, and whom. */
export interface Situation {
  readonly listener: HttpListenerConfig;
  /** Who connects; trusted proxies may name another client. */
  readonly peerIp: string;
  /** Names the machine in Via, as `run` does. */
  readonly instance: string;
  /** State of the endpoints; without it, as right after a start. */
  readonly live?: LiveState | undefined;
}

/**
 * Decides about a request as the data path would, by the same codec, router, filters, affinity and policies. Opens no
 * socket and changes nothing.
 */
export function decide(config: Config, asked: AskedRequest, situation: Situation): Decision {
  const random = seededRandom(SEED);
  const pools = new AskedPools(config.pools, { random, log: NOBODY_LISTENS, live: situation.live });
  try {
    return decideWith(pools, asked, situation, random);
  } finally {
    pools.publisher.stop();
  }
}

function decideWith(
  pools: AskedPools,
  asked: AskedRequest,
  { listener, peerIp, instance }: Situation,
  random: Random,
): Decision {
  const at = { listener: { name: listener.name, address: formatAddress(listener.address) } };
  const nothing = { routes: [], filters: [] };
  const request = readRequest(asked, listener);
  if ('code' in request) return { ...at, ...nothing, result: failed(request.code) };

  const { serverName } = asked;
  const handshake = asked.secure ? askedHandshake(listener, serverName) : undefined;
  if (handshake !== undefined && handshake.certificate === undefined)
    return { ...at, ...nothing, result: { kind: 'refused', reason: 'unknown-name', serverName } };

  const client = new ForwardingPolicy(listener, instance).forPeer(peerIp, asked.secure, handshake?.info);
  const refused = client.apply(request, 'HTTP/1.1');
  const clientIp = client.ip;
  const { method, authority: host, path, query } = request;
  const tls = handshake === undefined ? {} : { tls: { serverName, certificate: handshake.certificate! } };
  const read = { ...at, ...tls, request: { method, host, path, query, clientIp } };
  if (refused !== undefined) return { ...read, ...nothing, result: failed(refused) };

  const router = compileRoutes<LinkedPool>(listener.routes, {
    pool: (name) => pools.get(name),
    filter: (filter) => createFilter(filter, { log: NOBODY_LISTENS }),
  });
  const routes = router
    .explain(request, clientIp)
    .map(({ route, verdict }) => ({ route: route.name, verdict }));
  const route = router.route(request, clientIp);
  if (route === undefined) return { ...read, ...nothing, routes, result: failed('no_route') };

  const { secure } = asked;
  const context = { request, clientIp, secure, routeName: route.name, nowMs: systemClock.nowMs() };
  const { effects: filters, status } = runFilters(route, context);
  const routed = { ...read, routes, route: route.name, filters };
  if (status !== undefined)
    return { ...routed, result: { kind: 'reply', status, by: `filter ${filters.at(-1)!.filter}` } };

  const { action } = route;
  if (action.kind === 'reply')
    return { ...routed, result: { kind: 'reply', status: action.reply.status, by: `route ${route.name}` } };
  if (action.kind === 'redirect') {
    const location = redirectLocation(action, request);
    return { ...routed, result: { kind: 'redirect', status: action.status, location } };
  }
  const linked = action.kind === 'pool' ? action.pool : armOf(action, request, random);
  const { pool, choice } = chooseEndpoint(pools, linked, request, { ip: clientIp, port: undefined }, random);
  return {
    ...routed,
    ...(action.kind === 'split' && { split: shares(action) }),
    pool,
    result: resultOf(choice, request),
  };
}

function resultOf(choice: Choice, request: RequestHead): Result {
  if ('failure' in choice) return failed(choice.failure);
  if ('queue' in choice) return { kind: 'queue', size: choice.queue.size, timeoutMs: choice.queue.timeout };
  const { endpoint, because } = choice;
  const address = formatAddress(endpoint.config.address);
  return { kind: 'endpoint', endpoint: endpoint.name, address, because, sends: headLines(request) };
}

export function shares(
  split: WeightedArms<LinkedPool>,
): { readonly pool: string; readonly percent: number }[] {
  return split.arms.map(({ pool, weight }) => ({
    pool: pool.config.name,
    percent: (weight * 100) / split.totalWeight,
  }));
}

function armOf(split: Split<LinkedPool>, request: RequestHead, random: Random): LinkedPool {
  return pickArm(split, random, request, (arm) => arm.affinity?.bound(request) !== undefined);
}
