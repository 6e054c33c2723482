import { expect } from 'bun:test';

import type { EndpointProcess } from '../support/endpoint-process.ts';
import { startEndpoints } from '../support/endpoint-process.ts';
import { Load, type Shot, summary } from '../support/load.ts';
import { untilTrue } from '../support/services.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';

export type PoolInput = NonNullable<TestConfig['pools']>[number];

/** Real endpoints, the real program before them, and a steady load on it. */
export interface Scene {
  readonly pointsman: Pointsman;
  readonly endpoints: readonly EndpointProcess[];
  readonly load: Load;
}

/** Checks every quarter second, twice to be sure: a fault is known within a second. */
function watchedPool(endpoints: readonly EndpointProcess[], overrides: Partial<PoolInput> = {}): PoolInput {
  return {
    name: 'web',
    policy: 'round-robin',
    endpoints: endpoints.map(({ name, address }) => ({ name, address })),
    healthCheck: {
      http: { path: '/health' },
      interval: '250ms',
      fastInterval: '100ms',
      downInterval: '200ms',
      timeout: '250ms',
      fall: 2,
      rise: 1,
    },
    timeouts: { connect: '500ms', response: '2s', responseBody: '2s' },
    ...overrides,
  };
}

/** How many requests a second; half of them POST. */
const RATE_PER_SECOND = 200;

/** Runs `act` while the load goes on, and gives every request that was sent. */
export async function underLoad(
  overrides: Partial<PoolInput>,
  act: (scene: Scene) => Promise<void>,
): Promise<readonly Shot[]> {
  await using processes = await startEndpoints(3);
  const endpoints = processes.all;
  await using pointsman = await startPointsman({
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
    pools: [watchedPool(endpoints, overrides)],
  });
  const load = new Load({ address: pointsman.address(), ratePerSecond: RATE_PER_SECOND });
  await Bun.sleep(400);
  await act({ pointsman, endpoints, load });
  const shots = await load.stop();
  expect(pointsman.running).toBe(true);
  expect(shots.filter(({ mixedUp }) => mixedUp)).toEqual([]);
  expect(takenTwice(endpoints)).toEqual([]);
  return shots;
}

/** POST requests that endpoints took in more than once. */
function takenTwice(endpoints: readonly EndpointProcess[]): string[] {
  const seen = new Set<string>();
  const twice: string[] = [];
  for (const line of endpoints.flatMap((endpoint) => endpoint.taken())) {
    if (!line.startsWith('POST')) continue;
    if (seen.has(line)) twice.push(line);
    seen.add(line);
  }
  return twice;
}

/** Fails with the kinds of failures when there are more than `most`. */
export function atMost(most: number, failures: readonly Shot[]): void {
  const text = failures.length > most ? summary(failures) : '';
  expect(text).toBe('');
}

/** What its log has said last of the health of endpoints, by their names. */
function verdicts(pointsman: Pointsman): Map<string, string> {
  const lines = pointsman.lines('endpoint-healthy', 'endpoint-unhealthy');
  return new Map(
    lines.map((line) => [
      /\bendpoint=(\S+)/.exec(line)?.[1] ?? '',
      line.includes('endpoint-unhealthy') ? 'down' : 'up',
    ]),
  );
}

/** Waits until all of these are known to be down. */
export function untilDown(pointsman: Pointsman, ...names: readonly string[]): Promise<void> {
  return untilTrue('its being seen', () => names.every((name) => verdicts(pointsman).get(name) === 'down'));
}

/** Waits until all of these are known to be up, or were never known to be down. */
export function untilUp(pointsman: Pointsman, ...names: readonly string[]): Promise<void> {
  return untilTrue('its being seen', () => names.every((name) => verdicts(pointsman).get(name) !== 'down'));
}

/**
 * Requests under way at that time: what an endpoint may take with it when it dies, beyond those that a test allows for.
 * On a machine that is busy they are many.
 */
export function underWayAt(shots: readonly Shot[], atMs: number): number {
  return shots.filter(({ startedMs, durationMs }) => startedMs <= atMs && startedMs + durationMs >= atMs)
    .length;
}

/** Waits until the endpoint has answered a request that was sent after `sinceMs`; the time that took. */
export async function untilUsed(
  load: Load,
  name: string,
  sinceMs: number,
  timeoutMs: number,
): Promise<number> {
  for (;;) {
    const shot = load.shots.find(
      ({ startedMs, endpoint, status }) => startedMs > sinceMs && endpoint === name && status === 200,
    );
    if (shot !== undefined) return shot.startedMs + shot.durationMs - sinceMs;
    if (load.elapsedMs - sinceMs > timeoutMs) return Number.POSITIVE_INFINITY;
    await Bun.sleep(10);
  }
}
