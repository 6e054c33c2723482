import { afterEach, describe, expect, test } from 'bun:test';

import { MemoryTcp } from '../../test/support/memory-tcp.ts';
import { runTurn } from '../net/turn.ts';

let tcp: MemoryTcp;
afterEach(() => tcp.restore());

const TICK_MS = 50;
const NOTHING = { inFlight: 0, sessions: 0, activeRequests: 0, queued: 0, busy: 0, connectionsOpen: 0 };

describe('a session', () => {
  test('dials before the client has said anything, and passes bytes both ways', () => {
    tcp = new MemoryTcp();
    const { client, endpoint } = tcp.open();
    endpoint.send('220 hello');
    client.send('HELO');
    expect([client.received, endpoint.received]).toEqual(['220 hello', 'HELO']);
    expect(tcp.held).toEqual({
      ...NOTHING,
      inFlight: 1,
      sessions: 1,
      activeRequests: 1,
      busy: 1,
      connectionsOpen: 1,
    });
    const { stats } = tcp.listener;
    const endpointStats = tcp.pool.view.all[0]!.stats;
    expect([stats.bytesIn, stats.bytesOut, endpointStats.bytesOut, endpointStats.bytesIn]).toEqual([
      4, 9, 4, 9,
    ]);
  });

  test('what the client says early waits in the kernel, and is delivered first', () => {
    tcp = new MemoryTcp();
    const client = tcp.connect().send('early ');
    expect([client.reading, client.unread]).toEqual([false, 6]);
    tcp.network.pendingDials[0]!.fail();
    const endpoint = tcp.acceptDial();
    client.send('late');
    expect(endpoint.received).toBe('early late');
  });

  test('ends each direction by itself, and is written down once', () => {
    tcp = new MemoryTcp();
    const { client, endpoint } = tcp.open();
    tcp.advance(1000);
    client.send('request').fin();
    expect(endpoint.standing).toBe('fin');
    endpoint.send('answer').fin();
    expect([client.received, client.standing, endpoint.standing]).toEqual(['answer', 'closed', 'closed']);
    expect(tcp.entries).toEqual([
      {
        startWallMs: expect.any(Number),
        durationMs: 1000,
        listener: 'raw',
        pool: 'pool',
        endpoint: 'a',
        clientIp: '192.0.2.1',
        clientPort: 40_000,
        peerIp: '192.0.2.1',
        peerPort: 40_000,
        protocol: 'TCP',
        route: '',
        serverName: '',
        alpn: '',
        requestBytes: 7,
        responseBytes: 6,
        failure: '',
        attempts: 1,
        queuedMs: 0,
        connectMs: 0,
      },
    ]);
    expect([tcp.held, tcp.accepted]).toEqual([NOTHING, 0]);
  });

  test.each([
    ['client', 'client_closed'],
    ['endpoint', 'endpoint_reset'],
  ] as const)('a reset by the %s is passed on', (side, code) => {
    tcp = new MemoryTcp();
    const session = tcp.open();
    session[side].reset();
    expect([session.client.standing, session.endpoint.standing]).toEqual(['reset', 'reset']);
    expect([tcp.log, tcp.failed(code)]).toEqual([[[code, 'a', 1]], 1]);
    expect(tcp.held).toEqual(NOTHING);
  });

  test('who does not read holds back who writes', () => {
    tcp = new MemoryTcp();
    const { client, endpoint } = tcp.open();
    client.hold(10);
    endpoint.send('x'.repeat(1000)).send('y'.repeat(1000));
    expect([endpoint.reading, endpoint.unread]).toEqual([false, 1000]);
    client.take();
    expect(client.received).toHaveLength(2000);
    expect(endpoint.reading).toBe(true);
  });
});

