import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { GET, MemoryProxy, OK, statusOf } from '../../test/support/memory-proxy.ts';
import { poolConfig } from '../../test/support/policy-pool.ts';
import { runTurn } from '../net/turn.ts';

const PARTS = { affinity: undefined, hashKey: undefined, retryStatus: undefined, retryGrpcStatus: undefined };
const TICK_MS = 50;

let proxy: MemoryProxy;

beforeEach(() => {
  proxy = new MemoryProxy({ pool: { endpoints: [{ maxConnections: 1 }, { maxConnections: 1 }] } });
});
afterEach(() => proxy.restore());

test('every endpoint has connections of its own, and always the same', () => {
  const [a, b] = proxy.pool.view.all;
  expect(proxy.l7Pool.connector(a!)).toBe(proxy.l7Pool.connector(a!));
  expect(proxy.l7Pool.connector(a!)).not.toBe(proxy.l7Pool.connector(b!));
  const { client } = proxy.used();
  proxy.balanced.change('a', { admin: 'disabled' });
  client.send(GET);
  expect(proxy.network.pendingDials.map(({ host }) => host)).toEqual(['b.test']);
});

describe('a reload', () => {
  const later = (timeouts: object, more: object = {}) =>
    poolConfig({ endpoints: [{ maxConnections: 1 }, { maxConnections: 1 }], timeouts, ...more });

  test('reaches connections that are open', () => {
    const { client, endpoint } = proxy.used();
    proxy.l7Pool.configure(later({ response: '5s', idle: '20s' }), PARTS);
    client.send(GET);
    proxy.advance(5000 + TICK_MS);
    expect([endpoint.standing, proxy.network.pendingDials.map(({ host }) => host)]).toEqual([
      'reset',
      ['b.test'],
    ]);
  });

  test('reaches dials and how many idle connections are kept', () => {
    proxy.l7Pool.configure(later({ connect: '7s' }, { maxIdleConnections: 0 }), PARTS);
    const client = proxy.connect().send(GET);
    expect(proxy.network.pendingDials[0]!.timeoutMs).toBe(7000);
    expect(proxy.acceptDial().send(OK).standing).toBe('closed');
    expect(statusOf(client)).toBe(200);
  });
});

test('a reload that changes the protocol closes idle connections, and new ones speak the new one', () => {
  const { client, endpoint } = proxy.used();
  proxy.l7Pool.configure(
    poolConfig({ endpoints: [{ maxConnections: 1 }, { maxConnections: 1 }], protocol: 'h2c' }),
    PARTS,
  );
  expect(endpoint.standing).toBe('closed');
  client.send(GET);
  expect(proxy.acceptDial().received).toStartWith('PRI * HTTP/2.0');
});

describe('endpoints that are gone', () => {
  test('keep what they are doing, and no idle connection', () => {
    const { endpoint: idle } = proxy.used();
    const client = proxy.connect().send(GET);
    runTurn(() => proxy.l7Pool.forget(proxy.pool.view.all));
    // In use when its endpoint left: it finishes, and is not kept.
    expect(idle.standing).toBe('open');
    idle.send(OK);
    expect([statusOf(client), idle.standing]).toEqual([200, 'closed']);
  });

  test('are forgotten with all idle connections', () => {
    const { endpoint } = proxy.used();
    runTurn(() => proxy.l7Pool.forget(proxy.pool.view.all));
    expect(endpoint.standing).toBe('closed');
  });
});

test('a pool that is closed keeps no connection, not even to endpoints it had not reached', () => {
  const { endpoint } = proxy.used();
  runTurn(() => proxy.l7Pool.close());
  expect(endpoint.standing).toBe('closed');
  proxy.balanced.change('a', { admin: 'disabled' });
  const client = proxy.connect().send(GET);
  const other = proxy.acceptDial().send(OK);
  expect([statusOf(client), other.standing]).toEqual([200, 'closed']);
});

test('who waits in the queue is asked again when an endpoint returns', () => {
  proxy.balanced.change('b', { health: 'unhealthy' });
  proxy.connect().send(GET);
  const waits = proxy.connect().send(GET);
  expect(proxy.pool.queued).toBe(1);
  proxy.balanced.change('b', { health: 'healthy' });
  runTurn(() => proxy.l7Pool.queue.wake());
  expect([proxy.pool.queued, proxy.inFlight]).toEqual([0, [1, 1]]);
  proxy.network.pendingDials[1]!.accept().send(OK);
  expect(statusOf(waits)).toBe(200);
});
