import { expect, test } from 'bun:test';

import { configFromFlags } from './flags.ts';

test('flags give the configuration that a file would, with TCP checks and retries', () => {
  expect(
    configFromFlags({ listen: ':8080', to: ['a:1, b:2', 'c:3'], policy: 'maglev', admin: 'off' }),
  ).toMatchObject({
    ok: true,
    warnings: [],
    config: {
      admin: false,
      listeners: [{ address: { host: '0.0.0.0', port: 8080 }, routes: [{ pool: 'main' }] }],
      pools: [
        {
          policy: 'maglev',
          endpoints: [{ name: 'a:1' }, { name: 'b:2' }, { name: 'c:3' }],
          healthCheck: { tcp: {}, interval: 5000 },
          retry: { attempts: 2 },
        },
      ],
    },
  });
});

test('the admin interface is where it is without flags, or where they say', () => {
  const flags = { listen: ':8080', to: ['a:1'] };
  expect(configFromFlags(flags)).toMatchObject({ config: { admin: { address: { port: 9900 } } } });
  expect(configFromFlags({ ...flags, admin: '127.0.0.1:1' })).toMatchObject({
    config: { admin: { address: { port: 1 } } },
  });
});

test.each([
  [{ listen: ':8080', to: [''] }, '--to', '"" is not an address; write host:port, such as 10.0.0.1:3000'],
  [
    { listen: ':8080', to: ['a:1,a:1'] },
    '--to',
    'there is already an endpoint "a:1" at pools[0].endpoints[0]',
  ],
  [
    { listen: ':9900', to: ['a:1'] },
    '--listen',
    '0.0.0.0:9900 is taken by the admin interface (127.0.0.1:9900)',
  ],
  [
    { listen: ':8080', to: ['a:1'], admin: ':9901' },
    '--admin',
    '0.0.0.0:9901 can be reached from other machines; set admin.token, or listen on 127.0.0.1',
  ],
])('%p is refused by the name of the flag', (flags, path, message) => {
  expect(configFromFlags(flags)).toMatchObject({ ok: false, issues: [{ path, message }] });
});

test('hints name flags, too', () => {
  expect(configFromFlags({ listen: ':9900', to: ['a:1'] })).toMatchObject({
    issues: [{ hint: 'move that one with --admin' }],
  });
});