describe('an endpoint that cannot be reached', () => {
  test('is followed by the next, without retry.attempts or a budget: nothing was sent', () => {
    tcp = new MemoryTcp({ pool: { endpoints: [1, 1, 1], retry: { attempts: 1, minRetries: 0 } } });
    const client = tcp.connect();
    tcp.network.pendingDials[0]!.fail('connect_refused');
    tcp.network.pendingDials[0]!.fail('connect_timeout');
    tcp.acceptDial().send('hello');
    expect(client.received).toBe('hello');
    expect(tcp.observed).toEqual([
      ['a', 'connect_refused'],
      ['b', 'connect_timeout'],
      ['c', undefined],
    ]);
    expect(tcp.inFlight).toEqual([0, 0, 1]);
    const [a, , c] = tcp.pool.view.all;
    expect([a!.stats.connectFailures, a!.stats.errors, c!.stats.retries]).toEqual([1, 1, 1]);
  });

  test('is not blamed when it is we who have no descriptor or port left', () => {
    tcp = new MemoryTcp();
    tcp.connect();
    tcp.network.pendingDials[0]!.fail('no_descriptor');
    tcp.acceptDial();
    expect(tcp.observed).toEqual([['b', undefined]]);
    expect(tcp.pool.view.all[0]!.stats.errors).toBe(0);
  });

  test('is not followed by another when retries are off', () => {
    tcp = new MemoryTcp({ pool: { retry: { attempts: 0 } } });
    const client = tcp.connect();
    tcp.network.pendingDials[0]!.fail('connect_refused');
    expect([client.standing, tcp.log]).toEqual(['reset', [['connect_refused', 'a', 1]]]);
    expect(tcp.held).toEqual(NOTHING);
  });

  test('each is asked once; then the client is reset', () => {
    tcp = new MemoryTcp();
    const client = tcp.connect();
    tcp.network.pendingDials[0]!.fail('connect_refused');
    tcp.network.pendingDials[0]!.fail('connect_failed');
    expect(tcp.network.pendingDials).toEqual([]);
    expect([client.standing, tcp.log]).toEqual(['reset', [['connect_failed', 'b', 2]]]);
    expect([tcp.held, tcp.accepted]).toEqual([NOTHING, 0]);
  });

  test('without any endpoint the client is reset at once', () => {
    tcp = new MemoryTcp({ pool: { endpoints: [{ state: 'disabled' }] } });
    const client = tcp.connect();
    expect([client.standing, tcp.log]).toEqual(['reset', [['no_endpoint', '', 0]]]);
    expect([tcp.held, tcp.accepted, tcp.pool.stats.noEndpoint]).toEqual([NOTHING, 0, 1]);
  });
});

describe('a client that leaves', () => {
  test('while its endpoint is dialled gives everything back', () => {
    tcp = new MemoryTcp();
    const client = tcp.connect();
    client.reset();
    expect([tcp.network.pendingDials, tcp.log]).toEqual([[], [['client_closed', 'a', 1]]]);
    expect([tcp.held, tcp.accepted, tcp.observed]).toEqual([NOTHING, 0, []]);
  });

  test('while it waits for room gives its place in the queue', () => {
    tcp = new MemoryTcp({ pool: { endpoints: [{ maxConnections: 1 }] } });
    const first = tcp.open();
    const second = tcp.connect();
    const third = tcp.connect();
    expect(tcp.pool.queued).toBe(2);
    second.reset();
    expect(tcp.pool.queued).toBe(1);
    first.client.fin();
    first.endpoint.fin();
    tcp.acceptDial().send('served');
    expect(third.received).toBe('served');
  });
});

