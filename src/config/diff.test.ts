import { expect, test } from 'bun:test';

import { diffConfigs, formatChange } from './diff.ts';
import { loadValue } from './load.ts';
import type { Config, ConfigInput } from './schema/config.ts';

type ListenerInput = ConfigInput['listeners'][number];
type PoolInput = NonNullable<ConfigInput['pools']>[number];

function configOf(input: object): Config {
  const result = loadValue(input);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.config;
}

interface Parts {
  readonly web?: Partial<ListenerInput>;
  readonly api?: Partial<PoolInput>;
  readonly rest?: Partial<ConfigInput>;
}

function parts({ web, api, rest }: Parts): Config {
  return configOf({
    listeners: [{ name: 'web', address: ':8080', routes: [{ pool: 'api' }], ...web }],
    pools: [{ name: 'api', endpoints: ['10.0.0.1:80', '10.0.0.2:80'], ...api }],
    ...rest,
  });
}

const api = { name: 'api', endpoints: ['10.0.0.1:80', '10.0.0.2:80'] };
const other = { name: 'other', address: ':8081', routes: [{ reply: { status: 204 } }] };
const web = { name: 'web', address: ':8080', routes: [{ pool: 'api' }] };
const a = { match: { path: '/a' }, pool: 'api' };
const b = { match: { path: '/b' }, pool: 'api' };
const limit = { rateLimit: { rate: '5/s' } };

test.each<[what: string, before: Parts, after: Parts, changes: string[]]>([
  ['nothing', {}, {}, []],
  ['the same in other words', {}, { api: { endpoints: [{ address: '10.0.0.1:80' }, '10.0.0.2:80'] } }, []],
  [
    'settings that need a restart, and one that does not',
    {},
    { rest: { workers: 2, log: { level: 'warn' }, shutdown: { deadline: '5s' } } },
    [
      'setting workers changed (workers)',
      'setting log changed (log.level), from the next start on',
      'setting shutdown changed (shutdown.deadline)',
    ],
  ],
  [
    'where certificates come from',
    {},
    { rest: { acme: { email: 'ops@example.com' } } },
    ['setting acme changed (acme)'],
  ],
  [
    'a switch to false',
    {},
    { rest: { admin: false } },
    ['setting admin changed (admin), from the next start on'],
  ],
  ['a listener that came', {}, { rest: { listeners: [web, other] } }, ['listener other added']],
  ['a listener that went', { rest: { listeners: [web, other] } }, {}, ['listener other removed']],
  [
    'a listener that moved',
    {},
    { web: { address: ':9090' } },
    ['listener web moved from 0.0.0.0:8080 to 0.0.0.0:9090'],
  ],
  [
    'keys of a listener',
    {},
    { web: { timeouts: { idle: '5s' }, limits: { connections: 7 }, trustedProxies: ['10.0.0.0/8'] } },
    ['listener web changed (trustedProxies, timeouts.idle, limits.connections)'],
  ],
  ['a route in front', { web: { routes: [a] } }, { web: { routes: [b, a] } }, ['route web/routes[0] added']],
  [
    'a route that went',
    { web: { routes: [a, b] } },
    { web: { routes: [b] } },
    ['route web/routes[0] removed'],
  ],
  [
    'routes that changed places',
    { web: { routes: [a, b] } },
    { web: { routes: [b, a] } },
    ['route web/routes[1] moved from routes[0] to routes[1]'],
  ],
  [
    'a route of the same place',
    { web: { routes: [a, b] } },
    { web: { routes: [{ ...a, filters: [limit] }, b] } },
    ['route web/routes[0] changed (filters)'],
  ],
  [
    'a route of the same name',
    { web: { routes: [{ name: 'x', ...a }, b] } },
    { web: { routes: [b, { name: 'x', ...b, match: { path: '/c' } }] } },
    ['route web/x moved from routes[0] to routes[1]', 'route web/x changed (match.path)'],
  ],
  ['a pool that came', {}, { rest: { pools: [api, { ...api, name: 'b' }] } }, ['pool b added']],
  ['a pool that went', { rest: { pools: [api, { ...api, name: 'b' }] } }, {}, ['pool b removed']],
  [
    'keys of a pool',
    {},
    { api: { policy: 'first', healthCheck: { tcp: {} }, retry: { attempts: 3 } } },
    ['pool api changed (policy, retry.attempts, healthCheck)'],
  ],
  [
    'endpoints that came and went',
    {},
    { api: { endpoints: ['10.0.0.2:80', '10.0.0.3:80'] } },
    ['endpoint api/10.0.0.3:80 added', 'endpoint api/10.0.0.1:80 removed'],
  ],
  [
    'an endpoint that changed',
    {},
    { api: { endpoints: ['10.0.0.1:80', { address: '10.0.0.2:80', weight: 3, state: 'draining' }] } },
    ['endpoint api/10.0.0.2:80 changed (weight, state)'],
  ],
  [
    'an endpoint that is another server now',
    { api: { endpoints: [{ name: 'one', address: '10.0.0.1:80' }] } },
    { api: { endpoints: [{ name: 'one', address: '10.0.0.9:80' }] } },
    ['endpoint api/one moved from 10.0.0.1:80 to 10.0.0.9:80'],
  ],
  [
    'the order of endpoints',
    {},
    { api: { endpoints: ['10.0.0.2:80', '10.0.0.1:80'] } },
    ['pool api changed (order of endpoints)'],
  ],
])('%s', (_what, before, after, changes) => {
  expect(diffConfigs(parts(before), parts(after)).map(formatChange).sort()).toEqual([...changes].sort());
});
