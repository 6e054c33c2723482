import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { isIP } from 'node:net';

import { canonicalIp, clientNetwork, forwardedNode } from './ip.ts';

/** Zeros are frequent, so that `::` is. */
const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
const groupsOfIpv6 = fc.tuple(group, group, group, group, group, group, group, group);

describe('canonicalIp', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalIp(text)).toBe(expected);
  });

  test.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1..2.3',
    '1.2.3.',
    '.1.2.3',
    '1.2.3.4 ',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    '1:2:3:4:5:6:7:',
    ':1:2:3:4:5:6:7',
    '::1.2.3',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1.2.3.4:5',
    '[::1]',
    '1.2.3.4:80',
    'unknown',
    'g::1',
  ])('%p is no address', (text) => {
    expect(canonicalIp(text)).toBeUndefined();
  });

  test('accepts exactly what the runtime accepts, over texts that look like addresses', () => {
    const near = fc.string({
      unit: fc.constantFrom(...'0123456789abcdef'.split(''), ':', ':', ':', '.', '.', '::', 'ffff'),
      maxLength: 20,
    });
    fc.assert(
      fc.property(near, (text) => {
        expect(canonicalIp(text) !== undefined).toBe(isIP(text) !== 0);
      }),
      { numRuns: 3000 },
    );
  });

  test('is idempotent and keeps the address', () => {
    fc.assert(
      fc.property(groupsOfIpv6, (groups) => {
        const text = groups.map((value) => value.toString(16)).join(':');
        const canonical = canonicalIp(text)!;
        expect(canonicalIp(canonical)).toBe(canonical);
        // The URL parser writes RFC 5952, except that it knows nothing of mapped addresses.
        if (canonical.includes(':')) expect(new URL(`http://[${text}]/`).hostname).toBe(`[${canonical}]`);
      }),
    );
  });
});

test('clientNetwork is the address for IPv4 and the /64 for IPv6', () => {
  expect(clientNetwork('192.0.2.7')).toBe('192.0.2.7');
  expect(clientNetwork('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::');
  expect(clientNetwork('2001:db8:1:2:ffff::1')).toBe('2001:db8:1:2::');
  expect(clientNetwork('::1')).toBe('::');
});

test('forwardedNode quotes IPv6', () => {
  expect(forwardedNode('192.0.2.7')).toBe('192.0.2.7');
  expect(forwardedNode('2001:db8::1')).toBe('"[2001:db8::1]"');
});
