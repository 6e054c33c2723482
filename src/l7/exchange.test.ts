import { afterEach, describe, expect, test } from 'bun:test';

import { GET, MemoryProxy, OK, statusOf, withBody } from '../../test/support/memory-proxy.ts';
import type { Filter, FilterVerdict } from '../model/filter.ts';
import { runTurn } from '../net/turn.ts';

let proxy: MemoryProxy;
afterEach(() => proxy.restore());

const TICK_MS = 50;
const NOTHING = { inFlight: 0, activeRequests: 0, activeRetries: 0, queued: 0, busy: 0 };

const REPLY = { status: 403, fields: [], body: Buffer.from('no') };

test('one request holds one place, and gives it back with the end of the response', () => {
  proxy = new MemoryProxy();
  const client = proxy.connect();
  client.send(GET);
  expect(proxy.inFlight).toEqual([1, 0]);
  const endpoint = proxy.acceptDial();
  expect(endpoint.received).toStartWith('GET / HTTP/1.1\r\nHost: a.test\r\n');
  endpoint.send(OK.slice(0, -1));
  expect(proxy.inFlight).toEqual([1, 0]);
  endpoint.send(OK.slice(-1));
  expect(client.received).toEndWith('\r\n\r\nok');
  expect(proxy.log).toEqual([[200, '', 1]]);
  expect(proxy.observed).toEqual([{ endpoint: 'a', failure: undefined, status: 200 }]);
  expect(proxy.held).toEqual(NOTHING);
});

describe('a client that leaves', () => {
  const stages: readonly [name: string, request: string, stage: () => void][] = [
    ['while it is dialled', GET, () => {}],
    ['while the endpoint thinks', GET, () => proxy.acceptDial()],
    ['while it sends its body', withBody('POST', 'body').slice(0, -2), () => proxy.acceptDial()],
    ['while it is answered', GET, () => proxy.acceptDial().send(OK.slice(0, -1))],
  ];
  test.each(stages)(
    '%s: everything is given back, and the endpoint is not blamed',
    (_name, request, stage) => {
      proxy = new MemoryProxy();
      const client = proxy.connect().send(request);
      stage();
      client.reset();
      expect(proxy.log).toHaveLength(1);
      expect(proxy.log[0]![1]).toBe('client_closed');
      expect(proxy.observed).toEqual([]);
      expect(proxy.held).toEqual(NOTHING);
      // A connection that was on its way is kept for others.
      for (const dial of proxy.network.pendingDials) dial.accept();
      expect(proxy.held).toEqual(NOTHING);
    },
  );
});

