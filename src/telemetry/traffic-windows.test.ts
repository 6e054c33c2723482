import { describe, expect, test } from 'bun:test';

import { samplePool } from '../../test/support/sample-runtime.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { TrafficWindows } from './traffic-windows.ts';

const makeEndpoint = (name: string) => samplePool('web', [{ name, address: '127.0.0.1:1' }]).view.all[0]!;

function setUp() {
  const clock = new FakeClock();
  const endpoint = makeEndpoint('a');
  const endpoints: Endpoint[] = [endpoint];
  const windows = new TrafficWindows({ clock, endpoints: () => endpoints });
  windows.start();
  return { clock, endpoint, endpoints, windows };
}

/** `count` requests that take `ms` each, of which `errors` fail. */
function serve(endpoint: Endpoint, count: number, ms: number, errors = 0): void {
  endpoint.stats.requests += count;
  endpoint.stats.errors += errors;
  for (let i = 0; i < count; i++) endpoint.stats.latency.record(ms);
}

describe('TrafficWindows', () => {
  test('is all zero before any request', () => {
    const { endpoint, windows } = setUp();
    expect(windows.window(endpoint)).toEqual({
      spanMs: 0,
      requestsPerSecond: 0,
      errorRate: 0,
      p50Ms: 0,
      p95Ms: 0,
      p99Ms: 0,
    });
  });

  test('shows requests at once, and the first one is not a thousand a second', () => {
    const { clock, endpoint, windows } = setUp();
    clock.advance(1);
    serve(endpoint, 1, 10);
    expect(windows.window(endpoint).requestsPerSecond).toBe(1);
    expect(windows.window(endpoint).p50Ms).toBeCloseTo(10, 0);
  });

  test('a steady rate is a steady figure, whenever it is read', () => {
    const { clock, endpoint, windows } = setUp();
    for (let second = 1; second <= 200; second++) {
      clock.advance(1000);
      serve(endpoint, 100, 20, 5);
      const { requestsPerSecond, errorRate, spanMs } = windows.window(endpoint);
      // What is served in a second is counted at its end, so a slot may have one second more or less.
      expect(requestsPerSecond).toBeWithin(95, 105);
      expect(errorRate).toBeCloseTo(0.05, 10);
      expect(spanMs).toBeLessThanOrEqual(60_000);
      if (second > 60) expect(spanMs).toBeGreaterThanOrEqual(55_000);
    }
  });

  test('quantiles are of the last minute and forget what is older', () => {
    const { clock, endpoint, windows } = setUp();
    serve(endpoint, 90, 10);
    serve(endpoint, 8, 100);
    serve(endpoint, 2, 1000, 2);
    clock.advance(30_000);
    const now = windows.window(endpoint);
    expect(
      [now.p50Ms / 10, now.p95Ms / 100, now.p99Ms / 1000].every((ratio) => ratio >= 1 && ratio < 1.07),
    ).toBe(true);
    expect(now.errorRate).toBe(0.02);
    clock.advance(29_000);
    expect(windows.window(endpoint).p99Ms).toBeGreaterThan(900);
    clock.advance(5000);
    expect(windows.window(endpoint)).toMatchObject({
      requestsPerSecond: 0,
      errorRate: 0,
      p50Ms: 0,
      p99Ms: 0,
    });
  });

  test('an error rate is never above one', () => {
    const { clock, endpoint, windows } = setUp();
    serve(endpoint, 10, 1);
    clock.advance(120_000);
    endpoint.stats.errors += 10;
    expect(windows.window(endpoint).errorRate).toBe(1);
  });

  test('an endpoint that comes later is counted from the beginning of its slot', () => {
    const { clock, endpoints, windows } = setUp();
    clock.advance(62_000);
    const late = makeEndpoint('late');
    endpoints.push(late);
    serve(late, 30, 5);
    clock.advance(1000);
    expect(windows.window(late)).toMatchObject({ spanMs: 3000, requestsPerSecond: 10 });
    clock.advance(2000);
    expect(windows.window(late)).toMatchObject({ spanMs: 5000, requestsPerSecond: 6 });
  });

  test('stops', () => {
    const { clock, windows } = setUp();
    expect(clock.pending).toBe(1);
    windows.stop();
    expect(clock.pending).toBe(0);
  });
});
