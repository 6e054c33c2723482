import { beforeEach, describe, expect, test } from 'bun:test';

import { setCounts } from '../../test/support/set-counts.ts';
import { createPool, updatePool } from '../balancer/pools.ts';
import { Publisher } from '../balancer/publish.ts';
import { config as schema, type Config } from '../config/schema/config.ts';
import { endpoint as endpointSchema } from '../config/schema/pool.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import type { LogFields } from '../model/ports.ts';
import { FakeClock } from '../util/fake-clock.ts';
import { systemRandom } from '../util/random.ts';
import { RuntimeEndpoints } from './runtime-endpoints.ts';

const LISTENERS = [{ name: 'in', address: ':0', routes: [{ pool: 'web' }] }];

let clock: FakeClock;
let pools: Pool[];
let control: RuntimeEndpoints;
let logged: string[];
let tunnelsClosed: string[];
let publisher: Publisher;

const parse = (endpoints: readonly object[]): Config =>
  schema.parse({ listeners: LISTENERS, pools: [{ name: 'web', endpoints }] });
const A = { name: 'a', address: '10.0.0.1:80' };
const B = { name: 'b', address: '10.0.0.2:80', weight: 2 };
const added = (more: object = {}) => endpointSchema.parse({ name: 'c', address: '10.0.0.3:80', ...more });
const at = (name: string): Endpoint => pools[0]!.view.all.find((endpoint) => endpoint.name === name)!;
const names = () => pools[0]!.view.all.map(({ name }) => name);
const available = () => pools[0]!.view.available.map(({ name }) => name);

function update(config: Config['pools'][number]): void {
  const pool = pools.find(({ name }) => name === config.name)!;
  updatePool(pool, config, publisher);
}

/** As a reload does it. */
function reload(config: Config): void {
  for (const pool of control.overlay(config).pools) update(pool);
  control.adopt(config);
}

beforeEach(() => {
  clock = new FakeClock();
  logged = [];
  tunnelsClosed = [];
  const note = (event: string, fields: LogFields = {}) => {
    const shown = Object.entries(fields).filter(([, value]) => value !== undefined);
    logged.push([event, ...shown.map(([key, value]) => `${key}=${value}`)].join(' '));
  };
  const log = { debug: note, info: note, warn: note, error: note };
  publisher = new Publisher({ clock, random: systemRandom }, log);
  const config = parse([A, B]);
  pools = config.pools.map((pool) => createPool(pool, publisher));
  control = new RuntimeEndpoints(config, {
    pools: () => pools,
    updatePool: update,
    closeSessions: (endpoint) => void tunnelsClosed.push(endpoint.name),
    transitions: { onTransition: () => {} },
    clock,
    log,
  });
});

