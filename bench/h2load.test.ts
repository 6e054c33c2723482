import { expect, test } from 'bun:test';

import { parseH2load } from './h2load.ts';

const PRINTED = `starting benchmark...
finished in 500.02ms, 45902.00 req/s, 4.37MB/s
requests: 45902 total, 46158 started, 45902 done, 45900 succeeded, 2 failed, 1 errored, 3 timeout
status codes: 45902 2xx, 0 3xx, 0 4xx, 0 5xx
`;

test('reads counts and units of what h2load prints, and percentiles from its log', () => {
  const log = Array.from({ length: 100 }, (_, index) => `1700000000\t200\t${100 - index}\n`).join('');
  expect(parseH2load(PRINTED, log)).toEqual({
    requests: 45_900,
    seconds: 0.500_02,
    p50Us: 51,
    p99Us: 100,
    errors: 6,
  });
});

test('says what it got when it is no result', () => {
  expect(() => parseH2load('usage', '')).toThrow('usage');
});
