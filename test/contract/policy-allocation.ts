/**
 * Prints, as one JSON object, how many bytes a pick allocates by each policy, and as `control` what the meter says of one
 * small object. Run in a process of its own: in a heap with holes in it, new objects fill the holes and go unseen.
 */
import { memoryUsage } from 'bun:jsc';

import { balancer } from '../../src/balancer/flow.ts';
import { POLICY_NAMES } from '../../src/config/schema/pool.ts';
import { mix32 } from '../../src/util/hash.ts';
import { NOTHING_TRIED, PolicyPool } from '../support/policy-pool.ts';

const CALLS = 300_000;
const TRIALS = 5;

/** Bytes that one call of `run` allocates, once it is compiled: the median of several trials between collections. */
function bytesPerCall(run: (index: number) => void): number {
  const callMany = () => {
    for (let index = 0; index < CALLS; index++) run(index);
  };
  callMany();
  const found: number[] = [];
  for (let trial = 0; trial < TRIALS; trial++) {
    Bun.gc(true);
    const before = memoryUsage().current;
    callMany();
    found.push((memoryUsage().current - before) / CALLS);
  }
  return found.toSorted((a, b) => a - b)[TRIALS >> 1]!;
}

let kept: object | undefined;
const bytes: Record<string, number> = {
  control: bytesPerCall((index) => {
    kept = { index };
  }),
};
if (kept === undefined) throw new Error('the control was not run');
for (const policy of POLICY_NAMES) {
  const { pool } = new PolicyPool({ policy, endpoints: [5, 3, 1, 1] });
  const request = { hash: -1, tried: NOTHING_TRIED };
  bytes[policy] = bytesPerCall((index) => {
    request.hash = mix32(index);
    balancer.pick(pool, request);
  });
}
process.stdout.write(JSON.stringify(bytes));