describe('the queue', () => {
  test('serves in order, and refuses beyond its size and time', () => {
    tcp = new MemoryTcp({
      pool: { endpoints: [{ maxConnections: 1 }], queue: { size: 1, timeout: '1s' } },
    });
    tcp.open();
    const waiting = tcp.connect();
    const over = tcp.connect();
    expect([waiting.standing, over.standing, tcp.log]).toEqual(['open', 'reset', [['queue_full', '', 0]]]);
    tcp.advance(1000 + TICK_MS);
    expect([waiting.standing, tcp.log.at(-1)]).toEqual(['reset', ['queue_timeout', '', 0]]);
    expect(tcp.entries.at(-1)!.queuedMs).toBeGreaterThanOrEqual(1000);
    expect([tcp.pool.stats.queueFull, tcp.pool.stats.queueTimeouts, tcp.pool.queued]).toEqual([1, 1, 0]);
  });
});

describe('time', () => {
  test('without a byte either way a session ends', () => {
    tcp = new MemoryTcp({ listener: { timeouts: { idle: '10s' } } });
    const { client, endpoint } = tcp.open();
    for (const side of [client, endpoint, client]) {
      tcp.advance(9000);
      side.send('.');
    }
    expect(tcp.log).toEqual([]);
    tcp.advance(10_000 + TICK_MS);
    expect([tcp.log, client.standing, endpoint.standing]).toEqual([
      [['session_idle', 'a', 1]],
      'closed',
      'closed',
    ]);
    expect(tcp.time.clock.pending).toBe(0);
  });

  test('a session that is too old is asked to end, then made to', () => {
    tcp = new MemoryTcp({ listener: { timeouts: { session: '1m' } } });
    const { client, endpoint } = tcp.open();
    for (let second = 0; second < 60; second++) {
      tcp.advance(1000);
      client.send('.');
    }
    tcp.advance(TICK_MS);
    expect([client.standing, endpoint.standing]).toEqual(['fin', 'fin']);
    tcp.advance(5000 + TICK_MS);
    expect([tcp.log, client.standing]).toEqual([[['session_expired', 'a', 1]], 'closed']);
    expect(tcp.held).toEqual(NOTHING);
  });

  test('one that waits for an endpoint can be too old too', () => {
    tcp = new MemoryTcp({ listener: { timeouts: { session: '1s' } } });
    const client = tcp.connect();
    tcp.advance(1000 + TICK_MS);
    expect([tcp.log, client.standing, tcp.held]).toEqual([[['session_expired', 'a', 1]], 'reset', NOTHING]);
    expect(tcp.network.pendingDials).toEqual([]);
  });

  test('keep-alive is asked for on both sides, if it is', () => {
    tcp = new MemoryTcp({ listener: { keepAlive: '30s' } });
    const { client, endpoint } = tcp.open();
    expect([client.keptAliveMs, endpoint.keptAliveMs]).toEqual([30_000, 30_000]);
    tcp.restore();
    tcp = new MemoryTcp();
    expect(tcp.open().client.keptAliveMs).toBe(0);
  });
});

describe('asked to end', () => {
  test('sessions of an endpoint get a FIN on both sides, and a moment', () => {
    tcp = new MemoryTcp({ pool: { policy: 'round-robin' } });
    const sessions = [tcp.open(), tcp.open()];
    const [first] = tcp.pool.view.all;
    runTurn(() => tcp.listener.closeSessions(first!));
    const standings = sessions.map(({ client, endpoint }) => `${client.standing} ${endpoint.standing}`);
    expect(standings.toSorted((a, b) => a.localeCompare(b))).toEqual(['fin fin', 'open open']);
    tcp.advance(5000 + TICK_MS);
    expect(tcp.log).toEqual([['endpoint_drained', first!.name, 1]]);
  });

  test('many sessions of an endpoint are ended little by little', () => {
    tcp = new MemoryTcp();
    const clients = Array.from({ length: 250 }, () => tcp.open().client);
    const ended = () => clients.filter(({ standing }) => standing !== 'open').length;
    runTurn(() => tcp.listener.closeSessions(tcp.pool.view.all[0]!));
    expect(ended()).toBe(100);
    tcp.advance(100);
    expect(ended()).toBe(200);
    tcp.advance(100);
    expect(ended()).toBe(250);
  });

  test('sessions of an endpoint that is down are reset', () => {
    tcp = new MemoryTcp();
    const { client, endpoint } = tcp.open();
    runTurn(() => tcp.listener.cutSessions(tcp.pool.view.all[0]!));
    expect([client.standing, endpoint.standing]).toEqual(['reset', 'reset']);
    expect([tcp.log, tcp.held]).toEqual([[['endpoint_unhealthy', 'a', 1]], NOTHING]);
  });

  test('all of them are, and those that still look for an endpoint', () => {
    tcp = new MemoryTcp();
    const session = tcp.open();
    const looking = tcp.connect();
    let cut = 0;
    runTurn(() => (cut = tcp.listener.cut()));
    expect([cut, session.client.standing, looking.standing]).toEqual([2, 'reset', 'reset']);
    expect(tcp.log.map(([failure]) => failure)).toEqual(['shutting_down', 'shutting_down']);
    expect([tcp.held, tcp.accepted]).toEqual([NOTHING, 0]);
  });
});

