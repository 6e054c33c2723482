import { describe, expect, test } from 'bun:test';

import { healthPool } from '../../test/support/health-rig.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { FAILURES, type FailureCode } from '../model/failures.ts';
import type { Pool } from '../model/pool.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { OutlierDetector } from './outlier-detector.ts';

const ENDPOINTS = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3', '127.0.0.1:4'];

class Rig {
  readonly clock = new FakeClock();
  readonly pool: Pool;
  /** Suspicions. */
  readonly ejected: string[] = [];
  /** Not ejected when they are suspected. */
  readonly keeps = new Set<Endpoint>();
  readonly detector: OutlierDetector;

  constructor(outlierDetection: unknown) {
    this.pool = healthPool({ endpoints: ENDPOINTS, outlierDetection });
    this.detector = new OutlierDetector(this.clock, {
      suspect: (_pool, endpoint, { unreachable, reason }) => {
        this.ejected.push(`${endpoint.name}${unreachable ? ' unreachable' : ''}: ${reason}`);
        if (this.keeps.has(endpoint)) return;
        endpoint.ejectedUntilMs = this.clock.nowMs() + 1000;
        this.detector.forgive(endpoint);
      },
    });
  }

  get first(): Endpoint {
    return this.pool.view.all[0]!;
  }

  status(status: number, times = 1, endpoint = this.first): void {
    for (let time = 0; time < times; time++) this.detector.observe(this.pool, endpoint, undefined, status);
  }

  failure(code: FailureCode, times = 1, endpoint = this.first): void {
    for (let time = 0; time < times; time++) this.detector.observe(this.pool, endpoint, code, 0);
  }
}

describe('failures in a row', () => {
  test('eject, and say what they were', () => {
    const rig = new Rig({ consecutiveFailures: 3 });
    rig.status(500, 2);
    expect(rig.ejected).toEqual([]);
    rig.failure('endpoint_reset');
    expect(rig.ejected).toEqual(['127.0.0.1:1: 3 failures in a row (last: endpoint_reset)']);
  });

  test('begin anew after a success', () => {
    const rig = new Rig({ consecutiveFailures: 3 });
    rig.status(500, 2);
    rig.status(200);
    rig.status(500, 2);
    expect(rig.ejected).toEqual([]);
  });

  test('are counted for each endpoint', () => {
    const rig = new Rig({ consecutiveFailures: 3 });
    for (const endpoint of rig.pool.view.all) rig.status(500, 2, endpoint);
    expect(rig.ejected).toEqual([]);
  });

  test('that could not connect say so', () => {
    const rig = new Rig({ consecutiveFailures: 1 });
    rig.failure('connect_refused');
    expect(rig.ejected).toEqual(['127.0.0.1:1 unreachable: 1 failures in a row (last: connect_refused)']);
  });

  test('do nothing when the rule is off, or all of it', () => {
    for (const rules of [false, { consecutiveFailures: 0 }]) {
      const rig = new Rig(rules);
      rig.status(500, 1000);
      expect(rig.ejected).toEqual([]);
    }
  });

  test('are remembered over a reload that changes nothing', () => {
    const rig = new Rig({ consecutiveFailures: 3 });
    rig.status(500, 2);
    rig.pool.config = structuredClone(rig.pool.config);
    rig.status(500);
    expect(rig.ejected).toHaveLength(1);
  });
});

describe('what counts', () => {
  test('statuses as configured', () => {
    const rig = new Rig({ consecutiveFailures: 1, statuses: ['502-504', 429] });
    rig.status(500);
    rig.status(404);
    expect(rig.ejected).toEqual([]);
    rig.status(429);
    expect(rig.ejected).toHaveLength(1);
  });

  const codes = Object.keys(FAILURES) as FailureCode[];
  const blameless = new Set<FailureCode>(['endpoint_stale', 'endpoint_unhealthy']);

  test.each(codes.filter((code) => FAILURES[code].origin === 'endpoint' && !blameless.has(code)))(
    '%s',
    (code) => {
      const rig = new Rig({ consecutiveFailures: 1 });
      rig.failure(code);
      expect(rig.ejected).toHaveLength(1);
    },
  );

  test.each(codes.filter((code) => FAILURES[code].origin !== 'endpoint' || blameless.has(code)))(
    'not %s, nor does it end a row of failures',
    (code) => {
      const rig = new Rig({ consecutiveFailures: 2 });
      rig.status(500);
      rig.failure(code, 10);
      expect(rig.ejected).toEqual([]);
      rig.status(500);
      expect(rig.ejected).toHaveLength(1);
    },
  );
});

describe('the share of failures', () => {
  const rules = { consecutiveFailures: 0, failurePercent: 40, minRequests: 10, window: '10s' };

  test('ejects once there were enough requests', () => {
    const rig = new Rig(rules);
    for (let round = 0; round < 3; round++) {
      rig.status(500, 2);
      rig.status(200);
    }
    expect(rig.ejected).toEqual([]);
    rig.status(503);
    expect(rig.ejected).toEqual([
      '127.0.0.1:1: 70 % of 10 requests failed within 10000 ms (last: status 503)',
    ]);
  });

  test('does not eject below the limit', () => {
    const rig = new Rig(rules);
    for (let round = 0; round < 50; round++) {
      rig.status(200, 2);
      rig.status(500);
    }
    expect(rig.ejected).toEqual([]);
  });

  test('looks back no further than the window', () => {
    const rig = new Rig(rules);
    rig.status(500, 9);
    rig.clock.advance(10_001);
    rig.status(500);
    expect(rig.ejected).toEqual([]);
  });
});

describe('an endpoint that is out already', () => {
  test('is not ejected again, and begins at nothing when it is back', () => {
    const rig = new Rig({ consecutiveFailures: 3 });
    rig.status(500, 3);
    rig.status(500, 50);
    expect(rig.ejected).toHaveLength(1);
    rig.clock.advance(1000);
    rig.status(500, 2);
    expect(rig.ejected).toHaveLength(1);
    rig.status(500);
    expect(rig.ejected).toHaveLength(2);
  });

  test.each([
    ['unhealthy', (endpoint: Endpoint) => (endpoint.health = 'unhealthy')],
    ['disabled', (endpoint: Endpoint) => (endpoint.admin = 'disabled')],
  ])('because it is %s is not ejected on top', (_why, take) => {
    const rig = new Rig({ consecutiveFailures: 1 });
    take(rig.first);
    rig.status(500, 5);
    expect(rig.ejected).toEqual([]);
  });
});

test('an endpoint that stays although it is suspected is suspected again a second later', () => {
  const rig = new Rig({ consecutiveFailures: 2 });
  rig.keeps.add(rig.first);
  rig.status(500, 200);
  expect(rig.ejected).toHaveLength(1);
  rig.clock.advance(999);
  rig.status(500);
  expect(rig.ejected).toHaveLength(1);
  rig.clock.advance(1);
  rig.status(500);
  expect(rig.ejected[1]).toBe('127.0.0.1:1: 202 failures in a row (last: status 500)');
});
