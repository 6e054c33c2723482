import { afterEach, describe, expect, test } from 'bun:test';

import type { MemoryPeer } from '../../test/support/memory-connection.ts';
import { GET, MemoryProxy, OK, statusOf, withBody } from '../../test/support/memory-proxy.ts';
import type { RequestConsumer } from '../http/streams.ts';
import type { FilterVerdict } from '../model/filter.ts';
import { runTurn } from '../net/turn.ts';

let proxy: MemoryProxy;
afterEach(() => proxy.restore());

const NOTHING = { inFlight: 0, activeRequests: 0, activeRetries: 0, queued: 0, busy: 0 };
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Who served the requests, in their order. */
function watched(options: ConstructorParameters<typeof MemoryProxy>[0] = {}): RequestConsumer[] {
  proxy = new MemoryProxy(options);
  const { listener } = proxy;
  const served: RequestConsumer[] = [];
  const onRequest = listener.onRequest.bind(listener);
  listener.onRequest = (stream) => {
    const consumer = onRequest(stream);
    served.push(consumer);
    return consumer;
  };
  return served;
}

describe('an exchange that is over', () => {
  test('serves the next request, whoever sends it, and remembers nothing', () => {
    const served = watched();
    const { endpoint } = proxy.used();
    const other = proxy.connect().send(withBody('POST', 'body'));
    endpoint.send('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    proxy.connect().send('GET //x/../%zz HTTP/1.1\r\nHost: a.test\r\n\r\n');
    expect(new Set(served).size).toBe(1);
    expect(statusOf(other)).toBe(404);
    expect(proxy.entries).toMatchObject([
      { status: 200, responseBytes: 2, requestBytes: 0, attempts: 1, reused: false, endpoint: 'a' },
      { status: 404, responseBytes: 0, requestBytes: 4, attempts: 1, reused: true, endpoint: 'a' },
      { status: 400, attempts: 0, reused: false, endpoint: '', route: '', pool: '' },
    ]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('serves none in the turn in which it ended: who called it may still mean the request before', () => {
    const served = watched();
    const client = proxy.connect().send(GET + GET + GET);
    const endpoint = proxy.acceptDial().send(OK);
    endpoint.send(OK).send(OK);
    expect([client.received.split('HTTP/1.1 200 OK').length - 1, served.length]).toEqual([3, 3]);
    expect(served[1]).not.toBe(served[0]!);
    expect(served[2]).not.toBe(served[1]!);
    expect(proxy.held).toEqual(NOTHING);
  });

  test.each([
    ['failed', GET, () => proxy.acceptDial().send('nonsense\r\n\r\n')],
    ['lost its client while it dialled', GET, (client: MemoryPeer) => client.reset()],
    ['had to try again', GET, () => proxy.acceptDial().reset()],
    ['became a tunnel', UPGRADE, () => proxy.acceptDial().send(SWITCH).fin()],
  ])('is not used again when it %s', (_name, request, incident) => {
    const served = watched();
    const client = proxy.connect().send(request);
    incident(client);
    while (proxy.network.pendingDials.length > 0) proxy.acceptDial().send(OK);
    client.fin();
    proxy.advance(10_000);
    const count = served.length;
    proxy.connect().send(GET);
    expect(served.slice(0, count)).not.toContain(served.at(-1)!);
  });

  test('is forgotten with the configuration that it served', () => {
    const served = watched();
    const { endpoint } = proxy.used();
    const { listener } = proxy;
    listener.configure(proxy.config, listener.router, proxy.forwarding, undefined);
    const client = proxy.connect().send(GET);
    endpoint.send(OK);
    expect([statusOf(client), served[1] === served[0]]).toEqual([200, false]);
  });
});

describe('what comes late for the request before', () => {
  test('bytes of the endpoint: the next request goes by another connection', () => {
    watched();
    const { endpoint } = proxy.used();
    endpoint.send('late');
    const client = proxy.connect().send(GET);
    expect([endpoint.standing, statusOf(client)]).toEqual(['closed', 0]);
    proxy.acceptDial().send(OK);
    expect([statusOf(client), proxy.log.at(-1)]).toEqual([200, [200, '', 1]]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('its deadline: the next request has all of its own time', () => {
    watched({ pool: { retry: { deadline: '1s' } } });
    const { endpoint } = proxy.used();
    proxy.advance(600);
    const client = proxy.connect().send(GET);
    proxy.advance(800);
    expect([statusOf(client), proxy.listener.busy]).toEqual([0, 1]);
    proxy.advance(300);
    expect([statusOf(client), proxy.log.at(-1)]).toEqual([504, [504, 'deadline', 1]]);
    expect([endpoint.standing, proxy.held]).toEqual(['reset', NOTHING]);
  });

  test('a client that leaves while a retry waits: the retry concerns nobody', () => {
    watched({ pool: { retry: { minRetries: 0, budgetPercent: 0 } } });
    const leaver = proxy.connect().send(GET);
    proxy.acceptDial().reset();
    leaver.reset();
    const client = proxy.connect().send(GET);
    const endpoint = proxy.acceptDial();
    proxy.advance(5000);
    expect(endpoint.received.split('GET ').length - 1).toBe(1);
    endpoint.send(OK);
    expect([statusOf(client), proxy.log.length]).toEqual([200, 2]);
    expect(proxy.held).toEqual(NOTHING);
  });

  test('the verdict of a filter: it is not taken for that of the next request', async () => {
    const verdicts: ((verdict: FilterVerdict) => void)[] = [];
    const onRequest = (): Promise<FilterVerdict> =>
      new Promise<FilterVerdict>((resolve) => {
        verdicts.push(resolve);
      });
    watched({ filters: [{ name: 'slow', onRequest }] });
    proxy.connect().send(GET).reset();
    const client = proxy.connect().send(GET);
    verdicts[0]!({ status: 403, fields: [], body: Buffer.from('no') });
    await Promise.resolve();
    await Promise.resolve();
    expect(statusOf(client)).toBe(0);
    verdicts[1]!(undefined);
    await Promise.resolve();
    await Promise.resolve();
    proxy.acceptDial().send(OK);
    expect([statusOf(client), proxy.held]).toEqual([200, NOTHING]);
  });

  test('the end of a tunnel: requests meanwhile are not told of it', () => {
    watched();
    proxy.connect().send(UPGRADE);
    const tunnel = proxy.acceptDial().send(SWITCH);
    const { endpoint } = proxy.used();
    const client = proxy.connect().send(GET);
    tunnel.reset();
    expect([statusOf(client), proxy.listener.busy]).toEqual([0, 1]);
    endpoint.send(OK);
    expect([statusOf(client), proxy.held]).toEqual([200, NOTHING]);
  });

  test('a cut: it reaches those that are under way alone', () => {
    watched();
    const { client } = proxy.used();
    const busy = proxy.connect().send(GET);
    runTurn(() => expect(proxy.listener.cut()).toBe(1));
    expect([client.received, statusOf(busy), proxy.log.length]).toEqual(['', 503, 2]);
    expect(proxy.held).toEqual(NOTHING);
  });
});
