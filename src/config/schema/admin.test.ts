import { describe, expect, test } from 'bun:test';

import { admin, isLoopbackHost } from './admin.ts';

describe('admin', () => {
  test.each(['127.0.0.1:9900', '127.8.9.1:1', 'localhost:0', '[::1]:9900'])(
    '%s needs no token',
    (address) => {
      expect(admin.safeParse({ address }).success).toBe(true);
    },
  );

  test.each([':9900', '0.0.0.0:9900', '[::]:9900', '10.0.0.1:9900', 'admin.example:9900'])(
    '%s is refused without a token, and taken with one',
    (address) => {
      const refused = admin.safeParse({ address });
      expect(refused.error?.issues.map(({ path, message }) => [path, message])).toEqual([
        [['address'], expect.stringContaining('set admin.token, or listen on 127.0.0.1')],
      ]);
      expect(admin.safeParse({ address, token: 'abcdefghijklmnop' }).success).toBe(true);
    },
  );

  test.each([
    '',
    'short',
    'fifteen-letters',
    'with blank in the middle',
    'caf\u00e9-caf\u00e9-caf\u00e9-caf\u00e9',
  ])('the token "%s" is refused', (token) => {
    expect(admin.safeParse({ address: '127.0.0.1:1', token }).error?.issues[0]?.path).toEqual(['token']);
  });

  test('names that only look like loopback are not', () => {
    for (const host of ['127.0.0.1.example.com', 'localhost.example.com', '1270.0.1', '::ffff:10.0.0.1', ''])
      expect(isLoopbackHost(host)).toBe(false);
  });
});
