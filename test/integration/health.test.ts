import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import type { PoolReport } from '../../src/admin/pool-report.ts';
import { get, type PoolInput, startFront } from '../support/front.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { valueOf } from '../support/strict-fields.ts';
import type { HttpMessage } from '../support/strict-http.ts';
import { ask } from '../support/wire.ts';

/** An endpoint that answers its probes as `probe` says. */
function probed(name: string, probe: { answer: string }): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') return;
      wire.send(parsed.message.target.startsWith('/health') ? probe.answer : plainAnswer(name));
    }
  });
}

const OK = plainAnswer('fine');
const FAST: NonNullable<PoolInput['healthCheck']> = {
  interval: '100ms',
  fastInterval: '50ms',
  downInterval: '50ms',
  timeout: '100ms',
  fall: 2,
  rise: 2,
  jitterPercent: 0,
};

async function answering(pointsman: Pointsman, listener: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (let round = 0; round < 6; round++) {
    const answer = await ask(pointsman.address(listener), get('/x'));
    names.add(answer.status === 200 ? answer.body.toString() : String(answer.status));
  }
  return names;
}

/** Waits until requests are answered by exactly these. */
async function untilAnswering(pointsman: Pointsman, listener: string, ...names: string[]): Promise<void> {
  const wanted = names.join();
  const deadline = performance.now() + 20_000;
  let seen = '';
  while (seen !== wanted && performance.now() < deadline) {
    await Bun.sleep(25);
    seen = [...(await answering(pointsman, listener))].sort().join();
  }
  expect(seen).toBe(wanted);
}

interface Row {
  readonly name: string;
  readonly http: NonNullable<NonNullable<PoolInput['healthCheck']>['http']>;
  readonly answer: string;
  /** Who takes traffic then: `a` gives the answer of the row, `b` always a good one. */
  readonly taken: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: '200 is healthy', http: { path: '/health' }, answer: OK, taken: ['a', 'b'] },
  {
    name: '404 is not',
    http: { path: '/health' },
    answer: plainAnswer('', '', '404 Not Found'),
    taken: ['b'],
  },
  { name: '500 is not', http: { path: '/health' }, answer: plainAnswer('', '', '500 No'), taken: ['b'] },
  {
    name: 'another status on demand',
    http: { path: '/health', expect: 418 },
    answer: plainAnswer('', '', '418 Tea'),
    taken: ['a', 'b'],
  },
  {
    name: 'a range',
    http: { path: '/health', expect: '200-299' },
    answer: plainAnswer('', '', '302 Found'),
    taken: ['b'],
  },
  {
    name: 'a body that has the text',
    http: { path: '/health', body: { contains: 'fine' } },
    answer: OK,
    taken: ['a', 'b'],
  },
  {
    name: 'a body without the text',
    http: { path: '/health', body: { contains: 'good' } },
    answer: OK,
    taken: ['503'],
  },
  {
    name: 'a body that matches',
    http: { path: '/health', body: { regex: '^f.*e$' } },
    answer: OK,
    taken: ['a', 'b'],
  },
  { name: 'no HTTP', http: { path: '/health' }, answer: 'hello\r\n\r\n', taken: ['b'] },
  { name: 'silence', http: { path: '/health' }, answer: '', taken: ['b'] },
];

