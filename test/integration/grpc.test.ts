import { describe, expect, test } from 'bun:test';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import * as grpc from '@grpc/grpc-js';

import { H2Endpoint } from '../support/h2-endpoint.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { ECHO, GrpcEndpoint } from '../support/grpc-echo.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import type { PoolInput } from '../support/front.ts';

const LONG_MS = 30_000;

function front(
  endpoints: readonly { readonly name: string }[],
  pool: Partial<PoolInput> = {},
  more: Record<string, unknown> = {},
): Promise<Pointsman> {
  return startPointsman({
    listeners: [
      {
        name: 'web',
        address: '127.0.0.1:0',
        http2: { cleartext: true },
        routes: [{ pool: 'web', match: { path: '/test.Echo/*' } }],
        ...more,
      },
    ],
    pools: [
      {
        name: 'web',
        protocol: 'h2c',
        policy: 'round-robin',
        endpoints: endpoints.map(({ name }) => name),
        ...pool,
      },
    ],
  });
}

function clientOf(pointsman: Pointsman): GrpcClient {
  const { host, port } = pointsman.address();
  return new GrpcClient(`${host}:${port}`, ECHO);
}

function statusOf(call: grpc.ClientReadableStream<Buffer>): Promise<grpc.StatusObject> {
  call.on('error', () => {});
  return new Promise((resolve) => call.on('status', resolve));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(5);
}

describe('calls of every kind', () => {
  test('unary, client streaming, server streaming, both', async () => {
    await using endpoint = await GrpcEndpoint.start();
    await using pointsman = await front([endpoint]);
    using client = clientOf(pointsman);
    const metadata = new grpc.Metadata();
    metadata.set('x-request', 'one');
    metadata.set('x-bin', Buffer.from([0, 1, 255]));
    const unary = await client.unary('hello', {}, metadata);
    expect([unary.code, unary.body, unary.trailers.get('x-trailer')]).toEqual([0, 'hello', ['there']]);
    expect(endpoint.metadata[0]!.get('x-request')).toEqual(['one']);
    expect(endpoint.metadata[0]!.get('x-bin')).toEqual([Buffer.from([0, 1, 255])]);

    const { call, answer } = client.collect();
    for (let message = 0; message < 2000; message++) call.write(Buffer.alloc(1000));
    call.end();
    expect(await answer).toBe('2000000');

    const numbers: string[] = [];
    const counted = client.count(5000);
    counted.on('data', (message: Buffer) => numbers.push(message.toString()));
    expect((await statusOf(counted)).code).toBe(grpc.status.OK);
    expect([numbers.length, numbers.at(-1)]).toEqual([5000, '5000']);

    const talk = client.talk();
    let heard = 0;
    talk.on('data', (message: Buffer) => {
      expect(message.toString()).toBe(`word ${heard++}`);
      if (heard === 50) talk.end();
      else talk.write(Buffer.from(`word ${heard}`));
    });
    talk.write(Buffer.from('word 0'));
    expect((await statusOf(talk)).code).toBe(grpc.status.OK);
    expect(heard).toBe(50);
  });

  test('an error of the endpoint comes as it was: status, message, details', async () => {
    await using endpoint = await GrpcEndpoint.start();
    endpoint.unary = (_call, answer) => {
      const metadata = new grpc.Metadata();
      metadata.set('reason-bin', Buffer.from([1, 2]));
      answer({ code: grpc.status.NOT_FOUND, details: 'no such thing: ä', metadata });
    };
    await using pointsman = await front([endpoint]);
    using client = clientOf(pointsman);
    const { code, details, trailers } = await client.unary('x');
    expect([code, details, trailers.get('reason-bin')]).toEqual([
      grpc.status.NOT_FOUND,
      'no such thing: ä',
      [Buffer.from([1, 2])],
    ]);
  });

  test('calls of one connection are spread over the endpoints', async () => {
    await using one = await GrpcEndpoint.start();
    await using two = await GrpcEndpoint.start();
    await using pointsman = await front([one, two]);
    using client = clientOf(pointsman);
    for (let call = 0; call < 20; call++) expect((await client.unary('x')).code).toBe(0);
    expect([one.calls, two.calls]).toEqual([10, 10]);
  });
});

