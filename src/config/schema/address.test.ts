import { describe, expect, test } from 'bun:test';

import { endpointAddress, formatAddress, listenAddress, parseAddress } from './address.ts';

describe('addresses', () => {
  test.each([
    ['10.0.0.1:3000', { host: '10.0.0.1', port: 3000 }],
    ['app_1.internal:80', { host: 'app_1.internal', port: 80 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
    ['[2001:db8::1]:443', { host: '2001:db8::1', port: 443 }],
  ] as const)('%s is read and written back', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
    expect(endpointAddress.parse(text)).toEqual(address);
  });

  test.each([
    '',
    ':',
    'a',
    'a:',
    'a:b',
    'a:65536',
    'a:123456',
    '::1:80',
    '[::1]',
    '[::g]:80',
    '[10.0.0.1]x:80',
    '256.0.0.1:80',
    '1.2.3:80',
    '-a:80',
    'a-:80',
    'a..b:80',
    'a b:80',
    'a/b:80',
    'user@a:80',
    '*:80',
    `${'a'.repeat(64)}.b:80`,
    '[fe80::1%eth0]:80',
  ])('%p is none', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(endpointAddress.safeParse(text).success).toBe(false);
    expect(listenAddress.safeParse(text).success).toBe(false);
  });

  test('a listener needs no host and may take any free port; an endpoint needs both', () => {
    expect(listenAddress.parse(':8080')).toEqual({ host: '0.0.0.0', port: 8080 });
    expect(listenAddress.parse('127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 });
    expect(endpointAddress.safeParse(':8080').success).toBe(false);
    expect(endpointAddress.safeParse('127.0.0.1:0').success).toBe(false);
  });
});
