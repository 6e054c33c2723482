import { expect, test } from 'bun:test';

import { filter as schema } from '../config/schema/filters.ts';
import type { Log } from '../model/ports.ts';
import { createFilter } from './registry.ts';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

test.each([
  ['headers', { headers: { request: { set: { 'X-A': '1' } } } }],
  ['rewrite', { rewrite: { prefix: '/api' } }],
  ['rateLimit', { rateLimit: { rate: '100/s' } }],
])('%s is built from its configuration', (name, config) => {
  const filter = createFilter(schema.parse(config), { log: silent });
  expect(filter.name).toBe(name);
  expect('onRequest' in filter).toBe(true);
});
