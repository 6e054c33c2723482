import { expect, test } from 'bun:test';

import { defineConfig } from './define-config.ts';
import { loadValue } from './load.ts';

test('types what a user writes, and changes nothing', () => {
  const config = defineConfig({
    workers: 'auto',
    listeners: [
      {
        name: 'web',
        address: ':8080',
        routes: [
          {
            match: { path: '/api/*', method: ['GET'] },
            pool: 'web',
            filters: [{ rewrite: { prefix: '/api' } }],
          },
          { pool: 'web' },
        ],
      },
    ],
    pools: [
      { name: 'web', endpoints: ['10.0.0.1:80'], slowStart: '30s', hash: { key: { header: 'x' } } },
      // @ts-expect-error A key that is not known is marked while it is typed.
      { name: 'other', endpoints: ['10.0.0.1:80'], polcy: 'first' },
    ],
  });
  expect(loadValue(config)).toMatchObject({ ok: false, issues: [{ path: 'pools[1].polcy' }] });
});