describe('state', () => {
  test('drain, disable, enable: in force at once, one line each', () => {
    expect(control.change('web', 'a', { state: 'draining' }, 'me')).toBeUndefined();
    expect([at('a').admin, available()]).toEqual(['draining', ['b']]);
    expect(at('a').drain).toEqual({
      sinceMs: 0,
      untilMs: Number.POSITIVE_INFINITY,
      leaves: false,
      left: undefined,
    });
    control.change('web', 'a', { state: 'disabled' }, 'me');
    control.change('web', 'a', { state: 'enabled' }, 'you');
    expect([at('a').admin, at('a').drain, available()]).toEqual(['enabled', undefined, ['a', 'b']]);
    expect(control.changes()).toEqual([]);
    expect(logged).toEqual([
      'endpoint-admin pool=web endpoint=a state=draining by=me',
      'endpoint-admin pool=web endpoint=a state=disabled by=me',
      'endpoint-admin pool=web endpoint=a state=enabled by=you',
    ]);
  });

  test('what is so already is done again without a trace', () => {
    control.change('web', 'a', { state: 'draining', deadlineMs: 1000 }, 'me');
    const version = control.version();
    clock.advance(900);
    control.change('web', 'a', { state: 'draining' }, 'you');
    expect(control.version()).toBe(version);
    clock.advance(100);
    expect(at('a').admin).toBe('disabled');
  });

  test('at the deadline it is disabled, its tunnels are closed and what was left is kept', () => {
    setCounts(at('a').counts, { inFlight: 3, tunnels: 2, sessions: 0 });
    control.change('web', 'a', { state: 'draining', deadlineMs: 1000 }, 'me');
    clock.advance(999);
    expect([at('a').admin, tunnelsClosed]).toEqual(['draining', []]);
    clock.advance(1);
    expect([at('a').admin, tunnelsClosed]).toEqual(['disabled', ['a']]);
    expect(at('a').drain?.left).toEqual({ requests: 1, tunnels: 2, sessions: 0 });
    expect(control.changes()).toMatchObject([{ kind: 'state', value: 'disabled', by: 'deadline' }]);
    expect(logged.slice(1)).toEqual([
      'endpoint-deadline pool=web endpoint=a requests=1 tunnels=2 sessions=0',
      'endpoint-admin pool=web endpoint=a state=disabled by=deadline',
    ]);
  });

  test('a deadline is dropped with what it was for, and can be moved', () => {
    control.change('web', 'a', { state: 'draining', deadlineMs: 1000 }, 'me');
    control.change('web', 'a', { state: 'enabled' }, 'me');
    control.change('web', 'b', { state: 'draining', deadlineMs: 1000 }, 'me');
    control.change('web', 'b', { deadlineMs: 5000 }, 'me');
    clock.advance(4999);
    expect([at('a').admin, at('b').admin]).toEqual(['enabled', 'draining']);
    clock.advance(1);
    expect([at('a').admin, at('b').admin]).toEqual(['enabled', 'disabled']);
  });

  test('a deadline without anything to end is refused', () => {
    expect(control.change('web', 'a', { deadlineMs: 5 }, 'me')).toMatchObject({ code: 'conflict' });
    expect(control.version()).toBe(0);
  });

  test('weight', () => {
    control.change('web', 'a', { weight: 7 }, 'me');
    expect([at('a').config.weight, at('a').effectiveWeight]).toEqual([7, 7]);
    expect(control.changes()).toMatchObject([{ kind: 'weight', value: 7, file: 1 }]);
    control.change('web', 'a', { weight: 1 }, 'me');
    expect(control.changes()).toEqual([]);
  });

  test('unknown names are answered with near ones', () => {
    expect(control.change('wbe', 'a', {}, 'me')).toEqual({
      code: 'not_found',
      message: 'there is no pool "wbe"; did you mean "web"? (pools: web)',
    });
    expect(control.change('web', 'z', {}, 'me')?.message).toStartWith(
      'there is no endpoint "z" in pool web; ',
    );
  });
});

