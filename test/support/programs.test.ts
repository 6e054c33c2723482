import { afterEach, expect, test } from 'bun:test';

import { testWith } from './programs.ts';

const ci = process.env['CI'];
afterEach(() => {
  if (ci === undefined) delete process.env['CI'];
  else process.env['CI'] = ci;
});

test('a program that is there runs the test', () => {
  expect(testWith('sh')).toBe(test);
});

test('a missing program skips the test, and is an error on a build machine', () => {
  process.env['CI'] = 'false';
  expect(testWith('sh', 'no-such-program-here')).not.toBe(test);
  process.env['CI'] = 'true';
  expect(() => testWith('no-such-program-here')).toThrow('not installed: no-such-program-here');
});
