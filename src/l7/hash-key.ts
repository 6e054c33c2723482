import type { HashKeyConfig, PolicyName, PoolConfig } from '../config/schema/pool.ts';
import { cookieName, cookieValue } from '../model/cookies.ts';
import { fieldName } from '../model/fields.ts';
import type { RequestHead } from '../model/message.ts';
import { hashString } from '../util/hash.ts';
import { clientNetwork } from '../util/ip.ts';
import { hostOf, queryValue } from './route-values.ts';

/**
 * Hash of what a pool hashes on, an unsigned 32-bit number; -1 when the request does not have it, and then the policy
 * chooses without a key.
 */
export type HashKey = (request: RequestHead, clientIp: string) => number;

function hashOf(value: string | undefined): number {
  return value === undefined || value === '' ? -1 : hashString(value);
}

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

/** Compiles what is hashed. Keys are normalised: the /64 of an IPv6 client, the host in lower case, the path without query. */
export function hashKeyOf(key: HashKeyConfig): HashKey {
  if (key === 'client-ip') return (_, clientIp) => hashOf(clientNetwork(clientIp));
  if (key === 'path') return (request) => hashOf(request.path);
  if (key === 'host') return (request) => hashOf(hostOf(request.authority));
  if ('header' in key) {
    const name = fieldName(key.header);
    return (request) => hashOf(request.fields.get(name));
  }
  if ('cookie' in key) {
    const name = cookieName(key.cookie);
    return (request) => hashOf(cookieValue(request.fields, name));
  }
  const { query } = key;
  return (request) => hashOf(queryValue(request.query, query));
}
