import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { cli, type Ran } from '../../test/support/cli.ts';
import { MemoryTcp } from '../../test/support/memory-tcp.ts';
import type { Decision } from './explain-decision.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pointsman-explain-'));
  writeFileSync(
    join(directory, 'pointsman.yaml'),
    `
listeners:
  - { name: web, address: ":80", routes: [{ pool: db }] }
  - { name: raw, address: ":5432", protocol: tcp, pool: db }
  - { name: mixed, address: ":5433", protocol: tcp, split: [{ pool: db, weight: 3 }, { pool: off, weight: 1 }] }
  - { name: dead, address: ":5434", protocol: tcp, pool: off }
  - { name: names, address: ":53", protocol: udp, pool: ports }
pools:
  - name: db
    policy: maglev
    endpoints: [${['a', 'b', 'c', 'd'].map((name) => `{ name: ${name}, address: "${name}.test:80" }`).join(', ')}]
  - { name: off, endpoints: [{ address: "e.test:80", state: disabled }] }
  - { name: ports, policy: maglev, hash: { key: client-ip-port }, endpoints: [a.test:53, b.test:53, c.test:53] }
`,
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

function explain(...words: readonly string[]): Promise<Ran> {
  return cli(['explain', ...words], { directory });
}

async function decisionOf(...words: readonly string[]): Promise<Decision> {
  return JSON.parse((await explain(...words, '--json')).out) as Decision;
}

describe('a session', () => {
  test('goes where the data path sends it', async () => {
    const endpoints = ['a', 'b', 'c', 'd'].map((name) => ({ name, address: `${name}.test:80` }));
    const tcp = new MemoryTcp({ pool: { policy: 'maglev', endpoints, hash: { boundedLoad: 10 } } });
    for (let last = 1; last <= 12; last++) {
      const ip = `192.0.2.${last}`;
      tcp.connect(ip);
      const { result } = await decisionOf('tcp', 'raw', '--from', ip);
      expect(result).toMatchObject({ kind: 'endpoint', address: `${tcp.network.dials.at(-1)!.host}:80` });
    }
    tcp.restore();
  });

  test('is explained with its pool and every candidate', async () => {
    const { code, out } = await explain('tcp', 'raw', '--from', '192.0.2.7');
    expect(code).toBe(0);
    expect(out).toStartWith(
      'listener  raw (0.0.0.0:5432)\nclient    192.0.2.7\npool      db, policy maglev\n          hashes client-ip: ',
    );
    expect(out).toMatch(/\nresult +endpoint [a-d] \([a-d]\.test:80\): maglev picks it\n$/);
  });

  test('may be drawn by weight, or have nowhere to go', async () => {
    const { split } = await decisionOf('tcp', 'mixed');
    expect(split).toEqual([
      { pool: 'db', percent: 75 },
      { pool: 'off', percent: 25 },
    ]);
    expect((await explain('tcp', 'dead')).out).toEndWith(
      'result    no_endpoint: No endpoint of the pool may be used.\n',
    );
  });

  test('of UDP is told apart by its port, where the pool hashes it', async () => {
    const chosen = new Set<string>();
    for (let port = 4000; port < 4020; port++) {
      const { result } = await decisionOf('udp', 'names', '--from', `192.0.2.7:${port}`);
      if (result.kind === 'endpoint') chosen.add(result.endpoint);
    }
    expect(chosen.size).toBe(3);
    expect((await decisionOf('udp', 'names', '--from', '[2001:db8::1]:53')).client).toBe('2001:db8::1');
  });
});

test.each([
  [['tcp', 'web'], 'there is no tcp listener "web"; there is raw, mixed, dead'],
  [['udp', 'raw'], 'there is no udp listener "raw"; there is names'],
  [['tcp', 'raw', '--from', '192.0.2.7:x'], '"192.0.2.7:x" is not an IP address'],
])('%p ends with 2', async (words, message) => {
  const { code, out, err } = await explain(...words);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
});
