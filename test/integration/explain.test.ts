import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { decide, type Decision } from '../../src/cli/explain-decision.ts';
import { askedRequest } from '../../src/cli/explain-request.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import { config as schema } from '../../src/config/schema/config.ts';
import { isHttp } from '../../src/config/schema/listener.ts';
import { seededRandom } from '../../src/util/random.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { dial, type Wire } from '../support/wire.ts';

/**
 * What `explain` says of a request is what happens to it: same answer or same endpoint, and the head that arrives there
 * is the one that was foretold, line by line.
 */

let endpoints: ScriptedEndpoint[] = [];
let pointsman: Pointsman;
let config: TestConfig;

beforeAll(async () => {
  endpoints = await Promise.all(Array.from({ length: 5 }, () => ScriptedEndpoint.start()));
  const names = endpoints.map(({ name }) => name);
  config = {
    listeners: [
      {
        name: 'web',
        address: '127.0.0.1:0',
        trustedProxies: ['127.0.0.0/8'],
        routes: [
          { match: { host: ['admin.test', '*.admin.test'] }, pool: 'by-host' },
          { match: { path: '/gone/*' }, reply: { status: 410, body: 'gone' } },
          { match: { path: '/old/*', method: 'GET' }, redirect: { to: '/new/' } },
          {
            match: { path: '/api/*', headers: { 'x-beta': 'true' } },
            pool: 'by-client',
            filters: [{ rewrite: { prefix: '/api', to: '/v2' } }],
          },
          { match: { path: '/api/*' }, pool: 'by-path' },
          {
            match: { query: { to: 'cookie' } },
            pool: 'by-cookie',
            filters: [{ headers: { request: { set: { 'X-Team': 'a' }, remove: ['X-Beta'] } } }],
          },
          { match: { from: '192.0.2.0/24' }, pool: 'first' },
          { match: { path: ['/', '/new/*'] }, pool: 'by-header' },
        ],
      },
    ],
    pools: [
      { name: 'by-host', policy: 'maglev', hash: { key: 'host' }, endpoints: names },
      { name: 'by-client', policy: 'ip-hash', endpoints: names },
      { name: 'by-path', policy: 'ring-hash', hash: { key: 'path' }, endpoints: names },
      { name: 'by-cookie', policy: 'maglev', hash: { key: { cookie: 'user' } }, endpoints: names },
      { name: 'by-header', policy: 'ring-hash', hash: { key: { header: 'x-key' } }, endpoints: names },
      { name: 'first', policy: 'first', endpoints: names },
    ],
  };
  pointsman = await startPointsman(config);
});

afterAll(async () => {
  await pointsman.stop('SIGKILL');
  for (const endpoint of endpoints) await endpoint[Symbol.asyncDispose]();
});

interface Question {
  readonly method: string;
  readonly target: string;
  readonly lines: readonly string[];
}

const random = seededRandom(7);

function oneOf<T>(...choices: readonly T[]): T {
  return choices[Math.floor(random.next() * choices.length)]!;
}

function question(): Question {
  const number = Math.floor(random.next() * 1000);
  const path = oneOf(
    '/',
    '/api',
    `/api/${number}`,
    `/api//x/../${number}`,
    '/apis',
    '/old/x',
    '/gone/x',
    `/new/%7e${number}`,
  );
  return {
    method: oneOf('GET', 'GET', 'DELETE'),
    target: path + oneOf('', '?to=cookie', '?q=a%20b'),
    lines: [
      `Host: ${oneOf('a.test', 'admin.test', `x${number}.Admin.test:8080`)}`,
      // Without them the policies draw lots, and nobody can foretell that.
      `X-Key: ${number}`,
      `Cookie: user=${number}`,
      ...oneOf([], ['X-Beta: true']),
      ...oneOf(
        [],
        [`X-Forwarded-For: 192.0.2.${number % 256}`],
        [`X-Forwarded-For: 198.51.100.${number % 256}`, 'X-Forwarded-Proto: https'],
      ),
    ],
  };
}

function explain({ method, target, lines }: Question): Decision {
  const asked = askedRequest(method, target, lines);
  if (typeof asked === 'string') throw new Error(asked);
  const parsed = schema.parse({ admin: false, ...config });
  return decide(parsed, asked, {
    listener: parsed.listeners.find(isHttp)!,
    peerIp: '127.0.0.1',
    instance: hostname(),
  });
}

async function send(wire: Wire, { method, target, lines }: Question): Promise<HttpMessage> {
  wire.send([`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
  return wire.answer(method);
}

/** The only request that any endpoint has got since the last call, and who got it. */
function arrived(): { readonly name: string; readonly head: string[] } | undefined {
  const found = endpoints.flatMap((endpoint) =>
    endpoint.requests().map(({ method, target, fields }) => ({
      name: endpoint.name,
      head: [`${method} ${target} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)],
    })),
  );
  for (const endpoint of endpoints) for (const wire of endpoint.wires) wire.forget();
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0];
}

test('explain foretells what happens', async () => {
  const seen = new Map<string, number>();
  const wire = await dial(pointsman.address());
  for (let asked = 0; asked < 300; asked++) {
    const next = question();
    const { result } = explain(next);
    const answer = await send(wire, next);
    const got = arrived();
    seen.set(result.kind, (seen.get(result.kind) ?? 0) + 1);
    if (result.kind === 'endpoint') {
      expect({ next, ...got }).toEqual({ next, name: result.endpoint, head: [...result.sends] });
    } else if (result.kind === 'queue' || result.kind === 'refused' || result.kind === 'tls-ended') {
      throw new Error(`nobody is full, and nothing is TLS: ${JSON.stringify(next)}`);
    } else {
      expect({ next, status: answer.status, got }).toEqual({ next, status: result.status, got: undefined });
    }
  }
  wire.close();
  for (const kind of ['endpoint', 'reply', 'redirect', 'failure']) expect(seen.get(kind)).toBeGreaterThan(5);
});

test('explain asks a running instance', async () => {
  const { code, text } = await explainByProgram(pointsman.admin);
  expect(code).toBe(0);
  expect(text).toContain('policy first');
  expect(text).toContain(`endpoint ${endpoints[0]!.name}`);
  expect((await explainByProgram('127.0.0.1:1')).code).toBe(1);
});

async function explainByProgram(admin: string) {
  const directory = mkdtempSync(join(tmpdir(), 'pointsman-explain-'));
  writeFileSync(join(directory, 'pointsman.json'), JSON.stringify({ admin: false, ...config }));
  let text = '';
  const terminal = {
    out: (more: string) => void (text += more),
    err: () => {},
    directory,
    outColor: false,
    errColor: false,
  };
  const words = ['explain', 'GET', '/x', '--from', '192.0.2.1', '--admin', admin];
  const code = await runCommandLine(words, terminal);
  rmSync(directory, { recursive: true });
  return { code, text };
}
