import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';

import { TestCa } from '../support/certificates.ts';
import { type Pointsman, startPointsman, type TestConfig } from '../support/pointsman.ts';
import { testWith } from '../support/programs.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';

/** HTTP/3, by the client of the runtime, to an HTTP/1.1 endpoint. */

testWith('openssl');

let ca: TestCa;
let endpoint: ReturnType<typeof Bun.serve>;
let pointsman: Pointsman;
/** The first event was heard: there may be another. */
const heard = Promise.withResolvers<void>();

const MIB = 1024 ** 2;
/** The HTTP/3 client of the runtime takes no CA of its own. */
const LOOSE = { rejectUnauthorized: false };

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function startEndpoint(): ReturnType<typeof Bun.serve> {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 60,
    maxRequestBodySize: 512 * MIB,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      switch (pathname) {
        case '/sum':
          return new Response(sha(await request.bytes()), { headers: { 'x-method': request.method } });
        case '/bytes':
          return new Response(Buffer.alloc(Number(searchParams.get('n')), 'pointsman '));
        case '/fields':
          return Response.json([...request.headers]);
        case '/cookies':
          return new Response('two', { headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] }); // prettier-ignore
        case '/events':
          return new Response(
            new ReadableStream({
              async start(sink) {
                sink.enqueue('data: 1\n\n');
                await heard.promise;
                sink.enqueue('data: 2\n\n');
                sink.close();
              },
            }),
          );
        default:
          return new Response(null, { status: 204 });
      }
    },
  });
}

const config = (): TestConfig => ({
  workers: 2,
  accessLog: { format: 'json' },
  listeners: [
    {
      name: 'secure',
      address: '127.0.0.1:0',
      tls: {
        certificates: [{ cert: ca.file('a.test.pem'), key: ca.file('a.test.key') }],
        alpn: ['h3', 'h2', 'http/1.1'],
      },
      limits: { bodyBytes: 200 * MIB },
      routes: [
        { match: { path: '/here' }, reply: { status: 200, body: 'from the route' } },
        { match: { path: '/limited' }, filters: [{ rateLimit: { key: 'client-ip', rate: '1/m', burst: 1 } }], pool: 'web' }, // prettier-ignore
        { match: { path: '/nobody' }, pool: 'nobody' },
        { pool: 'web' },
      ],
    },
  ],
  pools: [
    { name: 'web', endpoints: [`127.0.0.1:${endpoint.port}`] },
    { name: 'nobody', endpoints: ['127.0.0.1:1'] },
  ],
});

beforeAll(async () => {
  ca = new TestCa();
  ca.issue('a.test', { names: ['a.test', 'IP:127.0.0.1'] });
  endpoint = startEndpoint();
  pointsman = await startPointsman(config());
});

afterAll(async () => {
  await pointsman.stop('SIGKILL');
  await endpoint.stop(true);
  ca[Symbol.dispose]();
});

function get(path: string, init: RequestInit & { readonly protocol?: string } = {}): Promise<Response> {
  const { host, port } = pointsman.address();
  const tls = LOOSE;
  return fetch(`https://${host}:${port}${path}`, { protocol: 'http3', tls, ...init } as RequestInit);
}

async function eventually(look: () => boolean): Promise<void> {
  for (let waitedMs = 0; !look(); waitedMs += 20) {
    if (waitedMs > 10_000) throw new Error(`it did not come to that:\n${pointsman.logs()}`);
    await Bun.sleep(20);
  }
}

