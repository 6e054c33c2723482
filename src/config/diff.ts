import { type PairedRoute, pairRoutes } from './route-pairs.ts';
import { formatAddress } from './schema/address.ts';
import type { Config } from './schema/config.ts';
import type { ListenerConfig } from './schema/listener.ts';
import type { EndpointConfig, PoolConfig } from './schema/pool.ts';

/** One object that differs between two configurations. */
export interface ConfigChange {
  readonly object: 'setting' | 'listener' | 'route' | 'pool' | 'endpoint';
  /**
   * `workers`; `web`; `web/api` or `web/routes[2]`, its place in the new configuration, or in the old one when it was
   * removed; `api`; `api/10.0.0.1:3000`.
   */
  readonly name: string;
  /** `moved`: a listener at another address, an endpoint that is now another server, a route in another place. */
  readonly change: 'added' | 'removed' | 'changed' | 'moved';
  /** What is not the same, such as `timeouts.idle`; nothing for what was added or removed. */
  readonly keys: readonly string[];
  /** Where it was and is: of what moved. */
  readonly from?: string;
  readonly to?: string;
  /** A running process does not take it over: it holds from the next start on. */
  readonly restart: boolean;
}

/** Settings that a running process does not take over. */
const RESTART_SETTINGS = ['admin', 'accessLog', 'log', 'watch'] as const;
const LIVE_SETTINGS = ['workers', 'shutdown', 'workerWatchdog', 'acme'] as const;
const SETTINGS = [...RESTART_SETTINGS, ...LIVE_SETTINGS] as const;

/** `next`, as far as a process that runs with `running` takes it over. */
export function withoutRestart(running: Config, next: Config): Config {
  const { admin, accessLog, log, watch } = running;
  return { ...next, admin, accessLog, log, watch };
}

/**
 * What turns configuration `a` into `b`: settings, then listeners with their routes, then pools with their endpoints, in the
 * order of `b`, and what was removed behind its like. Empty when both say the same.
 */
export function diffConfigs(a: Config, b: Config): ConfigChange[] {
  const changes: ConfigChange[] = [];
  for (const name of SETTINGS) {
    const keys = changedKeys({ [name]: a[name] }, { [name]: b[name] });
    const restart = !LIVE_SETTINGS.some((live) => live === name);
    if (keys.length > 0) changes.push({ object: 'setting', name, change: 'changed', keys, restart });
  }
  diffNamed(a.listeners, b.listeners, 'listener', '', changes, diffListener);
  diffNamed(a.pools, b.pools, 'pool', '', changes, diffPool);
  return changes;
}

function at(
  object: ConfigChange['object'],
  name: string,
  change: ConfigChange['change'],
  more: Partial<ConfigChange> = {},
): ConfigChange {
  return { object, name, change, keys: [], restart: false, ...more };
}

interface Named {
  readonly name: string;
}

function diffNamed<T extends Named>(
  before: readonly T[],
  after: readonly T[],
  object: ConfigChange['object'],
  prefix: string,
  changes: ConfigChange[],
  diff: (before: T, after: T, name: string, changes: ConfigChange[]) => void,
): void {
  const known = new Map(before.map((item) => [item.name, item]));
  for (const item of after) {
    const name = prefix + item.name;
    const earlier = known.get(item.name);
    known.delete(item.name);
    if (earlier === undefined) changes.push(at(object, name, 'added'));
    else if (!Bun.deepEquals(earlier, item)) diff(earlier, item, name, changes);
  }
  for (const item of known.values()) changes.push(at(object, prefix + item.name, 'removed'));
}

function diffListener(
  before: ListenerConfig,
  after: ListenerConfig,
  name: string,
  changes: ConfigChange[],
): void {
  const from = formatAddress(before.address);
  const to = formatAddress(after.address);
  if (from !== to) changes.push(at('listener', name, 'moved', { keys: ['address'], from, to }));
  const keys = changedKeys(before, after, ['address', 'routes']);
  if (keys.length > 0) changes.push(at('listener', name, 'changed', { keys }));
  if (before.protocol === after.protocol) diffRoutes(routesOf(before), routesOf(after), name, changes);
}

