import { expect, test } from 'bun:test';

import { type PolicyName, POLICY_NAMES } from '../../src/config/schema/pool.ts';
import { bytesPerCall } from '../support/allocation.ts';
import { describePolicy, type PolicyPromises } from './policy-suite.ts';

const PROMISES: Readonly<Record<PolicyName, PolicyPromises>> = {
  'round-robin': { hashes: false, drawsLots: false, weights: { idle: 0.001, busy: 0.001 } },
  random: { hashes: false, drawsLots: true, weights: { idle: 0.12, busy: 0.12 } },
  'random-two': { hashes: false, drawsLots: true, weights: { idle: 0.12, busy: 0.12 } },
  'least-connections': { hashes: false, drawsLots: false, weights: { idle: 0.001, busy: 0.06 } },
  'least-response-time': {
    hashes: false,
    drawsLots: false,
    weights: { idle: 'with nothing in flight the heaviest has the least expected cost', busy: 0.12 },
  },
  'ip-hash': { hashes: true, drawsLots: false, weights: { idle: 0.12, busy: 0.15 } },
  'ring-hash': { hashes: true, drawsLots: false, weights: { idle: 0.25, busy: 0.25 } },
  maglev: { hashes: true, drawsLots: false, weights: { idle: 0.12, busy: 0.15 } },
  first: {
    hashes: false,
    drawsLots: false,
    weights: { idle: 'the order rules, not the weight', busy: 'the order rules, not the weight' },
  },
};

test('there are policies to look at', () => expect(POLICY_NAMES.length).toBeGreaterThan(8));

test('the meter of allocations sees one small object a call', () => {
  let kept: object = {};
  expect(bytesPerCall((index) => (kept = { index }))).toBeGreaterThan(15);
  expect(kept).toBeObject();
});

for (const policy of POLICY_NAMES) describePolicy(policy, PROMISES[policy]);
