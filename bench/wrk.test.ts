import { expect, test } from 'bun:test';

import { parseWrk } from './wrk.ts';

const PRINTED = `Running 1s test @ http://127.0.0.1:7201/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.89ms    1.12ms  18.04ms   95.04%
    Req/Sec    80.21k     4.33k   85.92k    80.00%
  Latency Distribution
     50%  742.00us
     75%    0.95ms
     90%    1.20ms
     99%    1.01s
  79695 requests in 998.50ms, 17.10MB read
  Socket errors: connect 1, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 10
Requests/sec:  79695.00
Transfer/sec:     17.10MB
`;

test('reads counts, units and errors of what wrk prints', () => {
  expect(parseWrk(PRINTED)).toEqual({
    requests: 79_695,
    seconds: 0.9985,
    p50Us: 742,
    p99Us: 1_010_000,
    errors: 16,
  });
});

test('a run without errors has none', () => {
  const clean = PRINTED.replace(/ {2}Socket errors.*\n {2}Non.*\n/, '');
  expect(parseWrk(clean).errors).toBe(0);
});

test('says what it got when it is no result', () => {
  expect(() => parseWrk('unable to connect to 127.0.0.1')).toThrow('unable to connect');
});