describe('an end before time', () => {
  test('a call that is cancelled is cancelled at the endpoint', async () => {
    await using endpoint = await GrpcEndpoint.start();
    await using pointsman = await front([endpoint]);
    using client = clientOf(pointsman);
    const talk = client.talk();
    const status = statusOf(talk);
    talk.write(Buffer.from('hi'));
    await new Promise((resolve) => talk.once('data', resolve));
    talk.cancel();
    expect((await status).code).toBe(grpc.status.CANCELLED);
    await until(() => endpoint.cancelled === 1);
    expect((await client.unary('still there')).code).toBe(0);
  });

  test('a deadline reaches the endpoint, and is kept here too', async () => {
    await using endpoint = await GrpcEndpoint.start();
    endpoint.unary = () => {};
    await using pointsman = await front([endpoint]);
    using client = clientOf(pointsman);
    // One that was over before it came there says nothing.
    while (endpoint.deadlines.length === 0) {
      const { code } = await client.unary('x', { deadline: Date.now() + 300 });
      expect(code).toBe(grpc.status.DEADLINE_EXCEEDED);
    }
    expect(Number(endpoint.deadlines[0])).toBeWithin(Date.now() - 60_000, Date.now() + 60_000);
    await until(() => endpoint.cancelled === 1);
  });

  test('an endpoint that is asked later is told what is left', async () => {
    const told: string[] = [];
    const answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
      const first = told.push(String(headers['grpc-timeout'])) === 1;
      const fields = { ':status': 200, 'content-type': 'application/grpc' };
      const status = first ? 14 : 12;
      setTimeout(() => stream.respond({ ...fields, 'grpc-status': status }, { endStream: true }), 200);
    };
    await using one = await H2Endpoint.start(answer);
    await using two = await H2Endpoint.start(answer);
    await using pointsman = await front([one, two], { retry: { grpcStatuses: ['unavailable'] } });
    using client = clientOf(pointsman);
    const metadata = new grpc.Metadata();
    metadata.set('grpc-timeout', '20S');
    expect((await client.unary('x', {}, metadata)).code).toBe(grpc.status.UNIMPLEMENTED);
    expect(told).toHaveLength(2);
    const [before, after] = told.map(
      (value) => Number(/^(\d+)(m|S)$/.exec(value)![1]) * (value.endsWith('S') ? 1000 : 1),
    );
    expect(before! - after!).toBeWithin(190, 15_000);
  });

  test('a call over HTTP/1.1 is refused, for its trailers would be lost', async () => {
    await using endpoint = await GrpcEndpoint.start();
    await using pointsman = await front([endpoint]);
    const { host, port } = pointsman.address();
    const call = (type: string): Promise<Response> =>
      fetch(`http://${host}:${port}/test.Echo/Unary`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: Buffer.alloc(5),
      });
    const refused = await call('application/grpc+proto');
    expect([refused.status, refused.headers.get('proxy-status')]).toEqual([
      501,
      expect.stringContaining('grpc_needs_http2'),
    ]);
    expect(endpoint.calls).toBe(0);
    // gRPC-Web carries its trailers in the body: plain HTTP.
    expect((await call('application/grpc-web')).status).not.toBe(501);
  });

  test('a deadline that only the balancer keeps', async () => {
    let closed = 0;
    await using endpoint = await H2Endpoint.start((stream) => stream.on('close', () => closed++));
    await using pointsman = await front([endpoint]);
    using client = clientOf(pointsman);
    const metadata = new grpc.Metadata();
    metadata.set('grpc-timeout', '200m');
    while (endpoint.streamCount === 0) {
      const { code, details } = await client.unary('x', {}, metadata);
      expect([code, details]).toEqual([grpc.status.DEADLINE_EXCEEDED, expect.stringMatching(/^deadline: /)]);
    }
    await until(() => closed === 1);
  });

  test(
    'an endpoint that dies within a call',
    async () => {
      await using pointsman = await (async () => {
        const endpoint = await GrpcEndpoint.start();
        const started = await front([endpoint]);
        using client = clientOf(started);
        const talk = client.talk();
        const status = statusOf(talk);
        talk.write(Buffer.from('hi'));
        await new Promise((resolve) => talk.once('data', resolve));
        await endpoint[Symbol.asyncDispose]();
        const { code, details } = await status;
        expect([code, details]).toEqual([
          grpc.status.UNAVAILABLE,
          expect.stringContaining('response_truncated'),
        ]);
        return started;
      })();
      using client = clientOf(pointsman);
      const { code, details } = await client.unary('x');
      expect([code, details]).toEqual([
        grpc.status.UNAVAILABLE,
        expect.stringMatching(/no_endpoint|connect_refused/),
      ]);
    },
    LONG_MS,
  );
});

