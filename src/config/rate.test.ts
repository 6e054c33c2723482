import { expect, test } from 'bun:test';

import { parseRate } from './rate.ts';

test.each([
  ['100/s', 100, 1000],
  ['600/m', 600, 60_000],
  ['10000/h', 10_000, 3_600_000],
  ['5/d', 5, 86_400_000],
] as const)('%s', (text, requests, periodMs) => {
  expect(parseRate(text)).toEqual({ requests, periodMs });
});

test.each([
  '',
  '100',
  '/s',
  '0/s',
  '-1/s',
  '1.5/s',
  '1/ms',
  '1/sec',
  '1 / s',
  '1e3/s',
  '1/s/s',
  '9999999999/s',
])('%p is no rate', (text) => expect(parseRate(text)).toBeUndefined());