describe('HTTP/3', () => {
  test('is announced to clients of the other versions', async () => {
    const { port } = pointsman.address();
    const answer = await get('/here', { protocol: 'http1.1' });
    expect(answer.headers.get('alt-svc')).toBe(`h3=":${port}"; ma=86400`);
    expect((await get('/bytes?n=1', { protocol: 'http2' })).headers.get('alt-svc')).toStartWith('h3=');
  });

  test('a reply of a route', async () => {
    const answer = await get('/here');
    expect([answer.status, await answer.text()]).toEqual([200, 'from the route']);
  });

  test('fields, both ways', async () => {
    const answer = await get('/fields', {
      headers: { 'X-Some': 'thing', cookie: 'a=1; b=2', te: 'trailers' },
    });
    const fields = new Map((await answer.json()) as [string, string][]);
    expect(fields.get('x-some')).toBe('thing');
    expect(fields.get('cookie')).toBe('a=1; b=2');
    expect(fields.get('x-forwarded-proto')).toBe('https');
    expect(fields.get('x-forwarded-for')).toBe('127.0.0.1');
    expect(fields.get('host')).toBe(`127.0.0.1:${pointsman.address().port}`);
    expect((await get('/cookies')).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  for (const size of [0, 1, 65_536, 10 * MIB, 100 * MIB]) {
    test(`bodies of ${size} bytes`, async () => {
      const down = await (await get(`/bytes?n=${size}`)).bytes();
      expect(down.length).toBe(size);
      expect(sha(down)).toBe(sha(Buffer.alloc(size, 'pointsman ')));
      const up = Buffer.alloc(size, 'stellwerk ');
      const answer = await get('/sum', { method: 'POST', body: up });
      expect([answer.headers.get('x-method'), await answer.text()]).toEqual(['POST', sha(up)]);
    }, 60_000);
  }

  test('a body of unknown length', async () => {
    const pieces = [Buffer.alloc(5000, 'a'), Buffer.alloc(70_000, 'b')];
    const body = new ReadableStream({
      async pull(sink) {
        const piece = pieces.shift();
        if (piece === undefined) sink.close();
        else sink.enqueue(piece);
        await Bun.sleep(20);
      },
    });
    const answer = await get('/sum', { method: 'POST', body });
    expect(await answer.text()).toBe(
      sha(Buffer.concat([Buffer.alloc(5000, 'a'), Buffer.alloc(70_000, 'b')])),
    );
  });

  test('HEAD and 204', async () => {
    const head = await get('/bytes?n=1234', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '1234', '']);
    expect((await get('/empty')).status).toBe(204);
  });

  test('events come as they happen', async () => {
    const answer = await get('/events');
    const reader = answer.body!.getReader();
    const next = async (): Promise<string> =>
      Buffer.from((await reader.read()).value as Uint8Array).toString();
    expect(await next()).toBe('data: 1\n\n');
    heard.resolve();
    expect(await next()).toBe('data: 2\n\n');
    expect((await reader.read()).done).toBe(true);
  });

  test('a hundred at once', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (_, n) => get(`/bytes?n=${n * 100}`)));
    const sizes = await Promise.all(all.map(async (answer) => (await answer.bytes()).length));
    expect(sizes).toEqual(Array.from({ length: 100 }, (_, n) => n * 100));
  });

  test('filters and failures are those of every version', async () => {
    const nobody = await get('/nobody');
    expect(nobody.status).toBeGreaterThan(501);
    expect(nobody.headers.get('proxy-status')).toContain('pointsman; error=');
    const statuses = [(await get('/limited')).status, (await get('/limited')).status];
    expect(statuses).toEqual([204, 429]);
    // The runtime has limits of its own, below ours, and resets the stream.
    expect(get('/sum', { headers: { 'x-y': 'z'.repeat(40_000) } })).rejects.toThrow();
  });

  test('gRPC is refused, for its trailers would be lost', async () => {
    const answer = await get('/a.B/C', {
      method: 'POST',
      headers: { 'content-type': 'application/grpc' },
      body: Buffer.alloc(5),
    });
    expect(answer.status).toBe(501);
    expect(answer.headers.get('proxy-status')).toContain('grpc_needs_http2');
  });

  test('a client that gives up is let go, and the endpoint is told', async () => {
    let left = false;
    await using slow = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      await wire.untilEnd();
      left = true;
    });
    await using other = await startPointsman({
      ...config(),
      workers: 1,
      pools: [{ name: 'web', endpoints: [slow.name] }, config().pools![1]!],
    });
    const { host, port } = other.address();
    const abort = new AbortController();
    const asked = fetch(`https://${host}:${port}/slow`, {
      protocol: 'http3',
      tls: LOOSE,
      signal: abort.signal,
    } as RequestInit);
    await eventually(() => slow.wires.length > 0);
    abort.abort();
    expect(asked).rejects.toThrow();
    await eventually(() => left);
  });

  test('a response without a type is not given one', async () => {
    await using typeless = await ScriptedEndpoint.start(async (wire) => {
      await wire.request();
      wire.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      wire.close();
    });
    await using other = await startPointsman({
      ...config(),
      pools: [{ name: 'web', endpoints: [typeless.name] }, config().pools![1]!],
    });
    const { host, port } = other.address();
    const answer = await fetch(`https://${host}:${port}/`, { protocol: 'http3', tls: LOOSE } as RequestInit);
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual([null, 'hello']);
  });

  for (const [what, length] of [
    ['short', 100],
    ['long', 10_000_000],
  ] as const) {
    test(`a ${what} response that is cut does not look whole`, async () => {
      await using cutting = await ScriptedEndpoint.start(async (wire) => {
        await wire.request();
        wire.send(
          `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(50)}`,
        );
        // A FIN, which overtakes nothing.
        wire.close();
      });
      await using other = await startPointsman({
        ...config(),
        pools: [{ name: 'web', endpoints: [cutting.name] }, config().pools![1]!],
      });
      const { host, port } = other.address();
      // The stream of a long one stays open without an end: the client gives up.
      const signal = AbortSignal.timeout(what === 'short' ? 20_000 : 1000);
      const cut = fetch(`https://${host}:${port}/cut`, {
        protocol: 'http3',
        tls: LOOSE,
        signal,
      } as RequestInit);
      const outcome = await cut
        .then(async (answer) => `${answer.status} ${await answer.text()}`)
        .catch(() => (signal.aborted ? 'given up' : 'failed'));
      expect(outcome).toBe(what === 'short' ? '502 ' : 'given up');
    });
  }

  test('is in the access log', () => {
    expect(pointsman.logs()).toContain('"protocol":"HTTP/3"');
  });

  test('a new certificate is taken by a reload, and HTTP/3 goes when it is not wanted any more', async () => {
    ca.issue('b.test', { names: ['b.test', 'IP:127.0.0.1'] });
    const secure = config().listeners[0] as Extract<TestConfig['listeners'][number], { tls?: unknown }>;
    const certificates = [{ cert: ca.file('b.test.pem'), key: ca.file('b.test.key') }];
    const next = (alpn: ('h3' | 'h2' | 'http/1.1')[]): TestConfig => ({
      ...config(),
      listeners: [{ ...secure, tls: { certificates, alpn } }] as TestConfig['listeners'],
    });
    await pointsman.reload(next(['h3', 'h2', 'http/1.1']));
    expect(await (await get('/here')).text()).toBe('from the route');
    await pointsman.reload(next(['h2', 'http/1.1']));
    expect((await get('/here', { protocol: 'http1.1' })).headers.get('alt-svc')).toBeNull();
  });
});
