import { expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Pointsman } from '../support/pointsman.ts';
import { freePorts } from '../support/free-ports.ts';
import { untilTrue } from '../support/services.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const BLOCK = /^```yaml\n([\s\S]*?)^```/m.exec(README)?.[1] ?? '';
const ADDRESS = /(?:\d+\.){3}\d+:\d+/g;

/** An endpoint that says at which address of the README it stands. */
function endpoint(port: number, address: string): Bun.Server<undefined> {
  return Bun.serve({
    hostname: '127.0.0.1',
    port,
    fetch: (request) => new Response(`${address} ${request.method} ${new URL(request.url).pathname}`),
  });
}

test('the configuration of the README is short, runs, and does what it says', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-readme-'));
  const addresses = [...new Set(BLOCK.match(ADDRESS))];
  const ports = await freePorts(addresses.length);
  const portOf = new Map(addresses.map((address, index) => [address, ports[index]!]));
  const listen = addresses.find((address) => address.startsWith('0.0.0.0:')) ?? '';
  const yaml = BLOCK.replaceAll(ADDRESS, (address) => `127.0.0.1:${portOf.get(address)!}`);
  expect(BLOCK.trimEnd().split('\n').length).toBeLessThanOrEqual(21);
  const file = join(directory, 'pointsman.yaml');
  writeFileSync(file, `admin: { address: 127.0.0.1:0 }\n${yaml}`);

  const first = addresses.find((address) => address.startsWith('10.0.0.'));
  const servers = addresses
    .filter((address) => address !== listen)
    .map((address) => endpoint(portOf.get(address)!, address));
  const pointsman = new Pointsman(directory, ['run', '-c', file], {});
  try {
    await pointsman.started(['web']);
    const ask = (path: string, init?: RequestInit) =>
      fetch(`http://127.0.0.1:${portOf.get(listen)!}${path}`, { redirect: 'manual', ...init });

    const api = await Promise.all(Array.from({ length: 20 }, () => ask('/api/users')));
    expect(api.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    for (const response of api) expect(await response.text()).toMatch(/^10\.0\.0\.\d+:\d+ GET \/api\/users$/);

    const moved = await ask('/old/page?x=1');
    expect(moved.status).toBe(308);
    expect(moved.headers.get('location')).toBe('/new/page?x=1');

    const page = await ask('/');
    const cookie = page.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(cookie).toStartWith('SERVERID=');
    const text = await page.text();
    expect(text).toMatch(/^10\.0\.1\.\d+:\d+ GET \/$/);
    for (let count = 0; count < 10; count++) {
      expect(await (await ask('/', { headers: { cookie } })).text()).toBe(text);
    }

    // DELETE is not a method of the route, so it goes where everything else goes.
    expect(await (await ask('/api/users', { method: 'DELETE' })).text()).toStartWith('10.0.1.');
    // Once more where the machine is too slow to exceed the rate.
    await untilTrue('a refusal', async () => {
      const burst = await Promise.all(Array.from({ length: 80 }, () => ask('/api/users')));
      return burst.some(({ status }) => status === 429);
    });

    await servers.find(({ port }) => port === portOf.get(first!))?.stop(true);
    await Bun.sleep(1000);
    for (let count = 0; count < 10; count++) expect((await ask('/api/users')).status).toBe(200);
  } finally {
    await pointsman.stop('SIGKILL');
    await Promise.all(servers.map((server) => server.stop(true)));
  }
}, 30_000);
