import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { get, type PoolInput, post } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint, type Script } from '../support/scripted-endpoint.ts';
import { dial } from '../support/wire.ts';

const good: Script = async (wire) => {
  while ((await wire.request()).kind === 'message') wire.send(plainAnswer('good'));
};
const resets: Script = async (wire) => {
  await wire.request();
  wire.reset();
};
const closes: Script = async (wire) => {
  await wire.request();
  wire.close();
};
const resetsMidHead: Script = async (wire) => {
  await wire.request();
  wire.send('HTTP/1.1 200 OK\r\nX-A');
  await Bun.sleep(20);
  wire.reset();
};
/** The client has the beginning of a body; a reset that came before it would throw it away. */
const heard = Promise.withResolvers<void>();
const resetsMidBody: Script = async (wire) => {
  await wire.request();
  wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello');
  await heard.promise;
  wire.reset();
};
const malformed: Script = async (wire) => {
  await wire.request();
  wire.send('HTTP/1.1 2x0 No\r\n\r\n');
};
const errs: Script = async (wire) => {
  while ((await wire.request()).kind === 'message')
    wire.send(plainAnswer('bad', '', '503 Service Unavailable'));
};

interface Row {
  readonly name: string;
  readonly first: Script;
  readonly request: string;
  /** Status that the client sees; 0 for an answer that is cut. */
  readonly status: number;
  /** How many requests the first endpoint and the second one get. */
  readonly attempts: readonly [number, number];
  readonly pool?: Partial<PoolInput>;
}

const ROWS: readonly Row[] = [
  { name: 'GET, reset before the answer', first: resets, request: get('/x'), status: 200, attempts: [1, 1] },
  { name: 'GET, closed before the answer', first: closes, request: get('/x'), status: 200, attempts: [1, 1] },
  { name: 'GET, reset in the head', first: resetsMidHead, request: get('/x'), status: 200, attempts: [1, 1] },
  {
    name: 'PUT with a body, reset',
    first: resets,
    request: post('/x', 'hello').replace('POST', 'PUT'),
    status: 200,
    attempts: [1, 1],
  },
  {
    name: 'DELETE, reset',
    first: resets,
    request: get('/x').replace('GET', 'DELETE'),
    status: 200,
    attempts: [1, 1],
  },
  { name: 'POST, reset', first: resets, request: post('/x', 'hello'), status: 502, attempts: [1, 0] },
  { name: 'POST, closed', first: closes, request: post('/x', 'hello'), status: 502, attempts: [1, 0] },
  {
    name: 'PATCH, reset',
    first: resets,
    request: post('/x', 'hello').replace('POST', 'PATCH'),
    status: 502,
    attempts: [1, 0],
  },
  {
    name: 'POST without a body, reset',
    first: resets,
    request: post('/x', ''),
    status: 502,
    attempts: [1, 0],
  },
  {
    name: 'an unknown method, reset',
    first: resets,
    request: get('/x').replace('GET', 'FROB'),
    status: 502,
    attempts: [1, 0],
  },
  { name: 'GET, reset in the body', first: resetsMidBody, request: get('/x'), status: 0, attempts: [1, 0] },
  { name: 'GET, malformed answer', first: malformed, request: get('/x'), status: 502, attempts: [1, 0] },
  { name: 'GET, 503, not told to', first: errs, request: get('/x'), status: 503, attempts: [1, 0] },
  {
    name: 'GET, 503, told to',
    first: errs,
    request: get('/x'),
    status: 200,
    attempts: [1, 1],
    pool: { retry: { statuses: [503] } },
  },
  {
    name: 'POST, 503, told to',
    first: errs,
    request: post('/x', 'hello'),
    status: 503,
    attempts: [1, 0],
    pool: { retry: { statuses: [503] } },
  },
  {
    name: 'GET, reset, retries switched off',
    first: resets,
    request: get('/x'),
    status: 502,
    attempts: [1, 0],
    pool: { retry: { attempts: 0 } },
  },
  {
    name: 'PUT with a body beyond the buffer, reset',
    first: resets,
    request: post('/x', 'x'.repeat(100_000)).replace('POST', 'PUT'),
    status: 502,
    attempts: [1, 0],
    pool: { retry: { bufferSize: '16KiB' } },
  },
];

interface Pair {
  readonly first: ScriptedEndpoint;
  readonly second: ScriptedEndpoint;
}

describe('which failures are tried again', () => {
  let pairs: Pair[];
  let pointsman: Pointsman;
  beforeAll(async () => {
    pairs = await Promise.all(
      ROWS.map(async (row) => ({
        first: await ScriptedEndpoint.start(row.first),
        second: await ScriptedEndpoint.start(good),
      })),
    );
    pointsman = await startPointsman({
      listeners: ROWS.map((_, index) => ({
        name: `row-${index}`,
        address: '127.0.0.1:0',
        routes: [{ pool: `row-${index}` }],
      })),
      pools: ROWS.map((row, index) => ({
        name: `row-${index}`,
        policy: 'first' as const,
        endpoints: [pairs[index]!.first.name, pairs[index]!.second.name],
        ...row.pool,
      })),
    });
  });
  afterAll(async () => {
    await pointsman.stop();
    for (const { first, second } of pairs) {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    }
  });

  for (const [index, row] of ROWS.entries()) {
    test.concurrent(`${row.name}: ${row.status}`, async () => {
      const client = await dial(pointsman.address(`row-${index}`));
      client.send(row.request);
      if (row.status === 0) {
        await client.until(() => client.text.endsWith('hello'));
        heard.resolve();
      }
      const parsed = await client.response(row.request.slice(0, row.request.indexOf(' ')));
      expect(parsed.kind === 'message' ? parsed.message.status : 0).toBe(row.status);
      if (row.status === 0) await client.untilEnd();
      client.close();
      const { first, second } = pairs[index]!;
      expect([first.requests().length, second.requests().length]).toEqual([...row.attempts]);
    });
  }
});
