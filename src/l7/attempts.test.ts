import { afterEach, describe, expect, test } from 'bun:test';

import type { MemoryPeer } from '../../test/support/memory-connection.ts';
import { GET, MemoryProxy, OK, statusOf, withBody } from '../../test/support/memory-proxy.ts';
import { runTurn } from '../net/turn.ts';

let proxy: MemoryProxy;
afterEach(() => proxy.restore());

const TICK_MS = 50;
const NOTHING = { inFlight: 0, activeRequests: 0, activeRetries: 0, queued: 0, busy: 0 };

describe('another attempt', () => {
  test('follows a refusal at once, whatever the method, body and all', () => {
    for (const [method, body] of [
      ['GET', ''],
      ['POST', ''],
      ['POST', 'body'],
      ['PATCH', 'x'.repeat(50_000)],
    ] as const) {
      proxy?.restore();
      proxy = new MemoryProxy();
      const client = proxy.connect();
      client.send(withBody(method, body));
      proxy.network.pendingDials[0]!.fail('connect_refused');
      expect(proxy.inFlight).toEqual([0, 1]);
      const endpoint = proxy.acceptDial();
      expect(endpoint.received).toEndWith(`\r\n\r\n${body}`);
      endpoint.send(OK);
      expect([statusOf(client), proxy.log]).toEqual([200, [[200, '', 2]]]);
      expect(proxy.held).toEqual(NOTHING);
    }
  });

  test('is not made when all endpoints have failed', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect();
    client.send(GET);
    proxy.network.pendingDials[0]!.fail('connect_refused');
    proxy.network.pendingDials[0]!.fail('connect_timeout');
    expect(proxy.network.pendingDials).toEqual([]);
    expect([statusOf(client), proxy.log]).toEqual([503, [[503, 'no_endpoint', 2]]]);
    expect(proxy.observed.map(({ endpoint, failure }) => [endpoint, failure])).toEqual([
      ['a', 'connect_refused'],
      ['b', 'connect_timeout'],
    ]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('is not made for ever when endpoints cannot be reached: so many, or for so long', () => {
    const endpoints = Array.from({ length: 20 }, () => 1);
    proxy = new MemoryProxy({ pool: { endpoints, retry: { connectAttempts: 4, connectDeadline: '5s' } } });
    const refused = proxy.connect().send(withBody('POST', 'x'));
    while (proxy.network.pendingDials.length > 0) proxy.network.pendingDials[0]!.fail('connect_refused');
    expect([statusOf(refused), proxy.log]).toEqual([503, [[503, 'no_endpoint', 4]]]);
    expect(refused.received).toContain('last attempt: connect_refused');
    const late = proxy.connect().send(GET);
    for (let dials = 0; proxy.network.pendingDials.length > 0; dials++) {
      expect(dials).toBeLessThan(3);
      proxy.advance(2000);
      proxy.network.pendingDials[0]!.fail('connect_timeout');
    }
    expect([statusOf(late), proxy.log[1]]).toEqual([503, [503, 'no_endpoint', 3]]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('of a request that was sent does not count those that could not be reached', () => {
    proxy = new MemoryProxy({ pool: { endpoints: [1, 1, 1, 1], retry: { attempts: 1 } } });
    const client = proxy.connect().send(GET);
    proxy.network.pendingDials[0]!.fail('connect_refused');
    proxy.network.pendingDials[0]!.fail('connect_refused');
    proxy.acceptDial().reset();
    proxy.acceptDial().send(OK);
    expect([statusOf(client), proxy.log]).toEqual([200, [[200, '', 4]]]);
  });

  test('follows an endpoint that does not answer, for methods that may be sent twice', () => {
    for (const [request, tried] of [
      [GET, true],
      [withBody('PUT', 'body'), true],
      [withBody('DELETE', ''), true],
      [withBody('POST', ''), false],
      [withBody('POST', 'body'), false],
      [withBody('PATCH', 'body'), false],
    ] as const) {
      proxy?.restore();
      proxy = new MemoryProxy();
      const client = proxy.connect();
      client.send(request);
      proxy.acceptDial().reset();
      expect(proxy.network.pendingDials.length).toBe(tried ? 1 : 0);
      if (tried) {
        const second = proxy.acceptDial();
        expect(second.received.split('\r\n\r\n')[1]).toBe(request.split('\r\n\r\n')[1]);
        second.send(OK);
      }
      expect([statusOf(client), proxy.log]).toEqual([
        tried ? 200 : 502,
        [tried ? [200, '', 2] : [502, 'endpoint_reset', 1]],
      ]);
      expect(proxy.held).toEqual(NOTHING);
    }
  });

  test('is not made when more of the body was sent than is kept', () => {
    proxy = new MemoryProxy({ pool: { retry: { bufferSize: '100B' } } });
    for (const [length, status] of [
      [100, 200],
      [101, 502],
    ] as const) {
      const client = proxy.connect();
      client.send(withBody('PUT', 'x'.repeat(length)));
      proxy.acceptDial().reset();
      if (status === 200) proxy.acceptDial().send(OK).reset();
      expect(proxy.entries.at(-1)!.status).toBe(status);
    }
    expect(proxy.held).toEqual(NOTHING);
  });

  test('on a connection that was dead already is made at the same endpoint and costs none', () => {
    proxy = new MemoryProxy({ pool: { retry: { attempts: 1 } } });
    const { client, endpoint } = proxy.used();
    client.send(GET);
    endpoint.reset();
    const [dial] = proxy.network.pendingDials;
    expect(dial?.host).toBe('a.test');
    const second = dial!.accept();
    second.fin();
    proxy.acceptDial().send(OK);
    expect(proxy.log.at(-1)).toEqual([200, '', 2]);
    expect(proxy.observed.map(({ endpoint: name, failure }) => [name, failure])).toEqual([
      ['a', undefined],
      ['a', 'endpoint_closed'],
      ['b', undefined],
    ]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('of a POST on a connection that was dead already is not made', () => {
    proxy = new MemoryProxy();
    const { client, endpoint } = proxy.used();
    client.send(withBody('POST', ''));
    endpoint.fin();
    expect([statusOf(client), proxy.log.at(-1)]).toEqual([502, [502, 'endpoint_stale', 0]]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('is not made once a byte of the response is with the client, which sees the end', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect();
    client.send(GET);
    proxy.acceptDial().send(OK.slice(0, -1)).fin();
    expect([client.standing, proxy.network.pendingDials, proxy.log]).toEqual([
      'closed',
      [],
      [[200, 'response_truncated', 1]],
    ]);
    expect(proxy.observed).toEqual([{ endpoint: 'a', failure: 'response_truncated', status: 0 }]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('waits for a place in the budget, for a while, and not for a client that leaves', () => {
    const budget = { pool: { endpoints: [1, 1, 1], retry: { minRetries: 0, budgetPercent: 0 } } };
    proxy = new MemoryProxy(budget);
    const patient = proxy.connect().send(GET);
    const leaver = proxy.connect().send(GET);
    for (const dial of proxy.network.pendingDials) dial.accept().reset();
    expect(proxy.network.pendingDials).toEqual([]);
    proxy.advance(1000);
    leaver.reset();
    expect(proxy.listener.busy).toBe(1);
    proxy.advance(1500);
    expect(proxy.log).toEqual([
      [499, 'client_closed', 1],
      [502, 'endpoint_reset', 1],
    ]);
    expect([statusOf(patient), proxy.pool.stats.retriesDenied]).toEqual([502, 1]);
    expect(proxy.held).toEqual(NOTHING);
    expect(proxy.pool.stats.retries).toBe(0);
  });

  test('waits for no place in the budget when its client has ended, or its deadline comes', () => {
    const endpoints = [1, 1, 1];
    proxy = new MemoryProxy({
      pool: { endpoints, retry: { minRetries: 0, budgetPercent: 0, deadline: '1s' } },
    });
    const ended = proxy.connect().send(GET).fin();
    const late = proxy.connect().send(GET);
    for (const dial of proxy.network.pendingDials) dial.accept().reset();
    expect([statusOf(ended), statusOf(late)]).toEqual([502, 0]);
    proxy.advance(1000 + TICK_MS);
    expect([statusOf(late), proxy.log[1]]).toEqual([504, [504, 'deadline', 1]]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('takes the first place in the budget that comes free', () => {
    proxy = new MemoryProxy({ pool: { endpoints: [1, 1], retry: { minRetries: 1, budgetPercent: 0 } } });
    const clients = [proxy.connect().send(GET), proxy.connect().send(GET)];
    for (const dial of proxy.network.pendingDials) dial.accept().reset();
    expect([proxy.pool.activeRetries, proxy.network.pendingDials.length]).toEqual([1, 1]);
    const second = proxy.acceptDial();
    proxy.advance(300);
    expect(proxy.network.pendingDials).toEqual([]);
    second.send(OK);
    proxy.advance(300);
    expect([proxy.pool.activeRetries, proxy.inFlight]).toEqual([1, [0, 1]]);
    second.send(OK);
    expect(clients.map(statusOf)).toEqual([200, 200]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('ends with the deadline of all attempts, whatever is under way', () => {
    proxy = new MemoryProxy({ pool: { retry: { deadline: '3s' } } });
    const stages: readonly ((client: MemoryPeer) => void)[] = [
      () => {},
      () => proxy.acceptDial(),
      () => {
        proxy.acceptDial().reset();
        proxy.acceptDial();
      },
    ];
    for (const stage of stages) {
      const client = proxy.connect().send(GET);
      stage(client);
      proxy.advance(2900);
      expect(statusOf(client)).toBe(0);
      proxy.advance(100 + TICK_MS);
      expect([statusOf(client), proxy.entries.at(-1)!.failure]).toEqual([504, 'deadline']);
      expect(proxy.held).toEqual(NOTHING);
      for (const dial of proxy.network.pendingDials) dial.fail();
    }
    // It is for attempts: a response that has begun may take its time.
    const client = proxy.connect().send(GET);
    const endpoint = proxy.acceptDial().send(OK.slice(0, -1));
    proxy.advance(10_000);
    endpoint.send('k');
    expect(client.received).toEndWith('ok');
  });
});

describe('statuses that are tried again', () => {
  const BUSY = 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy';

  test('go to another endpoint, and to nobody when the method does not allow it', () => {
    proxy = new MemoryProxy({ pool: { retry: { statuses: [503] } } });
    const client = proxy.connect().send(GET);
    proxy.acceptDial().send(BUSY);
    proxy.acceptDial().send(OK);
    expect([statusOf(client), proxy.log]).toEqual([200, [[200, '', 2]]]);
    const poster = proxy.connect().send(withBody('POST', 'x'));
    proxy.acceptDial().send(BUSY);
    expect([statusOf(poster), poster.received.endsWith('busy')]).toEqual([503, true]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('reach the client when they cannot be tried again now', () => {
    proxy = new MemoryProxy({
      pool: { retry: { statuses: [503], minRetries: 0, budgetPercent: 0 } },
    });
    const client = proxy.connect().send(GET);
    proxy.acceptDial().send(BUSY);
    expect([statusOf(client), client.received.endsWith('busy')]).toEqual([503, true]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('reach the client when there is no other endpoint', () => {
    proxy = new MemoryProxy({ pool: { endpoints: [1, 1], retry: { statuses: [503] } } });
    const client = proxy.connect().send(GET);
    proxy.acceptDial().send(BUSY);
    proxy.acceptDial().send(BUSY);
    expect([statusOf(client), client.received.endsWith('busy')]).toEqual([503, true]);
    expect(proxy.held).toEqual(NOTHING);
  });
});

describe('a request that waits for a place', () => {
  const FULL = { pool: { endpoints: [{ maxConnections: 1 }], queue: { size: 2, timeout: '5s' } } };

  test('is served in its turn', () => {
    proxy = new MemoryProxy(FULL);
    const clients = Array.from({ length: 4 }, () => proxy.connect().send(GET));
    expect([proxy.inFlight, proxy.pool.queued, statusOf(clients[3]!)]).toEqual([[1], 2, 503]);
    const endpoint = proxy.acceptDial();
    for (const client of clients.slice(0, 3)) {
      endpoint.send(OK);
      expect(statusOf(client)).toBe(200);
    }
    expect(proxy.log.map(([, failure]) => failure)).toEqual(['queue_full', '', '', '']);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('waits so long and no longer', () => {
    proxy = new MemoryProxy(FULL);
    proxy.connect().send(GET);
    const late = proxy.connect().send(GET);
    proxy.advance(4900);
    expect(statusOf(late)).toBe(0);
    proxy.advance(100 + TICK_MS);
    expect([statusOf(late), proxy.log]).toEqual([503, [[503, 'queue_timeout', 0]]]);
    expect(proxy.entries[0]!.queuedMs).toBeWithin(5000, 5000 + TICK_MS + 1);
    expect([proxy.pool.queued, proxy.inFlight]).toEqual([0, [1]]);
  });

  test.each(['fin', 'reset'] as const)('is dropped when its client has gone (%s)', (end) => {
    proxy = new MemoryProxy(FULL);
    proxy.connect().send(GET);
    const gone = proxy.connect().send(GET);
    const waits = proxy.connect().send(GET);
    gone[end]();
    expect([proxy.pool.queued, gone.standing, proxy.log]).toEqual([1, 'reset', [[499, 'client_closed', 0]]]);
    const endpoint = proxy.acceptDial();
    endpoint.send(OK).send(OK);
    expect(statusOf(waits)).toBe(200);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('does not begin to wait when its client ended while an endpoint was dialled', () => {
    proxy = new MemoryProxy({
      pool: { endpoints: [1, { maxConnections: 1 }], queue: { size: 2, timeout: '5s' } },
    });
    const client = proxy.connect().send(GET);
    const [toFirst] = proxy.network.pendingDials;
    proxy.balanced.change('a', { admin: 'disabled' });
    proxy.connect().send(GET);
    client.fin();
    expect(client.standing).toBe('open');
    toFirst!.fail('connect_refused');
    expect([proxy.pool.queued, client.standing, proxy.log]).toEqual([
      0,
      'reset',
      [[499, 'client_closed', 1]],
    ]);
    proxy.acceptDial().send(OK);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('waits although the client before it, whose exchange it has, had ended', () => {
    proxy = new MemoryProxy({
      pool: { endpoints: [{ maxConnections: 1 }, { maxConnections: 1 }], queue: { size: 2, timeout: '5s' } },
    });
    proxy.connect().send(GET);
    const ended = proxy.connect().send(GET).fin();
    const [first, second] = proxy.network.pendingDials.map((dial) => dial.accept());
    second!.send(OK);
    expect(statusOf(ended)).toBe(200);
    proxy.balanced.change('b', { admin: 'disabled' });
    proxy.advance(100);
    const waits = proxy.connect().send(GET);
    expect([proxy.pool.queued, waits.standing]).toEqual([1, 'open']);
    first!.send(OK).send(OK);
    expect(statusOf(waits)).toBe(200);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('is asked again when an endpoint failed and gave back its place', () => {
    proxy = new MemoryProxy({
      pool: { endpoints: [{ maxConnections: 1 }], queue: { size: 2, timeout: '5s' }, retry: { attempts: 0 } },
    });
    const first = proxy.connect().send(GET);
    const second = proxy.connect().send(GET);
    proxy.network.pendingDials[0]!.fail('connect_refused');
    expect([statusOf(first), proxy.pool.queued, proxy.inFlight]).toEqual([502, 0, [1]]);
    proxy.acceptDial().send(OK);
    expect(statusOf(second)).toBe(200);
    expect(proxy.held).toEqual(NOTHING);
  });
});

describe('affinity', () => {
  const BOUND = {
    pool: {
      endpoints: [{ maxConnections: 1 }, { maxConnections: 1 }],
      affinity: { cookie: { name: 'S' } },
      queue: { size: 10, timeout: '5s' },
    },
  };

  /** A cookie that binds to the endpoint of that name. */
  function cookieOf(name: string): string {
    for (;;) {
      const client = proxy.connect().send(GET);
      const dial = proxy.network.pendingDials[0]!;
      const { host } = dial;
      const endpoint = dial.accept().send(OK);
      const cookie = /Set-Cookie: (S=[^;]+)/.exec(client.received)![1]!;
      endpoint.reset();
      if (host === `${name}.test`) return cookie;
      proxy.balanced.change('a', { admin: 'disabled' });
    }
  }

  test('who waits for its own endpoint does not hold up the others', () => {
    proxy = new MemoryProxy(BOUND);
    const cookie = cookieOf('a');
    const bound = `GET / HTTP/1.1\r\nHost: a.test\r\nCookie: ${cookie}\r\n\r\n`;
    proxy.connect().send(bound);
    const b = proxy.connect().send(GET);
    const waits = proxy.connect().send(bound);
    const other = proxy.connect().send(GET);
    expect([proxy.inFlight, proxy.pool.queued]).toEqual([[1, 1], 2]);
    const [toA, toB] = proxy.network.pendingDials.map((dial) => dial.accept());
    toB!.send(OK);
    expect([statusOf(b), proxy.pool.queued]).toEqual([200, 1]);
    toB!.send(OK);
    expect([statusOf(other), statusOf(waits)]).toEqual([200, 0]);
    toA!.send(OK).send(OK);
    expect(statusOf(waits)).toBe(200);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('a binding that is kept is not told again; one that cannot be is replaced', () => {
    proxy = new MemoryProxy(BOUND);
    const cookie = cookieOf('a');
    const bound = `GET / HTTP/1.1\r\nHost: a.test\r\nCookie: ${cookie}\r\n\r\n`;
    const kept = proxy.connect().send(bound);
    proxy.acceptDial().send(OK).reset();
    expect(kept.received).not.toContain('Set-Cookie');
    const moved = proxy.connect().send(bound);
    proxy.network.pendingDials[0]!.fail('connect_refused');
    proxy.acceptDial().send(OK);
    expect(moved.received).toMatch(/Set-Cookie: S=/);
    expect(moved.received).not.toContain(cookie);
  });
});

describe('an endpoint that became unhealthy', () => {
  test('loses what it has not begun to answer, where that may be sent twice, and its idle connections', () => {
    proxy = new MemoryProxy();
    const { client: idler, endpoint: idle } = proxy.used();
    const answered = proxy.connect().send(GET);
    idle.send(OK.slice(0, -1));
    const waits = proxy.connect().send(GET);
    const poster = proxy.connect().send(withBody('POST', 'x'));
    const [silent, other] = proxy.network.pendingDials.map((dial) => dial.accept());
    const [first] = proxy.pool.view.all;
    proxy.balanced.change('a', { health: 'unhealthy' });
    runTurn(() => proxy.l7Pool.abandon(first!, 'the check failed'));
    expect([silent!.standing, other!.standing, statusOf(poster)]).toEqual(['reset', 'reset', 502]);
    proxy.acceptDial().send(OK);
    expect(statusOf(waits)).toBe(200);
    idle.send('k');
    expect(answered.received).toEndWith('ok');
    expect(idler.standing).toBe('open');
    expect(proxy.held).toEqual(NOTHING);
  });
});
