import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { NetworkSet } from '../util/network-set.ts';
import { clientHop, parseForwarded, parseForwardedFor } from './client-address.ts';

function addresses(value: string): (string | undefined)[] {
  return parseForwardedFor(value).map((hop) => hop.address);
}

test('X-Forwarded-For in every spelling', () => {
  expect(
    addresses('192.0.2.1, 192.0.2.2:8080 ,2001:DB8::1,[2001:db8::2],[2001:db8::3]:80, ::ffff:192.0.2.3'),
  ).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '2001:db8::3', '192.0.2.3']);
  expect(addresses('unknown,, [192.0.2.1], 192.0.2.1 x, fe80::1%eth0, _hidden')).toEqual(
    Array.from({ length: 6 }, () => undefined),
  );
});

describe('Forwarded', () => {
  test.each([
    ['for=192.0.2.43', [{ address: '192.0.2.43' }]],
    ['For="[2001:db8:cafe::17]:4711"', [{ address: '2001:db8:cafe::17' }]],
    [
      'for=192.0.2.60;proto=http;by=203.0.113.43;host=a.test',
      [{ address: '192.0.2.60', proto: 'http', host: 'a.test' }],
    ],
    ['for=192.0.2.43, for=198.51.100.17', [{ address: '192.0.2.43' }, { address: '198.51.100.17' }]],
    [
      'for="192.0.2.1:80" ; proto=https , by=_x',
      [{ address: '192.0.2.1', proto: 'https' }, { address: undefined }],
    ],
    ['for=unknown', [{ address: undefined }]],
    ['for="_a,b;c=\\"d"', [{ address: undefined }]],
    [', for=192.0.2.1;;', [{ address: '192.0.2.1' }]],
    ['host="a.test:80";proto="h/1"', [{ address: undefined, host: 'a.test:80' }]],
    ['', []],
  ])('%s', (value, hops) => {
    expect(parseForwarded(value)).toEqual(hops);
  });

  test.each(['for', 'for=', 'for=a b', 'for="a', 'for=[::1]', '=x', 'for=a;for=b', 'for=a,"', 'for=a:80'])(
    '%s is malformed',
    (value) => {
      expect(parseForwarded(value)).toBeUndefined();
    },
  );

  test('ends on any text', () => {
    const text = fc.string({
      unit: fc.constantFrom('for', '=', '"', '\\', ';', ',', ' ', 'a', '1.2.3.4'),
      maxLength: 30,
    });
    fc.assert(
      fc.property(text, (value) => {
        const hops = parseForwarded(value);
        if (hops !== undefined) expect(hops.length).toBeLessThanOrEqual(value.split(',').length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('clientHop', () => {
  const trusted = new NetworkSet(['10.0.0.0/8']);
  test.each([
    ['', -1],
    ['192.0.2.1', 0],
    ['6.6.6.6, 192.0.2.1', 1],
    ['6.6.6.6, 192.0.2.1, 10.0.0.1', 1],
    ['10.0.0.3, 10.0.0.2, 10.0.0.1', 0],
    ['6.6.6.6, unknown', -1],
    ['6.6.6.6, garbage, 10.0.0.1', 2],
    ['6.6.6.6, , 10.0.0.1', 2],
  ])('of "%s" is %d', (value, place) => {
    expect(clientHop(parseForwardedFor(value), trusted)).toBe(place);
  });
});
