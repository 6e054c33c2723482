import { expect, test } from 'bun:test';

import { loadYaml } from './load.ts';
import type { EndpointConfig, PoolConfig } from './schema/pool.ts';
import { endpoint } from './schema/pool.ts';
import { writeEndpoints } from './write-endpoints.ts';

const HEAD = 'listeners:\n  - { name: web, address: 127.0.0.1:8080, routes: [ { pool: a } ] }\n';

function poolsOf(text: string): PoolConfig[] {
  const loaded = loadYaml(text, 'a.yaml');
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
  return loaded.config.pools;
}

type Change = (endpoints: EndpointConfig[]) => EndpointConfig[];

function rewrite(text: string, change: Change): string {
  const file = poolsOf(text);
  const wanted = file.map((pool) =>
    pool.name === 'a' ? { ...pool, endpoints: change([...pool.endpoints]) } : pool,
  );
  const result = writeEndpoints(text, file, wanted);
  if (!result.ok) throw new Error(result.message);
  return result.text;
}

const tuned =
  (index: number, change: Partial<EndpointConfig>): Change =>
  (endpoints) =>
    endpoints.map((one, at) => (at === index ? { ...one, ...change } : one));
const added: Change = (endpoints) => [...endpoints, endpoint.parse({ address: '10.0.0.9:80', weight: 2 })];
const without =
  (index: number): Change =>
  (endpoints) =>
    endpoints.filter((_, at) => at !== index);

const BLOCK = `# Ours.
${HEAD}pools:
  - name: a # the main one
    endpoints:
      # first rack
      - 10.0.0.1:80 # old machine
      - address: 10.0.0.2:80
        # slow disk
        weight: 3   # three
        name: two

      - { address: 10.0.0.3:80, name: three } # flow

    policy: round-robin
  - name: b
    endpoints: [10.0.1.1:80]
`;

const CASES: readonly [string, string, Change, readonly [string, string][]][] = [
  [
    'a weight for an address',
    BLOCK,
    tuned(0, { weight: 5 }),
    [['- 10.0.0.1:80 # old machine', '- { address: 10.0.0.1:80, weight: 5 } # old machine']],
  ],
  ['another weight', BLOCK, tuned(1, { weight: 7 }), [['weight: 3   # three', 'weight: 7   # three']]],
  [
    'a state for a block',
    BLOCK,
    tuned(1, { state: 'draining' }),
    [['- address: 10.0.0.2:80\n', '- state: draining\n        address: 10.0.0.2:80\n']],
  ],
  [
    'a state for a mapping on one line',
    BLOCK,
    tuned(2, { state: 'disabled' }),
    [['{ address: 10.0.0.3:80,', '{ state: disabled, address: 10.0.0.3:80,']],
  ],
  [
    'an endpoint more',
    BLOCK,
    added,
    [['name: three } # flow\n', 'name: three } # flow\n      - { address: 10.0.0.9:80, weight: 2 }\n']],
  ],
  ['one less', BLOCK, without(0), [['      - 10.0.0.1:80 # old machine\n', '']]],
  [
    'a block less',
    BLOCK,
    without(1),
    [
      [
        '      - address: 10.0.0.2:80\n        # slow disk\n        weight: 3   # three\n        name: two\n',
        '',
      ],
    ],
  ],
  [
    'another machine under the same name',
    BLOCK,
    tuned(2, { address: { host: '10.0.0.7', port: 81 } }),
    [['{ address: 10.0.0.3:80, name: three }', '{ address: "10.0.0.7:81", name: three }']],
  ],
];

for (const [what, text, change, replaced] of CASES) {
  test(`${what}: that line and nothing else`, () => {
    let expected = text;
    for (const [from, to] of replaced) {
      expect(expected.split(from)).toHaveLength(2);
      expected = expected.replace(from, to);
    }
    // Quotes are a matter of taste.
    expect(rewrite(text, change).replaceAll('"', '')).toBe(expected.replaceAll('"', ''));
  });
}

test('a list on one line, and JSON', () => {
  const flow = `${HEAD}pools: [ { name: a, endpoints: [10.0.0.1:80, 10.0.0.2:80] } ]\n`;
  expect(rewrite(flow, without(0))).toBe(flow.replace('[10.0.0.1:80, 10.0.0.2:80]', '[10.0.0.2:80]'));
  expect(rewrite(flow, tuned(0, { weight: 2 }))).toContain(
    '[{ address: 10.0.0.1:80, weight: 2 }, 10.0.0.2:80]',
  );
  const json = JSON.stringify(
    {
      listeners: [{ name: 'web', address: '127.0.0.1:8080', routes: [{ pool: 'a' }] }],
      pools: [{ name: 'a', endpoints: ['10.0.0.1:80', { address: '10.0.0.2:80' }] }],
    },
    null,
    2,
  );
  for (const change of [without(1), added, tuned(0, { weight: 2 }), tuned(1, { state: 'draining' })]) {
    const rewritten = rewrite(json, change);
    expect(() => JSON.parse(rewritten) as unknown).not.toThrow();
  }
});

test('several changes at once', () => {
  const rewritten = rewrite(BLOCK, (endpoints) =>
    added(tuned(0, { weight: 0, state: 'draining' })(without(1)(endpoints))),
  );
  expect(poolsOf(rewritten)[0]!.endpoints.map(({ name, weight, state }) => [name, weight, state])).toEqual([
    ['10.0.0.1:80', 0, 'draining'],
    ['three', 1, 'enabled'],
    ['10.0.0.9:80', 2, 'enabled'],
  ]);
});

test('no line break at the end of the file', () => {
  const text = `${HEAD}pools:\n- name: a\n  endpoints:\n  - 10.0.0.1:80`;
  expect(rewrite(text, added)).toBe(`${text}\n  - { address: 10.0.0.9:80, weight: 2 }\n`);
});

test('what cannot be changed safely is refused', () => {
  const alias = `${HEAD}pools:\n  - name: a\n    endpoints: &all\n      - 10.0.0.1:80\n  - name: b\n    endpoints: *all\n`;
  const file = poolsOf(alias);
  const changed = (name: string) =>
    file.map((pool) => (pool.name === name ? { ...pool, endpoints: added([...pool.endpoints]) } : pool));
  expect(writeEndpoints(alias, file, changed('b'))).toMatchObject({ ok: false });
  // It would change the other pool as well.
  expect(writeEndpoints(alias, file, changed('a'))).toMatchObject({ ok: false });
});