function routesOf(listener: ListenerConfig): readonly PairedRoute[] {
  return listener.protocol === 'udp' ? [] : (listener.routes ?? []);
}

function diffRoutes(
  before: readonly PairedRoute[],
  after: readonly PairedRoute[],
  listener: string,
  changes: ConfigChange[],
): void {
  const pairs = pairRoutes(before, after);
  const nameOf = (route: PairedRoute | undefined, index: number): string =>
    `${listener}/${placeOf(route, index)}`;
  const kept = new Set(pairs);
  // The first match wins, so order counts: a route that stands behind one which it stood before has moved.
  let furthest = -1;
  for (const [index, route] of after.entries()) {
    const pair = pairs[index];
    const name = nameOf(route, index);
    if (pair === undefined) {
      changes.push(at('route', name, 'added'));
      continue;
    }
    if (pair < furthest)
      changes.push(at('route', name, 'moved', { from: `routes[${pair}]`, to: `routes[${index}]` }));
    furthest = Math.max(furthest, pair);
    if (Bun.deepEquals(before[pair], route)) continue;
    const keys = changedKeys(before[pair]!, route);
    if (keys.length > 0) changes.push(at('route', name, 'changed', { keys }));
  }
  for (const [index, route] of before.entries()) {
    if (!kept.has(index)) changes.push(at('route', nameOf(route, index), 'removed'));
  }
}

function placeOf(route: PairedRoute | undefined, index: number): string {
  return route?.name ?? `routes[${index}]`;
}

function diffPool(before: PoolConfig, after: PoolConfig, name: string, changes: ConfigChange[]): void {
  const keys = changedKeys(before, after, ['endpoints']);
  if (!sameOrder(before.endpoints, after.endpoints)) keys.push('order of endpoints');
  if (keys.length > 0) changes.push(at('pool', name, 'changed', { keys }));
  diffNamed(before.endpoints, after.endpoints, 'endpoint', `${name}/`, changes, diffEndpoint);
}

/** Whether those that both have come in the same order: some policies begin with the first. */
function sameOrder(before: readonly Named[], after: readonly Named[]): boolean {
  const names = new Set(after.map(({ name }) => name));
  const known = new Set(before.map(({ name }) => name));
  const kept = before.filter(({ name }) => names.has(name));
  return after.filter(({ name }) => known.has(name)).every(({ name }, index) => name === kept[index]?.name);
}

function diffEndpoint(
  before: EndpointConfig,
  after: EndpointConfig,
  name: string,
  changes: ConfigChange[],
): void {
  const from = formatAddress(before.address);
  const to = formatAddress(after.address);
  if (from !== to) changes.push(at('endpoint', name, 'moved', { keys: ['address'], from, to }));
  const keys = changedKeys(before, after, ['address']);
  if (keys.length > 0) changes.push(at('endpoint', name, 'changed', { keys }));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Dotted keys whose values differ; lists are compared whole. */
function changedKeys(before: object, after: object, except: readonly string[] = [], prefix = ''): string[] {
  const a = before as Readonly<Record<string, unknown>>;
  const b = after as Readonly<Record<string, unknown>>;
  const keys: string[] = [];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (except.includes(key) || Bun.deepEquals(a[key], b[key])) continue;
    if (isMap(a[key]) && isMap(b[key])) keys.push(...changedKeys(a[key], b[key], [], `${prefix}${key}.`));
    else keys.push(prefix + key);
  }
  return keys;
}

/** A change in words: `pool api changed (policy, timeouts.idle)`. */
export function formatChange({ object, name, change, keys, from, to, restart }: ConfigChange): string {
  const where = from === undefined || to === undefined ? '' : ` from ${from} to ${to}`;
  const what = change === 'changed' ? ` (${keys.join(', ')})` : '';
  return `${object} ${name} ${change}${where}${what}${restart ? ', from the next start on' : ''}`;
}
