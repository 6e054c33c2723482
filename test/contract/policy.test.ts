import { expect, test } from 'bun:test';

import { type PolicyName, POLICY_NAMES } from '../../src/config/schema/pool.ts';
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

test('a pick allocates nothing, whatever the policy', () => {
  const script = new URL('policy-allocation.ts', import.meta.url).pathname;
  const { stdout, stderr } = Bun.spawnSync([process.execPath, script], { stdin: 'ignore' });
  expect(stderr.toString()).toBe('');
  const { control, ...bytes } = JSON.parse(stdout.toString()) as Record<string, number>;
  // The smallest object has 16 bytes; some of them fill holes in the heap, which the meter does not see.
  expect(control).toBeGreaterThan(6);
  expect(Object.keys(bytes)).toEqual([...POLICY_NAMES]);
  expect(Object.entries(bytes).filter(([, perPick]) => perPick > 2)).toEqual([]);
}, 60_000);

for (const policy of POLICY_NAMES) describePolicy(policy, PROMISES[policy]);
