import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { BlockList } from 'node:net';

import { NetworkSet } from './network-set.ts';

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));

describe('NetworkSet', () => {
  test('holds what lies inside, of the right family only', () => {
    const set = new NetworkSet(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::ffff:198.51.100.0/120']);
    for (const ip of ['10.255.255.255', '10.0.0.0', '192.0.2.1', '2001:db8:ffff::1', '198.51.100.77'])
      expect(set.contains(ip)).toBe(true);
    for (const ip of ['11.0.0.0', '9.255.255.255', '192.0.2.2', '2001:db9::', '::a00:1', 'nonsense', ''])
      expect(set.contains(ip)).toBe(false);
    expect(set.contains('10.1.2.3')).toBe(true);
    expect(set.contains('10.1.2.3')).toBe(true);
  });

  test('all of one family is nothing of the other', () => {
    const all6 = new NetworkSet(['::/0']);
    expect(all6.contains('2001:db8::1')).toBe(true);
    expect(all6.contains('192.0.2.1')).toBe(false);
    const all4 = new NetworkSet(['0.0.0.0/0']);
    expect(all4.contains('255.255.255.255')).toBe(true);
    expect(all4.contains('::1')).toBe(false);
    expect(all4.contains('::ffff:1.2.3.4')).toBe(true);
  });

  test.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0/8', '::/129', 'x', '::ffff:1.2.3.4/24', '10.0.0.0/-1'])(
    'refuses %p',
    (text) => {
      expect(() => new NetworkSet([text])).toThrow(RangeError);
    },
  );

  test("agrees with the runtime's block list", () => {
    const close = fc
      .tuple(fc.constantFrom(10, 11), fc.constantFrom(0, 128), octet, octet)
      .map((o) => o.join('.'));
    const networks = fc.array(fc.tuple(fc.oneof(ipv4, close), fc.integer({ min: 1, max: 32 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(networks, fc.array(fc.oneof(ipv4, close), { minLength: 20 }), (pairs, addresses) => {
        const oracle = new BlockList();
        for (const [address, length] of pairs) oracle.addSubnet(address, length, 'ipv4');
        const set = new NetworkSet(pairs.map(([address, length]) => `${address}/${length}`));
        for (const address of [...addresses, ...pairs.map(([network]) => network)])
          expect(set.contains(address)).toBe(oracle.check(address, 'ipv4'));
      }),
      { numRuns: 300 },
    );
  });
});