describe('verdicts of active HTTP checks', () => {
  let endpoints: (readonly [ScriptedEndpoint, ScriptedEndpoint])[];
  let pointsman: Pointsman;
  beforeAll(async () => {
    endpoints = await Promise.all(
      ROWS.map(async (row) => {
        const good = plainAnswer('fine', '', row.http.expect === 418 ? '418 Tea' : '200 OK');
        return [await probed('a', { answer: row.answer }), await probed('b', { answer: good })] as const;
      }),
    );
    pointsman = await startPointsman({
      listeners: ROWS.map((_, index) => ({
        name: `row-${index}`,
        address: '127.0.0.1:0',
        routes: [{ pool: `row-${index}` }],
      })),
      pools: ROWS.map((row, index) => ({
        name: `row-${index}`,
        policy: 'round-robin' as const,
        endpoints: endpoints[index]!.map(({ name }) => name),
        healthCheck: { ...FAST, http: row.http },
        panicPercent: 0,
      })),
    });
    // Before the verdicts all are used, and nothing is shown.
    await untilTrue('the verdicts', async () => {
      const { pools } = (await (await fetch(`${pointsman.admin}/api/v1/pools`)).json()) as {
        pools: PoolReport[];
      };
      return pools.every(({ endpoints: all }) => all.every(({ state }) => state.health !== 'unknown'));
    });
  });
  afterAll(async () => {
    await pointsman.stop();
    for (const endpoint of endpoints.flat()) await endpoint[Symbol.asyncDispose]();
  });

  for (const [index, row] of ROWS.entries()) {
    test.concurrent(row.name, () => untilAnswering(pointsman, `row-${index}`, ...row.taken));
  }
});

describe('active HTTP checks', () => {
  test('a fall and a return are followed', async () => {
    const probe = { answer: OK };
    await using a = await probed('a', probe);
    await using b = await probed('b', { answer: OK });
    await using pointsman = await startFront([a, b], {
      pool: { healthCheck: { ...FAST, http: { path: '/health' } } },
    });
    await untilAnswering(pointsman, 'web', 'a', 'b');
    probe.answer = plainAnswer('', '', '503 No');
    await untilAnswering(pointsman, 'web', 'b');
    probe.answer = OK;
    await untilAnswering(pointsman, 'web', 'a', 'b');
    expect(pointsman.logs()).toMatch(/unhealthy/);
  });

  test('the probe is what it was told to be', async () => {
    await using a = await probed('a', { answer: OK });
    await using pointsman = await startFront([a], {
      pool: {
        healthCheck: {
          ...FAST,
          http: { path: '/health?deep=1', method: 'HEAD', host: 'probe.test', headers: { 'X-Probe': 'yes' } },
        },
      },
    });
    let probe: HttpMessage | undefined;
    await untilTrue('a probe', () => {
      probe = a.requests().find(({ target }) => target === '/health?deep=1');
      return probe !== undefined;
    });
    expect(probe?.method).toBe('HEAD');
    expect(probe === undefined ? '' : valueOf(probe, 'host')).toBe('probe.test');
    expect(probe === undefined ? '' : valueOf(probe, 'x-probe')).toBe('yes');
    expect(pointsman.running).toBe(true);
  });

  test('initially unhealthy waits for its checks', async () => {
    await using a = await probed('a', { answer: OK });
    await using pointsman = await startFront([a], {
      pool: { healthCheck: { ...FAST, initial: 'unhealthy', http: { path: '/health' } }, panicPercent: 0 },
    });
    await untilAnswering(pointsman, 'web', 'a');
  });

  test('panic uses all when too few are healthy', async () => {
    const bad = { answer: plainAnswer('', '', '503 No') };
    await using a = await probed('a', bad);
    await using b = await probed('b', bad);
    await using c = await probed('c', { answer: OK });
    await using pointsman = await startFront([a, b, c], {
      pool: { healthCheck: { ...FAST, http: { path: '/health' } } },
    });
    await pointsman.line('pool-panic');
    await untilAnswering(pointsman, 'web', 'a', 'b', 'c');
    // All workers know of it, and one process says so.
    expect(pointsman.logs()).not.toMatch(/pool-panic.* worker=/);
  });
});

describe('active TCP checks', () => {
  test('an endpoint that is closed is taken out', async () => {
    const a = await probed('a', { answer: OK });
    await using b = await probed('b', { answer: OK });
    await using pointsman = await startFront([a, b], { pool: { healthCheck: { ...FAST, tcp: {} } } });
    await untilAnswering(pointsman, 'web', 'a', 'b');
    await a[Symbol.asyncDispose]();
    await untilAnswering(pointsman, 'web', 'b');
  });
});
