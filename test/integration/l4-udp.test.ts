import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';

import { freePorts } from '../support/free-ports.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { untilTrue } from '../support/services.ts';
import { UdpClient, UdpEndpoint } from '../support/udp-peers.ts';

type PoolInput = NonNullable<TestConfig['pools']>[number];
type UdpInput = Extract<TestConfig['listeners'][number], { readonly protocol: 'udp' }>;

/** Longer than any answer takes, shorter than any patience. */
const NO_ANSWER_MS = 300;

function config(
  endpoints: readonly { readonly address: string; readonly name: string }[],
  more: { readonly listener?: Partial<UdpInput>; readonly pool?: Partial<PoolInput> } = {},
): TestConfig {
  return {
    listeners: [{ name: 'in', address: '127.0.0.1:0', protocol: 'udp', pool: 'p', ...more.listener }],
    pools: [
      {
        name: 'p',
        policy: 'round-robin',
        endpoints: endpoints.map(({ address, name }) => ({ address, name })),
        ...more.pool,
      },
    ],
  };
}

async function metric(pointsman: Pointsman, name: string): Promise<number> {
  const text = await (await fetch(`${pointsman.admin}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(name));
  return Number(line?.slice(line.lastIndexOf(' ') + 1));
}

const OPEN = 'pointsman_listener_open_connections{listener="in"}';
function failures(code: string): string {
  return `pointsman_listener_failures_total{listener="in",code="${code}"}`;
}

/** A client may have its answer a moment before the session behind it has ended. */
function nothingIsLeft(pointsman: Pointsman): Promise<void> {
  return untilTrue('the end of all sessions', async () => (await metric(pointsman, OPEN)) === 0);
}

async function refused(pointsman: Pointsman, count: number): Promise<boolean> {
  return (await metric(pointsman, failures('connect_refused'))) === count;
}

describe('a session', () => {
  test('stays with its endpoint, and others get theirs', async () => {
    await using a = await UdpEndpoint.start('a');
    await using b = await UdpEndpoint.start('b');
    await using pointsman = await startPointsman(config([a, b]));
    const { port } = pointsman.address();
    using one = await UdpClient.open(port);
    using two = await UdpClient.open(port);
    const first = await one.ask('1');
    const second = await two.ask('1');
    expect(`${first} ${second}`).toBeOneOf(['a:1 b:1', 'b:1 a:1']);
    for (let round = 0; round < 5; round++) {
      expect(await one.ask(`x${round}`)).toBe(`${first![0]}:x${round}`);
      expect(await two.ask(`x${round}`)).toBe(`${second![0]}:x${round}`);
    }
    // One socket for each session: the endpoint can tell them apart.
    expect(a.askers.size + b.askers.size).toBe(2);
    expect(await metric(pointsman, OPEN)).toBe(2);
  });

  test('carries every size, several answers, and answers that nobody asked for', async () => {
    await using endpoint = await UdpEndpoint.start('a', (asked) =>
      asked.toString() === 'three' ? ['1', '2', '3'] : [asked],
    );
    await using pointsman = await startPointsman(config([endpoint]));
    using client = await UdpClient.open(pointsman.address().port);
    for (const length of [0, 1, 1472, 9000, 65_507]) {
      const sent = Buffer.alloc(length, 'x');
      client.send(sent);
      expect((await client.next())?.equals(sent)).toBe(true);
    }
    client.send('three');
    const got = [await client.next(), await client.next(), await client.next()];
    expect(got.map(String)).toEqual(['1', '2', '3']);
  });

  test('ends when it is idle, and is written down', async () => {
    await using endpoint = await UdpEndpoint.start('a');
    await using pointsman = await startPointsman({
      ...config([endpoint], { listener: { timeouts: { idle: '200ms' } } }),
      accessLog: { path: 'stdout', format: 'json' },
    });
    using client = await UdpClient.open(pointsman.address().port);
    expect(await client.ask('hello')).toBe('a:hello');
    await untilTrue('the end of the session', async () => (await metric(pointsman, OPEN)) === 0);
    await untilTrue('its line', () => pointsman.logs().includes('"protocol":"UDP"'));
    const line = pointsman
      .logs()
      .split('\n')
      .find((one) => one.includes('"protocol":"UDP"'));
    const {
      clientPort,
      endpoint: name,
      requestBytes,
      responseBytes,
      failure,
    } = JSON.parse(line!) as Record<string, unknown>;
    expect({ clientPort, name, requestBytes, responseBytes, failure: failure ?? '' }).toEqual({
      clientPort: client.port,
      name: 'a',
      requestBytes: 5,
      responseBytes: 7,
      failure: '',
    });
    expect(await client.ask('again')).toBe('a:again');
  });

  test('of IPv6', async () => {
    await using endpoint = await UdpEndpoint.start('six', undefined, '::1');
    const address = `[::1]:${endpoint.port}`;
    await using pointsman = await startPointsman(
      config([{ address, name: 'six' }], { listener: { address: '[::1]:0' } }),
    );
    using client = await UdpClient.open(pointsman.address().port, '::1');
    expect(await client.ask('x')).toBe('six:x');
  });

  test('an endpoint by its name: what comes before it is resolved is not lost', async () => {
    await using endpoint = await UdpEndpoint.start('a');
    await using pointsman = await startPointsman(
      config([{ address: `localhost:${endpoint.port}`, name: 'a' }]),
    );
    using client = await UdpClient.open(pointsman.address().port);
    client.send('1');
    client.send('2');
    expect([String(await client.next()), String(await client.next())]).toEqual(['a:1', 'a:2']);
  });
});

describe('with session.requests 1 and session.responses 1', () => {
  const each = { session: { requests: 1, responses: 1 } };

  test('each datagram goes its own way, and nothing is left', async () => {
    await using a = await UdpEndpoint.start('a');
    await using b = await UdpEndpoint.start('b');
    await using pointsman = await startPointsman(config([a, b], { listener: each }));
    using client = await UdpClient.open(pointsman.address().port);
    const names: string[] = [];
    for (let round = 0; round < 6; round++) names.push((await client.ask('q'))![0]!);
    expect(names.toSorted().join('')).toBe('aaabbb');
    await nothingIsLeft(pointsman);
    expect(await metric(pointsman, 'pointsman_endpoint_in_flight{pool="p",endpoint="a"}')).toBe(0);
  });

  test('many at once by one port', async () => {
    await using a = await UdpEndpoint.start('a');
    await using b = await UdpEndpoint.start('b');
    await using pointsman = await startPointsman(config([a, b], { listener: each }));
    using client = await UdpClient.open(pointsman.address().port);
    for (let round = 0; round < 50; round++) client.send(String(round));
    const seen = new Set<string>();
    for (let round = 0; round < 50; round++) seen.add(String(await client.next()).slice(2));
    expect(seen.size).toBe(50);
    await nothingIsLeft(pointsman);
  });

  test('an endpoint that does not answer has failed', async () => {
    await using silent = await UdpEndpoint.start('silent', () => []);
    await using pointsman = await startPointsman(
      config([silent], { listener: { ...each, timeouts: { idle: '100ms' } } }),
    );
    using client = await UdpClient.open(pointsman.address().port);
    client.send('q');
    await untilTrue('the failure', async () => (await metric(pointsman, failures('response_missing'))) === 1);
    await nothingIsLeft(pointsman);
  });
});

describe('an endpoint that refuses', () => {
  test('is left at once, no answer is missed, and it is ejected', async () => {
    await using a = await UdpEndpoint.start('a');
    await using b = await UdpEndpoint.start('b');
    await using pointsman = await startPointsman(
      config([a, b], {
        pool: { policy: 'first', outlierDetection: { consecutiveFailures: 2, ejectFor: '60s' } },
      }),
    );
    using client = await UdpClient.open(pointsman.address().port);
    expect(await client.ask('1')).toBe('a:1');
    a.close();
    expect(await client.ask('2')).toBe('b:2');
    // New clients still go to a first, until it is ejected.
    using other = await UdpClient.open(pointsman.address().port);
    expect(await other.ask('1')).toBe('b:1');
    using third = await UdpClient.open(pointsman.address().port);
    expect(await third.ask('1')).toBe('b:1');
    expect(await metric(pointsman, failures('connect_refused'))).toBe(0);
    await pointsman.line('endpoint-ejected');
  });

  test('with nobody else, is asked again', async () => {
    await using a = await UdpEndpoint.start('a');
    await using pointsman = await startPointsman(config([a]));
    using client = await UdpClient.open(pointsman.address().port);
    expect(await client.ask('1')).toBe('a:1');
    a.close();
    client.send('2');
    await untilTrue('the refusal', () => refused(pointsman, 1));
    await a.open();
    expect(await client.ask('3')).toBe('a:3');
  });
});

test('a check by UDP takes an endpoint out, and its sessions move', async () => {
  await using a = await UdpEndpoint.start('a');
  await using b = await UdpEndpoint.start('b');
  const healthCheck = {
    udp: { send: 'ping', expect: ':ping' },
    interval: '2s',
    fastInterval: '50ms',
    downInterval: '50ms',
    // A refusal comes at once; `b`, which is this process, may be slow to answer.
    timeout: '2s',
    fall: 2,
  };
  await using pointsman = await startPointsman(
    config([a, b], { pool: { policy: 'first', healthCheck, outlierDetection: false } }),
  );
  using client = await UdpClient.open(pointsman.address().port);
  expect(await client.ask('1')).toBe('a:1');
  a.close();
  await untilTrue('the verdict', () => pointsman.logs().includes('endpoint-unhealthy'));
  expect(await client.ask('2')).toBe('b:2');
  await a.open();
  await untilTrue('its return', () => pointsman.logs().split('endpoint-healthy').length > 3);
  // A session does not move without need; a new one goes to the first.
  expect(await client.ask('3')).toBe('b:3');
  await untilTrue('a new session with the first', async () => {
    using other = await UdpClient.open(pointsman.address().port);
    return (await other.ask('1', NO_ANSWER_MS)) === 'a:1';
  });
});

describe('limits', () => {
  test('of sessions: one that was never answered makes room, one that was does not', async () => {
    await using endpoint = await UdpEndpoint.start('a', (asked) =>
      asked.toString() === 'quiet' ? [] : [asked],
    );
    await using pointsman = await startPointsman(
      config([endpoint], { listener: { limits: { sessions: 2 } } }),
    );
    const { port } = pointsman.address();
    using one = await UdpClient.open(port);
    using two = await UdpClient.open(port);
    using three = await UdpClient.open(port);
    expect(await one.ask('1')).toBe('1');
    two.send('quiet');
    await untilTrue('two sessions', async () => (await metric(pointsman, OPEN)) === 2);
    expect(await three.ask('3')).toBe('3');
    expect(await metric(pointsman, failures('session_evicted'))).toBe(1);
    two.send('now');
    await untilTrue('its refusal', async () => (await metric(pointsman, failures('session_limit'))) === 1);
    expect(two.answers).toEqual([]);
    expect(await one.ask('1')).toBe('1');
    expect(await metric(pointsman, OPEN)).toBe(2);
  });

  test('of sessions of a client', async () => {
    await using endpoint = await UdpEndpoint.start('a');
    await using pointsman = await startPointsman(
      config([endpoint], { listener: { limits: { perClient: { sessions: 1 } } } }),
    );
    const { port } = pointsman.address();
    using one = await UdpClient.open(port);
    using two = await UdpClient.open(port);
    expect(await one.ask('1')).toBe('a:1');
    two.send('1');
    const limited = failures('client_connection_limit');
    await untilTrue('its refusal', async () => (await metric(pointsman, limited)) === 1);
    expect(two.answers).toEqual([]);
  });

  test('of amplification', async () => {
    await using endpoint = await UdpEndpoint.start('a', (asked) => [
      Buffer.alloc(Number(asked.toString().trim()), 'x'),
    ]);
    await using pointsman = await startPointsman(
      config([endpoint], { listener: { limits: { amplification: 3 } } }),
    );
    using client = await UdpClient.open(pointsman.address().port);
    expect((await client.ask('30        '))?.length).toBe(30);
    client.send('31        ');
    await untilTrue(
      'what is dropped',
      async () => (await metric(pointsman, failures('amplification'))) === 1,
    );
    expect(client.answers).toEqual([]);
  });

  test('of descriptors: said, counted, and sessions that are open go on', async () => {
    await using endpoint = await UdpEndpoint.start('a');
    await using pointsman = await startPointsman(config([endpoint]), { openFiles: 128 });
    const { port } = pointsman.address();
    const clients = await Promise.all(Array.from({ length: 150 }, () => UdpClient.open(port)));
    expect(await clients[0]!.ask('first')).toBe('a:first');
    for (const client of clients) client.send('x');
    await untilTrue('the log', () => pointsman.logs().includes('no-udp-socket'));
    expect(pointsman.logs()).toContain('EMFILE');
    clients[0]!.answers.length = 0;
    expect(await clients[0]!.ask('still')).toBeOneOf(['a:still', 'a:x']);
    for (const client of clients) client[Symbol.dispose]();
  });
});

describe('a reload', () => {
  test('keeps sessions, and follows other numbers', async () => {
    await using a = await UdpEndpoint.start('a');
    await using b = await UdpEndpoint.start('b');
    const before = config([a, b], { pool: { policy: 'first' } });
    await using pointsman = await startPointsman(before);
    using client = await UdpClient.open(pointsman.address().port);
    expect(await client.ask('1')).toBe('a:1');
    const changed = config([b, a], {
      pool: { policy: 'first' },
      listener: { timeouts: { idle: '20s' }, limits: { sessions: 100 } },
    });
    await pointsman.reload(changed);
    expect(await client.ask('2')).toBe('a:2');
    expect(a.askers.size).toBe(1);
    using other = await UdpClient.open(pointsman.address().port);
    expect(await other.ask('1')).toBe('b:1');
    // An endpoint that leaves takes no more: the session moves.
    await pointsman.reload(config([b], { pool: { policy: 'first' } }));
    expect(await client.ask('3')).toBe('b:3');
  });

  test('that renames the listener, or changes its address, ends no session', async () => {
    await using a = await UdpEndpoint.start('a');
    const [port = 0] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    await using pointsman = await startPointsman(config([a], { listener: { address } }));
    using client = await UdpClient.open(port);
    expect(await client.ask('1')).toBe('a:1');
    await pointsman.reload(config([a], { listener: { address, name: 'renamed' } }));
    expect(await client.ask('2')).toBe('a:2');
    expect(a.askers.size).toBe(1);
    using other = await UdpClient.open(port);
    expect(await other.ask('1')).toBe('a:1');
    await pointsman.reload(config([a], { listener: { name: 'renamed' } }));
    expect(await other.ask('2')).toBe('a:2');
    expect(a.askers.size).toBe(2);
  });
});

test('a drained endpoint keeps its sessions until the deadline', async () => {
  await using a = await UdpEndpoint.start('a');
  await using b = await UdpEndpoint.start('b');
  await using pointsman = await startPointsman(config([a, b], { pool: { policy: 'first' } }));
  const { port } = pointsman.address();
  using client = await UdpClient.open(port);
  expect(await client.ask('1')).toBe('a:1');
  const drain = async (deadline: string): Promise<void> => {
    const drained = await fetch(`${pointsman.admin}/api/v1/pools/p/endpoints/a`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ state: 'draining', deadline }),
    });
    expect(drained.ok).toBe(true);
  };
  await drain('10m');
  expect(await client.ask('2')).toBe('a:2');
  using other = await UdpClient.open(port);
  expect(await other.ask('1')).toBe('b:1');
  await drain('100ms');
  await untilTrue('the deadline', async () => (await metric(pointsman, failures('endpoint_drained'))) === 1);
  expect(await client.ask('3')).toBe('b:3');
});

test('with two workers the kernel divides the clients, and one that dies loses no address', async () => {
  await using a = await UdpEndpoint.start('a');
  await using pointsman = await startPointsman({ ...config([a]), workers: 2 });
  const { port } = pointsman.address();
  const clients = await Promise.all(Array.from({ length: 20 }, () => UdpClient.open(port)));
  for (const client of clients) expect(await client.ask('1')).toBe('a:1');
  expect(a.askers.size).toBe(20);
  const children = readFileSync(`/proc/${pointsman.pid}/task/${pointsman.pid}/children`, 'utf8');
  process.kill(Number(children.trim().split(/\s+/)[0]), 'SIGKILL');
  // Its sessions begin anew in the worker that takes its place; what was sent meanwhile waits in the socket.
  for (const client of clients)
    await untilTrue('an answer', async () => (await client.ask('2', NO_ANSWER_MS)) === 'a:2');
  for (const client of clients) client[Symbol.dispose]();
}, 30_000);

test('with the sockets of the runtime it is the same', async () => {
  await using a = await UdpEndpoint.start('a');
  await using b = await UdpEndpoint.start('b');
  await using pointsman = await startPointsman(config([a, b], { pool: { policy: 'first' } }), {
    sockets: 'runtime',
  });
  const { port } = pointsman.address();
  using client = await UdpClient.open(port);
  expect(await client.ask('1')).toBe('a:1');
  client.send(Buffer.alloc(60_000, 'x'));
  expect((await client.next())?.length).toBe(60_002);
  a.close();
  expect(await client.ask('2')).toBe('b:2');
  expect(await metric(pointsman, OPEN)).toBe(1);
});

test('a stop lets the answers under way arrive, and waits for nobody who is silent', async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = await Bun.udpSocket({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data: (socket, bytes, port, ip) =>
        void held.then(() => socket.send(`slow:${bytes.toString()}`, port, ip)),
    },
  });
  await using pointsman = await startPointsman(config([{ address: `127.0.0.1:${slow.port}`, name: 'slow' }]));
  const { port } = pointsman.address();
  using client = await UdpClient.open(port);
  client.send('1');
  await untilTrue('the session', async () => (await metric(pointsman, OPEN)) === 1);
  const stopped = pointsman.stop('SIGTERM');
  await untilTrue('the stop', () => pointsman.logs().includes('stopping'));
  using late = await UdpClient.open(port);
  late.send('x');
  release();
  expect(String(await client.next())).toBe('slow:1');
  expect(await late.next(NO_ANSWER_MS)).toBeUndefined();
  await stopped;
  slow.close();
});

test('a restart keeps clients with their endpoints, by maglev', async () => {
  const endpoints = await Promise.all(['a', 'b', 'c', 'd'].map((name) => UdpEndpoint.start(name)));
  const [port = 0] = await freePorts(1);
  const hashed = config(endpoints, {
    listener: { address: `127.0.0.1:${port}` },
    pool: { policy: 'maglev', hash: { key: 'client-ip-port', boundedLoad: 10 } },
  });
  const clients = await Promise.all(Array.from({ length: 16 }, () => UdpClient.open(port)));
  const asked = async (): Promise<string> => {
    await using _ = await startPointsman(hashed);
    const names: string[] = [];
    for (const client of clients) names.push((await client.ask('x'))![0]!);
    return names.join('');
  };
  const before = await asked();
  expect(new Set(before).size).toBeGreaterThan(1);
  expect(await asked()).toBe(before);
  for (const client of clients) client[Symbol.dispose]();
  for (const endpoint of endpoints) endpoint.close();
});