describe('limits', () => {
  test('of connections', () => {
    tcp = new MemoryTcp({ listener: { limits: { connections: 1 } } });
    const { client } = tcp.open();
    expect(tcp.connect().standing).toBe('reset');
    client.reset();
    expect(tcp.connect().standing).toBe('open');
    const { stats } = tcp.listener;
    expect([stats.connectionsRejected, stats.connectionsTotal, tcp.failed('connection_limit')]).toEqual([
      1, 2, 1,
    ]);
  });

  test('of connections of one client: an address, or a /64', () => {
    tcp = new MemoryTcp({ listener: { limits: { perClient: { connections: 2 } } } });
    const standingOf = (address: string) => tcp.connect(address).standing;
    expect(['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1'].map(standingOf)).toEqual([
      'open',
      'open',
      'reset',
      'open',
    ]);
    const first = tcp.connect('192.0.2.9');
    expect(['192.0.2.9', '192.0.2.9', '192.0.2.8'].map(standingOf)).toEqual(['open', 'reset', 'open']);
    first.reset();
    expect(standingOf('192.0.2.9')).toBe('open');
    expect(tcp.failed('client_connection_limit')).toBe(2);
  });

  test('of how fast one client may come', () => {
    tcp = new MemoryTcp({ listener: { limits: { perClient: { rate: '2/s' } } } });
    const standings = () =>
      ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'].map((ip) => tcp.connect(ip).standing);
    expect(standings()).toEqual(['open', 'open', 'reset', 'open']);
    tcp.advance(500);
    expect(standings()).toEqual(['open', 'reset', 'reset', 'open']);
    expect(tcp.failed('client_connection_rate')).toBe(3);
  });

  test('a limit that a reload brings counts from then on', () => {
    tcp = new MemoryTcp();
    const before = tcp.connect();
    const { config } = tcp.listener;
    const limits = { ...config.limits, perClient: { connections: 1 } };
    tcp.listener.configure({ ...config, limits }, tcp.l4Pool);
    const counted = tcp.connect();
    before.reset();
    expect(tcp.connect().standing).toBe('reset');
    counted.reset();
    expect(tcp.connect().standing).toBe('open');
  });
});

test('a hashing policy sends a client to the same endpoint every time, by its address alone', () => {
  tcp = new MemoryTcp({ pool: { policy: 'maglev', endpoints: [1, 1, 1, 1, 1], hash: { boundedLoad: 10 } } });
  const chosen = (address: string) => {
    tcp.connect(address);
    const host = tcp.network.dials.at(-1)!.host;
    return host;
  };
  const clients = Array.from({ length: 20 }, (_, index) => `192.0.2.${index}`);
  const first = clients.map(chosen);
  expect(clients.map(chosen)).toEqual(first);
  expect(new Set(first).size).toBeGreaterThan(2);
});
