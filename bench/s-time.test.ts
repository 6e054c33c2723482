import { expect, test } from 'bun:test';

import { parseResumed } from './s-time.ts';

test('reads the count, and full handshakes as errors', () => {
  const printed = (marks: string): string =>
    `Now timing with session id reuse.\nstarting\n${marks}\n\n4 connections in 0.01s; 400.00 connections/user sec, bytes read 880\n4 connections in 2 real seconds, 220 bytes read per connection\n`;
  expect(parseResumed(printed('rrrr'))).toEqual({
    requests: 4,
    seconds: 2,
    p50Us: 500_000,
    p99Us: 500_000,
    errors: 0,
  });
  expect(parseResumed(printed('r*tr')).errors).toBe(2);
  expect(() => parseResumed('ERROR')).toThrow('no result');
});
