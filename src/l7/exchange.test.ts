import { afterEach, describe, expect, test } from 'bun:test';

import { MemoryProxy } from '../../test/support/memory-proxy.ts';

let proxy: MemoryProxy;
afterEach(() => proxy.restore());

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Nothing is held for a request any more. */
function expectRest(): void {
  const { pool, listener } = proxy;
  expect({
    inFlight: proxy.inFlight,
    activeRequests: pool.activeRequests,
    activeRetries: pool.activeRetries,
    queued: pool.queued,
    busy: listener.busy,
  }).toEqual({
    inFlight: proxy.inFlight.map(() => 0),
    activeRequests: 0,
    activeRetries: 0,
    queued: 0,
    busy: 0,
  });
}

describe('a client that does not read', () => {
  test('holds back an endpoint that is reached only afterwards', () => {
    proxy = new MemoryProxy();
    const client = proxy.connect();
    client.send(GET + GET);
    const first = proxy.acceptDial();
    client.hold();
    // The connection is not used again: the second request dials while the first response waits to be taken.
    first.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello');
    const second = proxy.acceptDial();
    second.send('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
    for (let piece = 0; piece < 100; piece++) second.send('x'.repeat(10_000));
    expect(second.reading).toBe(false);
    expect(client.connection.bufferedBytes).toBeLessThan(50_000);
  });
});

test('one request', () => {
  proxy = new MemoryProxy();
  const client = proxy.connect();
  client.send(GET);
  const endpoint = proxy.acceptDial();
  expect(endpoint.received).toContain('GET / HTTP/1.1\r\nHost: a.test\r\n');
  expect(proxy.inFlight).toEqual([1, 0]);
  endpoint.send(OK);
  expect(client.received).toEndWith('\r\n\r\nok');
  expectRest();
});
