import { describe, expect } from 'bun:test';

import type { EndpointProcess } from '../support/endpoint-process.ts';
import { failed, type Shot } from '../support/load.ts';
import { steadyTest } from '../support/steady-test.ts';
import { atMost, type PoolInput, underLoad, underWayAt, untilUsed } from './scene.ts';

interface Fault {
  readonly name: string;
  strike(endpoint: EndpointProcess): Promise<void> | void;
  heal(endpoint: EndpointProcess): Promise<void> | void;
  /** How many requests may fail at most, of about 700 that are sent. */
  readonly failures: { readonly get: number; readonly post: number };
  readonly pool?: Partial<PoolInput>;
  /** After this long no request may fail, and none go to the endpoint. */
  readonly noticedWithinMs: number;
  /** After its return it must have answered again within this time. */
  readonly usedWithinMs: number;
}

/** Short, so that the test sees the end of an ejection. */
const SHORT_EJECTION: Partial<PoolInput> = { outlierDetection: { consecutiveFailures: 5, ejectFor: '2s' } };
const STRIKE_MS = 1700;

/**
 * Half of a third of 200 requests a second are POST to one endpoint: 33 in the second within which the second check
 * has failed (interval 250 ms and timeout 250 ms, then fast interval 100 ms and timeout 250 ms, intervals with jitter
 * of a tenth, come to 885 ms at worst), and one for the edges.
 */
const POSTS_UNTIL_NOTICED = 34;

const FAULTS: readonly Fault[] = [
  {
    name: 'kill -9',
    strike: (endpoint) => endpoint.kill(),
    heal: (endpoint) => endpoint.start(),
    failures: { get: 0, post: 3 },
    noticedWithinMs: 1000,
    usedWithinMs: 1000,
  },
  {
    name: 'refusing connections',
    strike: (endpoint) => endpoint.behave('refuse'),
    heal: (endpoint) => endpoint.behave('ok'),
    failures: { get: 0, post: 3 },
    noticedWithinMs: 1000,
    usedWithinMs: 1000,
  },
  {
    name: 'frozen (SIGSTOP)',
    strike: (endpoint) => endpoint.signal('SIGSTOP'),
    heal: (endpoint) => endpoint.signal('SIGCONT'),
    failures: { get: 0, post: POSTS_UNTIL_NOTICED },
    noticedWithinMs: 1500,
    usedWithinMs: 1000,
  },
  {
    name: 'hung',
    strike: (endpoint) => endpoint.behave('hang'),
    heal: (endpoint) => endpoint.behave('ok'),
    failures: { get: 0, post: POSTS_UNTIL_NOTICED },
    noticedWithinMs: 1500,
    usedWithinMs: 1000,
  },
  {
    name: 'resetting instead of answering',
    strike: (endpoint) => endpoint.behave('reset'),
    heal: (endpoint) => endpoint.behave('ok'),
    failures: { get: 0, post: 10 },
    pool: SHORT_EJECTION,
    noticedWithinMs: 500,
    usedWithinMs: 1500,
  },
  {
    name: 'answering 500, with retries on 500',
    strike: (endpoint) => endpoint.behave('error'),
    heal: (endpoint) => endpoint.behave('ok'),
    failures: { get: 0, post: 10 },
    pool: { ...SHORT_EJECTION, retry: { statuses: ['500-599'] } },
    noticedWithinMs: 500,
    usedWithinMs: 1500,
  },
  {
    name: 'answering 500',
    strike: (endpoint) => endpoint.behave('error'),
    heal: (endpoint) => endpoint.behave('ok'),
    failures: { get: 10, post: 10 },
    pool: SHORT_EJECTION,
    noticedWithinMs: 500,
    usedWithinMs: 1500,
  },
  {
    name: 'closing in the middle of answers',
    strike: (endpoint) => endpoint.behave('cut'),
    heal: (endpoint) => endpoint.behave('ok'),
    failures: { get: 20, post: 20 },
    pool: SHORT_EJECTION,
    noticedWithinMs: 500,
    usedWithinMs: 1500,
  },
  {
    name: 'resetting in the middle of answers',
    strike: (endpoint) => endpoint.behave('reset-body'),
    heal: (endpoint) => endpoint.behave('ok'),
    failures: { get: 20, post: 20 },
    pool: SHORT_EJECTION,
    noticedWithinMs: 500,
    usedWithinMs: 1500,
  },
];

function between(shots: readonly Shot[], fromMs: number, toMs: number): Shot[] {
  return shots.filter(({ startedMs }) => startedMs >= fromMs && startedMs < toMs);
}

describe('one of three endpoints under load', () => {
  for (const fault of FAULTS) {
    steadyTest(fault.name, async () => {
      let struckMs = 0;
      let healedMs = 0;
      let usedMs = Number.POSITIVE_INFINITY;
      const shots = await underLoad(fault.pool ?? {}, async ({ endpoints, load }) => {
        const victim = endpoints[1]!;
        struckMs = load.elapsedMs;
        await fault.strike(victim);
        await Bun.sleep(STRIKE_MS);
        healedMs = load.elapsedMs;
        await fault.heal(victim);
        usedMs = await untilUsed(load, victim.name, healedMs, 5000);
        await Bun.sleep(300);
      });
      expect(shots.length).toBeGreaterThan(300);
      atMost(fault.failures.get, failed(shots, 'GET'));
      atMost(fault.failures.post + underWayAt(shots, struckMs), failed(shots, 'POST'));
      // Before, and after it was noticed until the return, all is well and fast.
      atMost(0, failed(between(shots, 0, struckMs - 50)));
      const calm = between(shots, struckMs + fault.noticedWithinMs, healedMs);
      atMost(0, failed(calm));
      expect(Math.max(...calm.map(({ durationMs }) => durationMs))).toBeLessThan(400);
      expect(usedMs).toBeLessThan(fault.usedWithinMs);
      // No request waits longer than the limits say.
      expect(Math.max(...shots.map(({ durationMs }) => durationMs))).toBeLessThan(2700);
    });
  }

  steadyTest('slow: least-response-time sends it little, and nothing fails', async () => {
    const shots = await underLoad({ policy: 'least-response-time' }, async ({ endpoints }) => {
      await endpoints[1]!.behave('slow');
      await Bun.sleep(2000);
    });
    atMost(0, failed(shots));
    const late = between(shots, 1200, Number.POSITIVE_INFINITY);
    expect(late.filter(({ endpoint }) => endpoint === 'b').length).toBeLessThan(late.length * 0.15);
  });
});