describe('the end of everything', () => {
  test.each([
    ['before an endpoint is reached', () => {}, 503],
    ['before the endpoint answers', () => proxy.acceptDial(), 503],
    ['while a retry waits', () => proxy.acceptDial().reset(), 503],
  ] as const)('%s: 503', (_name, stage, expected) => {
    proxy = new MemoryProxy({ pool: { retry: { minRetries: 0, budgetPercent: 0 } } });
    const client = proxy.connect().send(GET);
    stage();
    runTurn(() => expect(proxy.listener.cut()).toBe(1));
    expect([statusOf(client), proxy.log[0]![1]]).toEqual([expected, 'shutting_down']);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('in the middle of a response: it is cut so that the client can tell', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect().send(GET);
    const endpoint = proxy.acceptDial().send(OK.slice(0, -1));
    runTurn(() => proxy.listener.cut());
    expect([client.standing, endpoint.standing, proxy.log]).toEqual([
      'closed',
      'reset',
      [[200, 'shutting_down', 1]],
    ]);
    expect(proxy.held).toEqual(NOTHING);
  });
});

describe('filters', () => {
  function filter(more: Partial<Filter>): { filter: Filter; finished: () => number } {
    let count = 0;
    return { filter: { name: 'test', onFinish: () => count++, ...more }, finished: () => count };
  }

  test('may answer, at once or later', async () => {
    for (const verdict of [REPLY, Promise.resolve(REPLY)]) {
      proxy?.restore();
      const { filter: one, finished } = filter({ onRequest: () => verdict });
      proxy = new MemoryProxy({ filters: [one] });
      const client = proxy.connect().send(GET);
      await Promise.resolve();
      await Promise.resolve();
      expect([statusOf(client), finished(), proxy.log]).toEqual([403, 1, [[403, '', 0]]]);
      expect(proxy.held).toEqual(NOTHING);
    }
  });

  test('may take their time: what the client sends meanwhile is bounded, and it may leave', async () => {
    let decide: (verdict: FilterVerdict) => void = () => {};
    const { filter: one, finished } = filter({
      onRequest: () =>
        new Promise<FilterVerdict>((resolve) => {
          decide = resolve;
        }),
    });
    proxy = new MemoryProxy({ filters: [one] });
    const client = proxy.connect().send(withBody('POST', 'x'.repeat(100_000)).slice(0, 1000));
    client.send('x'.repeat(50_000));
    expect(client.reading).toBe(false);
    decide(undefined);
    await Promise.resolve();
    await Promise.resolve();
    const endpoint = proxy.acceptDial();
    client.send('x'.repeat(49_060));
    expect(endpoint.received.length).toBeGreaterThan(100_000);
    endpoint.send(OK);
    expect(statusOf(client)).toBe(200);

    const leaver = proxy.connect().send(GET);
    leaver.reset();
    expect([finished(), proxy.log.at(-1)]).toEqual([2, [499, 'client_closed', 0]]);
    decide(undefined);
    await Promise.resolve();
    await Promise.resolve();
    expect(proxy.network.pendingDials).toEqual([]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('that never answer are not waited for without end', async () => {
    let decide: (verdict: FilterVerdict) => void = () => {};
    const { filter: one, finished } = filter({
      onRequest: () => new Promise<FilterVerdict>((resolve) => (decide = resolve)),
    });
    proxy = new MemoryProxy({ filters: [one] });
    const client = proxy.connect().send(GET);
    proxy.advance(9_900);
    expect(statusOf(client)).toBe(0);
    proxy.advance(200);
    expect([statusOf(client), finished(), proxy.log]).toEqual([503, 1, [[503, 'filter_timeout', 0]]]);
    decide(undefined);
    await Promise.resolve();
    await Promise.resolve();
    expect([proxy.network.pendingDials.length, finished()]).toEqual([0, 1]);
    // In time it is, and the response may take longer than that.
    const patient = proxy.connect().send(GET);
    proxy.advance(9_900);
    decide(undefined);
    await Promise.resolve();
    await Promise.resolve();
    const endpoint = proxy.acceptDial();
    proxy.advance(20_000);
    endpoint.send(OK);
    expect(statusOf(patient)).toBe(200);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('that fail later end in 500, not in silence', async () => {
    const { filter: one, finished } = filter({ onRequest: () => Promise.reject(new Error('broken')) });
    proxy = new MemoryProxy({ filters: [one] });
    const client = proxy.connect().send(GET);
    await Promise.resolve();
    await Promise.resolve();
    expect([statusOf(client), finished(), proxy.log]).toEqual([500, 1, [[500, 'internal_error', 0]]]);
    expect(proxy.held).toEqual(NOTHING);
  });
});

describe('a switch of protocols', () => {
  const UPGRADE = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

  test('holds its place until the tunnel ends', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect().send(`${UPGRADE}early`);
    const endpoint = proxy.acceptDial();
    // Until the endpoint agrees, what comes behind the request is held.
    expect(endpoint.received).not.toContain('early');
    endpoint.send(`${SWITCH}hello`);
    expect([statusOf(client), client.received.endsWith('\r\n\r\nhello')]).toEqual([101, true]);
    // The endpoint is judged now, not when the tunnel ends, which may be in hours.
    expect(proxy.observed).toEqual([{ endpoint: 'a', failure: undefined, status: 101 }]);
    expect(endpoint.received).toEndWith('\r\n\r\nearly');
    client.send('ping');
    expect(endpoint.received).toEndWith('earlyping');
    expect([proxy.inFlight, proxy.listener.busy, proxy.listener.stats.tunnelsOpen, proxy.log]).toEqual([
      [1, 0],
      1,
      1,
      [],
    ]);
    client.fin();
    endpoint.fin();
    expect([proxy.log, proxy.listener.stats.tunnelsOpen]).toEqual([[[101, '', 1]], 0]);
    expect(proxy.entries[0]).toMatchObject({ requestBytes: 9, responseBytes: 5 });
    expect(proxy.held).toEqual(NOTHING);
  });

  test.each([
    ['nobody asked for', GET, SWITCH],
    ['of another kind', UPGRADE, SWITCH.replace('websocket', 'h2c')],
    ['of none', UPGRADE, 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('%s is refused', (_name, request, response) => {
    proxy = new MemoryProxy();
    const client = proxy.connect().send(request);
    const endpoint = proxy.acceptDial().send(response);
    expect([statusOf(client), endpoint.standing, proxy.log]).toEqual([
      502,
      'reset',
      [[502, 'response_upgrade', 1]],
    ]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('that is declined is a response like any other', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect().send(UPGRADE);
    proxy.acceptDial().send(OK);
    expect([statusOf(client), client.standing]).toEqual([200, 'open']);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('a client that had ended its side is told to the endpoint', () => {
    proxy = new MemoryProxy();
    proxy.connect().send(UPGRADE).fin();
    const endpoint = proxy.acceptDial().send(SWITCH);
    expect(endpoint.standing).toBe('fin');
    endpoint.fin();
    expect(proxy.held).toEqual(NOTHING);
  });

  test('is ended by a cut, and logged', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect().send(UPGRADE);
    const endpoint = proxy.acceptDial().send(SWITCH);
    runTurn(() => expect(proxy.listener.cut()).toBe(1));
    // Close frames with 1001; then time to answer them; then FIN, and time to answer that.
    expect(client.received).toEndWith('\x88\x02\x03\xe9');
    expect(endpoint.received.slice(-8)).toStartWith('\x88\x82');
    expect([client.standing, endpoint.standing]).toEqual(['open', 'open']);
    proxy.advance(2000 + TICK_MS);
    expect([client.standing, endpoint.standing]).toEqual(['fin', 'fin']);
    proxy.advance(5000 + TICK_MS);
    expect([client.standing, endpoint.standing, proxy.log.length]).toEqual(['closed', 'closed', 1]);
    expect(proxy.held).toEqual(NOTHING);
  });
});

describe('a side that does not read', () => {
  const LARGE = 'HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n';

  test('a client holds back its endpoint, which is not blamed for the time', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect().send(GET);
    client.hold();
    const endpoint = proxy.acceptDial().send(LARGE);
    for (let piece = 0; piece < 100; piece++) endpoint.send('x'.repeat(10_000));
    expect([endpoint.reading, client.connection.bufferedBytes < 50_000]).toEqual([false, true]);
    proxy.advance(60_000 + TICK_MS);
    expect([client.standing, proxy.log]).toEqual(['reset', [[200, 'client_too_slow', 1]]]);
    expect(proxy.observed).toEqual([]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('a client holds back an endpoint that is reached only afterwards', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect();
    client.send(GET + GET);
    const first = proxy.acceptDial();
    client.hold();
    // The connection is not used again: the second request dials while the first response waits to be taken.
    first.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello');
    const second = proxy.acceptDial();
    second.send(LARGE);
    for (let piece = 0; piece < 100; piece++) second.send('x'.repeat(10_000));
    expect(second.reading).toBe(false);
    expect(client.connection.bufferedBytes).toBeLessThan(50_000);
    proxy.advance(60_000 + TICK_MS);
    expect(proxy.log.at(-1)).toEqual([499, 'client_too_slow', 1]);
    expect(proxy.observed.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });

  test('an endpoint holds back its client, also on the second attempt', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect();
    client.send(withBody('PUT', 'x'.repeat(200_000)).slice(0, 60_000));
    const first = proxy.acceptDial().hold();
    client.send('x'.repeat(30_000));
    expect(client.reading).toBe(false);
    first.reset();
    expect(proxy.log).toEqual([[502, 'endpoint_reset', 1]]);

    const again = proxy.connect();
    again.send(withBody('PUT', 'x'.repeat(200_000)).slice(0, 30_000));
    proxy.network.pendingDials[0]!.fail();
    const second = proxy.acceptDial().hold();
    for (let piece = 0; piece < 10; piece++) again.send('x'.repeat(10_000));
    expect([again.reading, again.unread > 50_000]).toEqual([false, true]);
    second.take();
    expect(again.reading).toBe(true);
  });
});

test('HTTP/1.0 without Host is sent to each endpoint by the address of that one', () => {
  proxy = new MemoryProxy({
    pool: { endpoints: [{ address: '[2001:db8::1]:80' }, { address: 'b.test:81' }] },
  });
  const client = proxy.connect().send('GET / HTTP/1.0\r\n\r\n');
  const first = proxy.acceptDial();
  expect(first.received).toStartWith('GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n');
  first.reset();
  const second = proxy.acceptDial();
  expect(second.received).toStartWith('GET / HTTP/1.1\r\nHost: b.test:81\r\n');
  second.send(OK);
  expect([statusOf(client), proxy.entries[0]!.host]).toEqual([200, '']);
});

test('an answer before the request is whole is passed on, and the rest of the request goes nowhere', () => {
  proxy = new MemoryProxy();
  const client = proxy.connect();
  client.send(withBody('POST', 'x'.repeat(1000)).slice(0, -500));
  const endpoint = proxy.acceptDial().send(OK);
  expect([statusOf(client), endpoint.standing]).toEqual([200, 'closed']);
  expect(proxy.held).toEqual(NOTHING);
  client.send('x'.repeat(500) + GET);
  proxy.acceptDial().send(OK);
  expect(proxy.log).toEqual([
    [200, '', 1],
    [200, '', 1],
  ]);
});

test('a request whose body breaks is answered if there is no answer yet, and cut if there is', () => {
  const chunked = 'POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
  for (const [answer, expected] of [
    ['', 400],
    [OK.slice(0, -1), 200],
  ] as const) {
    proxy?.restore();
    proxy = new MemoryProxy();
    const client = proxy.connect().send(chunked);
    const endpoint = proxy.acceptDial();
    if (answer !== '') endpoint.send(answer);
    client.send('zz\r\n');
    expect([proxy.log, endpoint.standing]).toEqual([[[expected, 'request_body_malformed', 1]], 'reset']);
    expect(client.standing).not.toBe('open');
    expect(proxy.observed).toEqual([]);
    expect(proxy.held).toEqual(NOTHING);
  }
});
