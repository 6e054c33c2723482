import type { HashKeyConfig, PolicyName, PoolConfig } from '../config/schema/pool.ts';
import { hashString } from '../util/hash.ts';
import { clientNetwork } from '../util/ip.ts';

/** What each policy hashes: nothing, the client whatever `hash.key` says, or `hash.key`. */
const HASHES = {
  'round-robin': undefined,
  random: undefined,
  'random-two': undefined,
  'least-connections': undefined,
  'least-response-time': undefined,
  'ip-hash': 'client-ip',
  'ring-hash': 'key',
  maglev: 'key',
  first: undefined,
} as const satisfies Record<PolicyName, 'client-ip' | 'key' | undefined>;

/** What a pool hashes on; undefined when its policy does not hash. */
export function hashedKey(config: PoolConfig): HashKeyConfig | undefined {
  const hashed = HASHES[config.policy];
  return hashed === 'key' ? config.hash.key : hashed;
}

/** Hash of a client, an unsigned 32-bit number: the same for HTTP and below it. Of an IPv6 client its /64 counts. */
export function hashClient(clientIp: string): number {
  return hashString(clientNetwork(clientIp));
}

/** Hash of one socket of a client, an unsigned 32-bit number. */
export function hashClientPort(clientIp: string, clientPort: number): number {
  return hashString(`${clientIp}:${clientPort}`);
}
