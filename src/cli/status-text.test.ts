import { expect, test } from 'bun:test';

import { reportPool } from '../admin/pool-report.ts';
import type { AdminState } from '../admin/state.ts';
import type { StatusReport } from '../admin/status-report.ts';
import { PolicyPool } from '../../test/support/policy-pool.ts';
import { statusText } from './status-text.ts';

const STATUS = {
  version: '1',
  revision: 1,
  uptimeSeconds: 1,
  ready: true,
  reasons: [],
  workers: [],
  automaticCertificates: [],
  runtimeChanges: 0,
} as unknown as StatusReport;

const QUIET = { requestsPerSecond: 0, errorRate: 0, p99Ms: 0 };

function poolLine(balanced: PolicyPool): string | undefined {
  const state = {
    clock: balanced.clock,
    view: { idleConnections: () => 0 },
    window: () => QUIET,
  } as unknown as AdminState;
  const text = statusText(STATUS, [reportPool(balanced.pool, state)], [], false);
  return text.split('\n').find((line) => line.startsWith('pool'));
}

test('in panic a pool says how many of those that it uses are open', () => {
  const balanced = new PolicyPool({ endpoints: [1, 1, 1], panicPercent: 50 });
  expect(poolLine(balanced)).toMatch(/^pool +3 of 3 available/);
  balanced.change('a', { health: 'unhealthy' });
  balanced.change('b', { health: 'unhealthy' });
  expect(poolLine(balanced)).toMatch(/^pool +panic +1 of 3 open, 3 used/);
});