describe('membership', () => {
  test('an endpoint is added and removed', () => {
    expect(control.add('web', added(), 'me')).toBeUndefined();
    expect([names(), available()]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    expect(control.add('web', added(), 'me')).toMatchObject({ code: 'conflict' });
    expect(control.changes()).toMatchObject([{ kind: 'added', value: '10.0.0.3:80', file: null }]);
    control.change('web', 'c', { weight: 9 }, 'me');
    expect(at('c').effectiveWeight).toBe(9);
    expect(control.remove('web', 'c', { force: false, deadlineMs: undefined }, 'me')).toBeUndefined();
    expect([names(), control.changes()]).toEqual([['a', 'b'], []]);
  });

  test('it leaves when it is empty', () => {
    const a = at('a');
    a.counts.inFlight.set(1);
    control.remove('web', 'a', { force: false, deadlineMs: 60_000 }, 'me');
    clock.advance(10_000);
    expect([names(), a.admin, a.drain?.leaves]).toEqual([['a', 'b'], 'draining', true]);
    a.counts.inFlight.set(0);
    clock.advance(50);
    expect(names()).toEqual(['b']);
    expect(control.changes()).toMatchObject([{ endpoint: 'a', kind: 'removed', file: '10.0.0.1:80' }]);
  });

  test('or at the deadline, or at once; and not when it was enabled again', () => {
    control.add('web', added(), 'me');
    at('a').counts.inFlight.set(1);
    at('b').counts.inFlight.set(1);
    control.remove('web', 'a', { force: false, deadlineMs: 1000 }, 'me');
    control.change('web', 'a', { state: 'enabled' }, 'me');
    clock.advance(1000);
    expect(names()).toEqual(['a', 'b', 'c']);
    control.remove('web', 'a', { force: false, deadlineMs: 1000 }, 'me');
    clock.advance(1000);
    expect([names(), tunnelsClosed]).toEqual([['b', 'c'], ['a']]);
    control.remove('web', 'b', { force: true, deadlineMs: undefined }, 'me');
    expect([names(), tunnelsClosed]).toEqual([['c'], ['a', 'b']]);
  });

  test('the last one stays', () => {
    at('a').counts.inFlight.set(1);
    control.remove('web', 'a', { force: false, deadlineMs: undefined }, 'me');
    expect(control.remove('web', 'b', { force: true, deadlineMs: undefined }, 'me')).toMatchObject({
      code: 'conflict',
    });
  });

  test('a removed name can be used again, for another server', () => {
    control.remove('web', 'a', { force: true, deadlineMs: undefined }, 'me');
    control.add('web', added({ name: 'a' }), 'me');
    expect(at('a').config.address.host).toBe('10.0.0.3');
    expect(control.changes()).toMatchObject([{ kind: 'added', value: '10.0.0.3:80', file: '10.0.0.1:80' }]);
    reload(parse([A, B]));
    expect(at('a').config.address.host).toBe('10.0.0.3');
    reload(parse([{ ...A, weight: 5 }, B]));
    expect(at('a').config.address.host).toBe('10.0.0.1');
  });
});

describe('a reload', () => {
  test('keeps changes of what the file says as before', () => {
    control.change('web', 'a', { state: 'draining', deadlineMs: 1000 }, 'me');
    control.change('web', 'b', { weight: 9 }, 'me');
    control.add('web', added(), 'me');
    reload(parse([{ ...A, maxConnections: 5 }, B, { address: '10.0.0.4:80' }]));
    expect(names()).toEqual(['a', 'b', '10.0.0.4:80', 'c']);
    expect([at('a').admin, at('a').config.maxConnections, at('b').config.weight]).toEqual(['draining', 5, 9]);
    expect(control.changes()).toHaveLength(3);
    clock.advance(1000);
    expect(at('a').admin).toBe('disabled');
  });

  test('ends those of what the file says otherwise, one line each', () => {
    control.change('web', 'a', { state: 'draining' }, 'me');
    control.change('web', 'b', { weight: 9, state: 'disabled' }, 'me');
    control.add('web', added(), 'me');
    logged.length = 0;
    reload(
      parse([
        { ...A, address: '10.0.0.9:80' },
        { ...B, weight: 3 },
        { name: 'c', address: '10.0.0.8:80' },
      ]),
    );
    expect([at('a').admin, at('b').config.weight, at('b').admin]).toEqual(['enabled', 3, 'disabled']);
    expect(at('c').config.address.host).toBe('10.0.0.8');
    expect(control.changes()).toMatchObject([{ endpoint: 'b', kind: 'state' }]);
    expect(logged.map((line) => line.split(' reason')[0])).toEqual([
      'runtime-change-over pool=web endpoint=a kind=state',
      'runtime-change-over pool=web endpoint=b kind=weight',
      'runtime-change-over pool=web endpoint=c kind=added',
    ]);
  });

  test('calls off a removal when the file says what is wanted', () => {
    at('a').counts.inFlight.set(1);
    control.remove('web', 'a', { force: false, deadlineMs: 1000 }, 'me');
    reload(parse([{ ...A, state: 'disabled' }, B]));
    expect([at('a').admin, at('a').drain]).toEqual(['disabled', undefined]);
    at('a').counts.inFlight.set(0);
    clock.advance(1000);
    expect(names()).toEqual(['a', 'b']);
  });

  test('discard goes back to the file', () => {
    control.change('web', 'a', { state: 'draining', deadlineMs: 1000 }, 'me');
    control.remove('web', 'b', { force: true, deadlineMs: undefined }, 'me');
    control.add('web', added(), 'me');
    expect(control.discard('me')).toBe(3);
    expect([names(), available(), control.changes()]).toEqual([['a', 'b'], ['a', 'b'], []]);
    clock.advance(1000);
    expect(at('a').admin).toBe('enabled');
    expect(control.discard('me')).toBe(0);
  });
});
