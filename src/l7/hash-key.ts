import type { HashKeyConfig } from '../config/schema/pool.ts';
import { cookieName, cookieValue } from '../model/cookies.ts';
import { fieldName } from '../model/fields.ts';
import { hashClient } from '../model/hashed-key.ts';
import type { RequestHead } from '../model/message.ts';
import { hashString } from '../util/hash.ts';
import { hostOf, queryValue } from './route-values.ts';

/**
 * Hash of what a pool hashes on, an unsigned 32-bit number; -1 when the request does not have it, and then the policy
 * chooses without a key.
 */
export type HashKey = (request: RequestHead, clientIp: string) => number;

function hashOf(value: string | undefined): number {
  return value === undefined || value === '' ? -1 : hashString(value);
}

/** Compiles what is hashed. Keys are normalised: the /64 of an IPv6 client, the host in lower case, the path without query. */
export function hashKeyOf(key: HashKeyConfig): HashKey {
  // With the port only below HTTP, where the check lets it pass: the port of whoever is behind a proxy is not known.
  if (key === 'client-ip' || key === 'client-ip-port') return (_, clientIp) => hashClient(clientIp);
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
