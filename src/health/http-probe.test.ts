import { afterEach, describe, expect, test } from 'bun:test';

import { probeDeps } from '../../test/support/probe-deps.ts';
import { healthCheck } from '../config/schema/pool.ts';
import { httpProbe } from './http-probe.ts';
import type { Probe, ProbeResult } from './probe.ts';
import { tcpProbe } from './tcp-probe.ts';

const deps = probeDeps();
const TIMEOUT_MS = 200;

type ServerSocket = Bun.Socket<{ received: string }>;

/** A server that does what it is told with each request, and what it received. */
interface Server {
  readonly port: number;
  readonly received: string[];
  readonly closed: Promise<void>;
}

const listeners: Bun.TCPSocketListener<{ received: string }>[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.stop(true);
});

function serve(onRequest: (socket: ServerSocket) => void): Server {
  const received: string[] = [];
  const closed = Promise.withResolvers<undefined>();
  const listener = Bun.listen<{ received: string }>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = { received: '' };
      },
      data(socket, bytes) {
        const before = socket.data.received;
        socket.data.received += bytes.toString('latin1');
        if (before.includes('\r\n\r\n') || !socket.data.received.includes('\r\n\r\n')) return;
        received.push(socket.data.received);
        onRequest(socket);
      },
      close: () => closed.resolve(undefined),
      error: () => {},
    },
  });
  listeners.push(listener);
  return { port: listener.port, received, closed: closed.promise };
}

function run(probe: Probe): Promise<ProbeResult> {
  return new Promise((resolve) => {
    probe(resolve);
  });
}

function check(port: number, http: Readonly<Record<string, unknown>> = {}): Promise<ProbeResult> {
  const config = healthCheck.parse({ http: { path: '/health', ...http } });
  return run(httpProbe(deps, { host: '127.0.0.1', port }, 'http1', config.http!, TIMEOUT_MS));
}

function answering(...pieces: string[]): Server {
  return serve((socket) => {
    for (const piece of pieces) socket.write(piece);
  });
}

async function freePort(): Promise<number> {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  await Bun.sleep(0);
  return port;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('the request', () => {
  test('asks for what was configured, over a connection that ends with it', async () => {
    const server = answering(OK);
    expect(await check(server.port)).toEqual({
      passed: true,
      detail: 'GET /health answered 200',
    });
    await server.closed;
    expect(server.received).toEqual([
      `GET /health HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUser-Agent: pointsman-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
    ]);
  });

  test('has method, query, host and headers of its own', async () => {
    const server = answering(OK);
    await check(server.port, {
      method: 'POST',
      path: '/a/b?c=d',
      host: 'api.internal',
      headers: { 'X-Token': 's3', 'user-agent': 'me' },
    });
    expect(server.received).toEqual([
      'POST /a/b?c=d HTTP/1.1\r\nHost: api.internal\r\nuser-agent: me\r\nAccept: */*\r\nX-Token: s3\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    ]);
  });

  test('HEAD has an answer without a body', async () => {
    const server = answering('HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n');
    expect((await check(server.port, { method: 'HEAD' })).passed).toBe(true);
  });
});

describe('the status', () => {
  test.each([
    ['200-399', 204, true],
    ['200-399', 302, true],
    ['200-399', 404, false],
    [200, 204, false],
    [[200, '401-403'], 403, true],
  ])('%p and %d: %p', async (expect_, status, passed) => {
    const server = answering(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`);
    expect(await check(server.port, { expect: expect_ })).toEqual({
      passed,
      detail: `GET /health answered ${status}`,
    });
  });

  test('interim responses are passed over', async () => {
    const server = answering(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
    expect((await check(server.port)).passed).toBe(true);
  });

  test('that is bad says more than what goes wrong behind it', async () => {
    const cut = serve((socket) => {
      socket.write('HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\nab');
      socket.end();
    });
    expect((await check(cut.port)).detail).toBe('GET /health answered 500');
    const slow = answering('HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\nab');
    expect((await check(slow.port)).detail).toBe('GET /health answered 503');
  });
});

describe('the body', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall g\r\n3\r\nood\r\n0\r\n\r\n';

  test('contains what it should', async () => {
    const server = answering(chunked);
    expect((await check(server.port, { body: { contains: 'all good' } })).passed).toBe(true);
    expect(await check(server.port, { body: { contains: 'fine' } })).toEqual({
      passed: false,
      detail: 'GET /health answered 200, but its body does not contain "fine"',
    });
  });

  test('matches what it should', async () => {
    const server = answering(chunked);
    expect((await check(server.port, { body: { regex: '^all\\s+good$' } })).passed).toBe(true);
    expect((await check(server.port, { body: { regex: '^good' } })).detail).toBe(
      'GET /health answered 200, but its body does not match /^good/',
    );
  });

  test('may end with the connection', async () => {
    const server = serve((socket) => {
      socket.write('HTTP/1.0 200 OK\r\n\r\nall good');
      socket.end();
    });
    expect((await check(server.port, { body: { contains: 'all good' } })).passed).toBe(true);
  });

  test.each([
    ['within', 65_536 - 6, true],
    ['beyond', 65_536 - 5, false],
  ])('is judged by its first 64 KiB: %s', async (_where, before, passed) => {
    const body = `${'x'.repeat(before)}needle${'y'.repeat(1_000_000)}`;
    const server = serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
    });
    expect((await check(server.port, { body: { contains: 'needle' } })).passed).toBe(passed);
    await server.closed;
  });

  test('without end is not waited for', async () => {
    let timer: Timer | undefined;
    const server = serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      timer = setInterval(() => socket.write(`8000\r\n${'x'.repeat(0x8000)}\r\n`), 1);
    });
    const result = await check(server.port);
    clearInterval(timer);
    expect(result.passed).toBe(true);
    await server.closed;
  });
});

