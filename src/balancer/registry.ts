import type { PolicyName } from '../config/schema/pool.ts';
import { first } from './first.ts';
import { ipHash } from './ip-hash.ts';
import { leastConnections } from './least-connections.ts';
import { leastResponseTime } from './least-response-time.ts';
import { maglev } from './maglev.ts';
import type { Policy } from './policy.ts';
import { randomTwo } from './random-two.ts';
import { random } from './random.ts';
import { ringHash } from './ring-hash.ts';
import { roundRobin } from './round-robin.ts';

/** Every policy by its name in the configuration; a missing or misnamed one does not compile. */
export const POLICIES = {
  'round-robin': roundRobin,
  random,
  'random-two': randomTwo,
  'least-connections': leastConnections,
  'least-response-time': leastResponseTime,
  'ip-hash': ipHash,
  'ring-hash': ringHash,
  maglev,
  first,
} satisfies Record<PolicyName, Policy>;
