import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { hostOf, queryValue } from './route-values.ts';

test.each([
  ['example.com', 'example.com'],
  ['Example.COM:8080', 'example.com'],
  ['example.com.', 'example.com'],
  ['example.com.:80', 'example.com'],
  ['[2001:DB8::1]:443', '[2001:db8::1]'],
  ['[::1]', '[::1]'],
  ['192.0.2.1:80', '192.0.2.1'],
  ['', ''],
  ['.', '.'],
])('the host of %p is %p', (authority, host) => {
  expect(hostOf(authority)).toBe(host);
});

describe('queryValue', () => {
  test.each([
    ['?a=1&b=2', 'b', '2'],
    ['?a=1&a=2', 'a', '1'],
    ['?ab=1&a=2', 'a', '2'],
    ['?a', 'a', ''],
    ['?a&b=1', 'a', ''],
    ['?a=', 'a', ''],
    ['?a=b=c', 'a', 'b=c'],
    ['?a=x+y%20z', 'a', 'x y z'],
    ['?%61=1', 'a', '1'],
    ['?a=%', 'a', '%'],
    ['?a=%c3%a9', 'a', '\u00e9'],
    ['?=1', '', '1'],
  ])('of %s, %p is %p', (query, name, value) => {
    expect(queryValue(query, name)).toBe(value);
  });

  test('is undefined without the parameter', () => {
    for (const query of ['', '?', '?b=1', '?&&', '?A=1', '?b=a=1'])
      expect(queryValue(query, 'a')).toBeUndefined();
  });

  test('agrees with the URL parser', () => {
    const query = fc.string({
      unit: fc.constantFrom('a', 'b', '=', '&', '+', '%', '61', '%62', 'c'),
      maxLength: 16,
    });
    fc.assert(
      fc.property(query, fc.constantFrom('a', 'b', 'ab', 'a b', 'a+'), (text, name) => {
        expect(queryValue(`?${text}`, name)).toBe(new URLSearchParams(text).get(name) ?? undefined);
      }),
      { numRuns: 3000 },
    );
  });
});