describe('the answers of the balancer itself', () => {
  test('no route: unimplemented', async () => {
    await using endpoint = await GrpcEndpoint.start();
    await using pointsman = await front(
      [endpoint],
      {},
      { routes: [{ match: { path: '/other' }, pool: 'web' }] },
    );
    using client = clientOf(pointsman);
    const { code, details } = await client.unary('x');
    expect([code, details]).toEqual([grpc.status.UNIMPLEMENTED, expect.stringMatching(/^no_route: /)]);
  });

  test('a rate limit: resource exhausted', async () => {
    await using endpoint = await GrpcEndpoint.start();
    await using pointsman = await front(
      [endpoint],
      {},
      {
        routes: [{ pool: 'web', filters: [{ rateLimit: { key: 'client-ip', rate: '1/m', burst: 1 } }] }],
      },
    );
    using client = clientOf(pointsman);
    expect((await client.unary('x')).code).toBe(0);
    const { code, details } = await client.unary('x');
    expect([code, details]).toEqual([
      grpc.status.RESOURCE_EXHAUSTED,
      expect.stringMatching(/^rate_limited: /),
    ]);
  });

  test('an endpoint that is too slow: deadline exceeded', async () => {
    await using endpoint = await GrpcEndpoint.start();
    endpoint.unary = () => {};
    await using pointsman = await front([endpoint], { timeouts: { response: '200ms' } });
    using client = clientOf(pointsman);
    const { code, details } = await client.unary('x');
    expect([code, details]).toEqual([
      grpc.status.DEADLINE_EXCEEDED,
      expect.stringMatching(/^response_timeout: /),
    ]);
  });
});

describe('retries and judgement', () => {
  const unavailable: GrpcEndpoint['unary'] = (_call, answer) =>
    answer({ code: grpc.status.UNAVAILABLE, details: 'not now' });

  test('a call that got nothing but a status that is named is tried elsewhere', async () => {
    await using bad = await GrpcEndpoint.start();
    bad.unary = unavailable;
    await using good = await GrpcEndpoint.start();
    await using pointsman = await front([bad, good], {
      policy: 'first',
      outlierDetection: false,
      retry: { grpcStatuses: ['unavailable'] },
    });
    using client = clientOf(pointsman);
    for (let call = 0; call < 5; call++)
      expect((await client.unary(`message ${call}`)).body).toBe(`message ${call}`);
    expect([bad.calls, good.calls]).toEqual([5, 5]);
  });

  test('without being named it is passed on, counted, and in the end ejects', async () => {
    await using bad = await GrpcEndpoint.start();
    bad.unary = unavailable;
    await using good = await GrpcEndpoint.start();
    await using pointsman = await front([bad, good], {
      policy: 'first',
      outlierDetection: { consecutiveFailures: 5 },
    });
    using client = clientOf(pointsman);
    const codes: number[] = [];
    while (codes.at(-1) !== 0) codes.push((await client.unary('x')).code);
    const refusals = codes.length - 1;
    expect(codes.slice(0, 5)).toEqual([14, 14, 14, 14, 14]);
    expect((await client.unary('x')).code).toBe(0);
    const metrics = await (await fetch(`${pointsman.admin}/metrics`)).text();
    expect(metrics).toContain(
      `pointsman_endpoint_grpc_responses_total{pool="web",endpoint="${bad.name}",code="unavailable"} ${refusals}`,
    );
  });
});

describe('health checks', () => {
  const check = {
    interval: '1s',
    fastInterval: '200ms',
    downInterval: '200ms',
    timeout: '1s',
    fall: 1,
    rise: 1,
  };

  /** Waits for a verdict with this reason: a check may have been too late before. */
  async function untilJudged(pointsman: Pointsman, wanted: string, why: string): Promise<void> {
    for (;;) {
      const pools = (await (await fetch(`${pointsman.admin}/api/v1/pools/web`)).json()) as {
        endpoints: { state: { health: string; reason: string } }[];
      };
      const { health, reason } = pools.endpoints[0]!.state;
      if (health === wanted && reason.includes(why)) return;
      await Bun.sleep(20);
    }
  }

  test('ask the health service of gRPC, which changes its mind', async () => {
    await using endpoint = await GrpcEndpoint.start();
    await using pointsman = await front([endpoint], {
      healthCheck: { ...check, grpc: { service: 'test.Echo' } },
    });
    await untilJudged(pointsman, 'healthy', 'grpc.health.v1.Health/Check answered SERVING');
    expect(endpoint.askedFor.at(-1)).toBe('test.Echo');
    endpoint.serving = 2;
    await untilJudged(pointsman, 'unhealthy', 'answered NOT_SERVING');
    endpoint.serving = 1;
    await untilJudged(pointsman, 'healthy', 'answered SERVING');
    endpoint.serving = -1;
    await untilJudged(pointsman, 'unhealthy', 'answered not-found: who?');
  });

  test('by HTTP speak what the pool speaks', async () => {
    await using endpoint = await H2Endpoint.start((stream, headers) => {
      stream.respond({ ':status': headers[':path'] === '/health' ? 200 : 500 }, { endStream: true });
    });
    await using pointsman = await front([endpoint], { healthCheck: { ...check, http: { path: '/health' } } });
    await untilJudged(pointsman, 'healthy', 'GET /health answered 200');
    await until(() => endpoint.streamCount > 3);
    await until(() => endpoint.sessions.length <= 1);
  });
});
