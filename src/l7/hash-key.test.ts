import { expect, test } from 'bun:test';

import { requestHead } from '../../test/support/request-head.ts';
import { type HashKeyConfig, pool as poolSchema, POLICY_NAMES } from '../config/schema/pool.ts';
import { hashString } from '../util/hash.ts';
import { hashedKey } from '../model/hashed-key.ts';
import { hashKeyOf } from './hash-key.ts';

const request = requestHead(
  'GET',
  '/a/b?user=u%201&none',
  'Host: A.Test:80',
  'X-Key: k',
  'X-Empty:',
  'Cookie: sid=s1',
);

function hash(key: HashKeyConfig, clientIp = '192.0.2.1'): number {
  return hashKeyOf(key)(request, clientIp);
}

test.each<[HashKeyConfig, string]>([
  ['client-ip', '192.0.2.1'],
  ['path', '/a/b'],
  ['host', 'a.test'],
  [{ header: 'x-KEY' }, 'k'],
  [{ cookie: 'sid' }, 's1'],
  [{ query: 'user' }, 'u 1'],
])('%o hashes %p', (key, value) => {
  expect(hash(key)).toBe(hashString(value));
});

test('an IPv6 client is its /64', () => {
  expect(hash('client-ip', '2001:db8::1:2:3:4')).toBe(hash('client-ip', '2001:db8::ffff:0:0:1'));
  expect(hash('client-ip', '2001:db8:0:1::1')).not.toBe(hash('client-ip', '2001:db8:0:2::1'));
});

test.each<[HashKeyConfig]>([
  [{ header: 'x-other' }],
  [{ header: 'x-empty' }],
  [{ cookie: 'SID' }],
  [{ query: 'other' }],
  [{ query: 'none' }],
])('without %o there is no hash', (key) => {
  expect(hash(key)).toBe(-1);
});

test('only policies that hash have a key, and for ip-hash it is the client', () => {
  const keys = POLICY_NAMES.map((policy) => [
    policy,
    hashedKey(poolSchema.parse({ name: 'p', endpoints: ['10.0.0.1:80'], policy, hash: { key: 'path' } })),
  ]);
  expect(keys.filter(([, key]) => key !== undefined)).toEqual([
    ['ip-hash', 'client-ip'],
    ['ring-hash', 'path'],
    ['maglev', 'path'],
  ]);
});
