import { expect, test } from 'bun:test';

import { config as schema } from '../config/schema/config.ts';
import { EndpointNames } from './endpoint-names.ts';

const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  'one.test': ['10.0.0.1'],
  'both.test': ['10.0.0.1', '::1'],
  'many.test': ['10.0.0.1', '10.0.0.2'],
};

test('a name with alternatives is warned of, once; two families of one machine are none', async () => {
  const said: unknown[] = [];
  const log = {
    debug() {},
    info() {},
    warn: (event: string, fields?: object) => void said.push({ event, ...fields }),
    error() {},
  };
  const resolve = async (host: string): Promise<readonly string[]> => {
    const ips = ADDRESSES[host];
    if (ips === undefined) throw new Error('ENOTFOUND');
    return ips;
  };
  const names = new EndpointNames(resolve, log);
  const hosts = ['10.0.0.9', 'none.test', 'one.test', 'both.test', 'many.test'];
  const config = schema.parse({
    listeners: [{ name: 'in', address: ':80', routes: [{ pool: 'web' }] }],
    pools: [{ name: 'web', endpoints: hosts.map((host) => `${host}:80`) }],
  });
  await names.look(config);
  await names.look(config);
  expect(said).toEqual([
    expect.objectContaining({
      event: 'endpoint-addresses',
      pool: 'web',
      endpoint: 'many.test:80',
      addresses: '10.0.0.1,10.0.0.2',
    }),
  ]);
});
