import { describe, expect, test } from 'bun:test';

import { closest, didYouMean, listed } from './suggest.ts';

describe('closest', () => {
  test.each([
    ['wbe', ['web', 'api'], 'web'],
    ['polcy', ['name', 'policy'], 'policy'],
    ['round_robin', ['random', 'round-robin'], 'round-robin'],
    ['healthcheck', ['healthCheck', 'hash'], 'healthCheck'],
    ['rateLimt', ['rewrite', 'rateLimit'], 'rateLimit'],
  ] as const)('%s', (word, candidates, expected) => {
    expect(closest(word, candidates)).toBe(expected);
  });

  test('says nothing when nothing is near', () => {
    expect(closest('zebra', ['name', 'policy'])).toBeUndefined();
    expect(closest('a', ['b', 'cd'])).toBe('b');
    expect(closest('x'.repeat(10_000), ['x'])).toBeUndefined();
    expect(closest('', [])).toBeUndefined();
  });
});

test('didYouMean lists what there is', () => {
  expect(didYouMean('wbe', ['web', 'api'], 'pools')).toBe('did you mean "web"? (pools: web, api)');
  expect(didYouMean('zzz', ['web', 'api'], 'pools')).toBe('known pools: web, api');
  expect(didYouMean('zzz', [], 'pools')).toBeUndefined();
});

test('listed cuts long lists', () => {
  expect(listed(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
});