describe('a server that misbehaves fails the check', () => {
  async function failureOf(server: Server): Promise<string> {
    const result = await check(server.port);
    expect(result.passed).toBe(false);
    return result.detail;
  }

  test('by saying nothing', async () => {
    const server = serve(() => {});
    const startedMs = performance.now();
    expect(await failureOf(server)).toBe(`GET /health: no answer within ${TIMEOUT_MS} ms`);
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThanOrEqual(TIMEOUT_MS - 1);
    expect(tookMs).toBeLessThan(TIMEOUT_MS * 10);
    await server.closed;
  });

  test('by saying nothing while the process itself stands still: that is told the same way', async () => {
    const server = serve(() => {
      const untilMs = performance.now() + 4 * TIMEOUT_MS;
      while (performance.now() < untilMs);
    });
    expect(await failureOf(server)).toBe(`GET /health: no answer within ${TIMEOUT_MS} ms`);
    await server.closed;
  });

  test('by answering byte by byte, however steadily', async () => {
    let timer: Timer | undefined;
    const server = serve((socket) => {
      const answer = `HTTP/1.1 200 OK\r\nX-Padding: ${'x'.repeat(1000)}`;
      let at = 0;
      timer = setInterval(() => socket.write(answer.slice(at, ++at)), 5);
    });
    expect(await failureOf(server)).toBe(`GET /health: no answer within ${TIMEOUT_MS} ms`);
    clearInterval(timer);
    await server.closed;
  });

  test('by stopping in the middle of the body', async () => {
    const server = answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab');
    expect(await failureOf(server)).toBe(`GET /health: no end of the answer within ${TIMEOUT_MS} ms`);
    await server.closed;
  });

  test('by closing in the middle of the body', async () => {
    const server = serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab');
      socket.end();
    });
    expect(await failureOf(server)).toBe('GET /health failed (response_truncated: closed)');
  });

  test('by closing without an answer', async () => {
    const server = serve((socket) => socket.end());
    expect(await failureOf(server)).toBe('GET /health failed (endpoint_closed)');
  });

  test('by resetting the connection', async () => {
    const server = serve((socket) => socket.terminate());
    expect(await failureOf(server)).toBe('GET /health failed (endpoint_reset)');
  });

  test.each([
    ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a bad status', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'X-A: b\r\n'.repeat(20_000)}`],
    ['interim responses without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
  ])('by sending %s', async (_what, bytes) => {
    const server = answering(bytes);
    expect(await failureOf(server)).toMatch(/^GET \/health (?:failed \(response_|answered 101)/);
    await server.closed;
  });
});

describe('a server that is not there', () => {
  test('refuses', async () => {
    const port = await freePort();
    const refused = {
      passed: false,
      detail: 'connection refused (ECONNREFUSED)',
    } as const;
    expect(await check(port)).toEqual(refused);
    expect(await run(tcpProbe(deps, { host: '127.0.0.1', port }, TIMEOUT_MS))).toEqual(refused);
  });

  test('has a name that nobody knows', async () => {
    const result = await run(tcpProbe(deps, { host: 'nowhere.invalid', port: 1 }, 2000));
    expect(result.passed).toBe(false);
  });
});

describe('a TCP check', () => {
  test('connects and closes, sending nothing', async () => {
    const server = answering(OK);
    expect(await run(tcpProbe(deps, { host: '127.0.0.1', port: server.port }, TIMEOUT_MS))).toEqual({
      passed: true,
      detail: 'connection accepted',
    });
    await server.closed;
    expect(server.received).toEqual([]);
  });
});

test('a check that is given up says nothing and closes its connection', async () => {
  const server = serve(() => {});
  const config = healthCheck.parse({ http: {} });
  const probe = httpProbe(deps, { host: '127.0.0.1', port: server.port }, 'http1', config.http!, TIMEOUT_MS);
  let told = 0;
  const cancel = probe(() => told++);
  while (server.received.length === 0) await Bun.sleep(1);
  cancel();
  cancel();
  await server.closed;
  await Bun.sleep(TIMEOUT_MS + 50);
  expect(told).toBe(0);
});
