import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { TestCa } from '../support/certificates.ts';
import { type ListenerInput, startFront } from '../support/front.ts';
import {
  type Ask,
  type Got,
  http1Client,
  http1Endpoint,
  http2Client,
  http2Endpoint,
  http3Client,
  largeHttp1Client,
  type MixedClient,
} from '../support/mixed-peers.ts';
import { testWith } from '../support/programs.ts';

const testOpenssl = testWith('openssl');

/** Each version of HTTP in, to each version out: the same requests, and what comes of them. */

const LONG_MS = 60_000;
const KIB = 1024;

const CLIENTS: Readonly<Record<string, MixedClient>> = { h1: http1Client, h2: http2Client };
const ENDPOINTS = { h1: ['http1', http1Endpoint], h2c: ['h2c', http2Endpoint] } as const;

function bytes(size: number): Buffer {
  const body = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) body.writeUInt32LE(at ^ 0x5bd1_e995, at);
  return body;
}

interface Row {
  readonly name: string;
  readonly ask: Ask;
  readonly got: (got: Got, ask: Ask) => void;
}

function echoes(got: Got, { body, length }: Ask): void {
  expect([got.status, got.broken, got.body.length]).toEqual([200, false, body!.length]);
  expect(got.body.equals(body!)).toBe(true);
  if (length === true) expect(got.fields['x-length']).toBe(String(body!.length));
}

const ROWS: readonly Row[] = [
  {
    name: 'GET',
    ask: { method: 'GET', target: '/plain?a=b' },
    got: (got) => {
      expect([got.status, got.broken, got.fields['x-method'], got.fields['x-length']]).toEqual([
        200,
        false,
        'GET',
        'none',
      ]);
      expect(got.body.toString()).toBe('plain?a=b');
    },
  },
  {
    name: 'HEAD',
    ask: { method: 'HEAD', target: '/plain' },
    got: (got) => {
      expect([got.status, got.broken, got.fields['x-method']]).toEqual([200, false, 'HEAD']);
      expect([got.fields['content-length'], got.body.length]).toEqual(['5', 0]);
    },
  },
  ...[204, 304, 404, 500].map((status) => ({
    name: `status ${status}`,
    ask: { method: 'GET', target: `/status/${status}` },
    got: (got: Got) => {
      const body = status === 204 || status === 304 ? '' : 'status';
      expect([got.status, got.broken, got.body.toString()]).toEqual([status, false, body]);
    },
  })),
  ...[true, false].flatMap((length) =>
    [0, 1, 1000, 16 * KIB, 64 * KIB + 1, 300 * KIB, KIB * KIB].map((size) => ({
      name: `POST of ${size} bytes ${length ? 'with a length' : 'without'}`,
      ask: { method: 'POST', target: '/echo', body: bytes(size), length },
      got: echoes,
    })),
  ),
  {
    name: 'trailers of the response',
    ask: { method: 'GET', target: '/trailers' },
    got: (got) => expect([got.body.toString(), got.trailers]).toEqual(['trailers', { 'x-sum': '7' }]),
  },
  {
    name: 'trailers of the request',
    ask: { method: 'POST', target: '/echo', body: Buffer.from('body'), trailers: { 'x-sum': '9' } },
    got: (got) => expect([got.body.toString(), got.fields['x-trailers']]).toEqual(['body', 'x-sum=9']),
  },
  {
    name: 'an interim response',
    ask: { method: 'GET', target: '/early' },
    got: (got) => expect([got.interim, got.status, got.body.toString()]).toEqual([[103], 200, 'early']),
  },
  {
    name: 'an endpoint that breaks off within the body',
    ask: { method: 'POST', target: '/cut', body: Buffer.from('x') },
    got: (got) => expect([got.status, got.broken]).toEqual([200, true]),
  },
];

for (const [client, ask] of Object.entries(CLIENTS)) {
  for (const [endpointVersion, [protocol, startEndpoint]] of Object.entries(ENDPOINTS)) {
    describe(`${client} to ${endpointVersion}`, () => {
      test(
        'everything in the table',
        async () => {
          await using endpoint = await startEndpoint();
          await using pointsman = await startFront([endpoint as never], {
            pool: { protocol, outlierDetection: false },
            listener: { http2: { cleartext: true } },
          });
          for (const row of ROWS) {
            try {
              row.got(await ask(pointsman.address(), row.ask), row.ask);
            } catch (error) {
              throw new Error(row.name, { cause: error });
            }
          }
        },
        LONG_MS,
      );

      test('nobody there: 503, and the connection of the client is whole', async () => {
        await using pointsman = await startFront([{ name: '127.0.0.1:1' } as never], {
          pool: { protocol },
          listener: { http2: { cleartext: true } },
        });
        const got = await ask(pointsman.address(), { method: 'GET', target: '/' });
        expect([got.status, got.broken]).toEqual([503, false]);
        expect(got.fields['proxy-status']).toContain('no_endpoint');
      });
    });
  }
}

describe('h3', () => {
  let ca: TestCa;

  beforeAll(() => {
    ca = new TestCa();
    ca.issue('a.test', { names: ['a.test', 'IP:127.0.0.1'] });
  });

  afterAll(() => ca[Symbol.dispose]());

  const listener = (): ListenerInput['tls'] => ({
    certificates: [{ cert: ca.file('a.test.pem'), key: ca.file('a.test.key') }],
    alpn: ['h3', 'h2', 'http/1.1'],
  });

  /** Rows that ask for what HTTP/3 has not here: trailers, 1xx, an end that is told. */
  const BEYOND_HTTP3 = /trailers|interim|breaks off/;

  for (const [endpointVersion, [protocol, startEndpoint]] of Object.entries(ENDPOINTS)) {
    testOpenssl(
      `to ${endpointVersion}: everything in the table that it can`,
      async () => {
        await using endpoint = await startEndpoint();
        await using pointsman = await startFront([endpoint as never], {
          pool: { protocol, outlierDetection: false },
          listener: { tls: listener() },
        });
        const rows = ROWS.filter(({ name }) => !BEYOND_HTTP3.test(name));
        expect(rows.length).toBeGreaterThan(18);
        for (const row of rows) {
          try {
            row.got(await http3Client(pointsman.address(), row.ask), row.ask);
          } catch (error) {
            throw new Error(row.name, { cause: error });
          }
        }
      },
      LONG_MS,
    );
  }
});

describe('100 MiB, there and back', () => {
  for (const [client, ask, protocol, startEndpoint] of [
    ['h1', largeHttp1Client, 'h2c', http2Endpoint],
    ['h2', http2Client, 'h2c', http2Endpoint],
  ] as const) {
    test(
      `${client} to ${protocol}`,
      async () => {
        await using endpoint = await startEndpoint();
        await using pointsman = await startFront([endpoint as never], {
          pool: { protocol },
          listener: { http2: { cleartext: true } },
        });
        const body = bytes(100 * KIB * KIB);
        echoes(await ask(pointsman.address(), { method: 'POST', target: '/echo', body, length: true }), {
          method: 'POST',
          target: '/echo',
          body,
          length: true,
        });
      },
      LONG_MS,
    );
  }
});
