import { expect, test } from 'bun:test';

import { SampleRuntime } from '../../test/support/sample-runtime.ts';
import type { Log } from '../model/ports.ts';
import { announceListeners } from './announce.ts';

test('a listener is announced with what clients have to speak there', () => {
  const runtime = new SampleRuntime();
  runtime.addListener('plain', ['a', 'b']);
  runtime.addListener('secure', ['a'], ['h2', 'http/1.1']);
  const lines: unknown[] = [];
  const silent = (): void => {};
  const log: Log = {
    debug: silent,
    info: (event, fields) => void lines.push([event, fields]),
    warn: silent,
    error: silent,
  };
  announceListeners(log, runtime.listeners());
  const address = '0.0.0.0:8080';
  expect(lines).toEqual([
    ['listening', { listener: 'plain', address, protocol: 'http', pools: 'a,b' }],
    ['listening', { listener: 'secure', address, protocol: 'https', alpn: 'h2,http/1.1', pools: 'a' }],
  ]);
});
