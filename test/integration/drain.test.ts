import { describe, expect, test } from 'bun:test';

import type { EndpointReport, PoolReport } from '../../src/admin/pool-report.ts';
import { cli, type Ran } from '../support/cli.ts';
import { get, startFront } from '../support/front.ts';
import { failed, Load, summary } from '../support/load.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { plainAnswer, ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { valueOf, valuesOf } from '../support/strict-fields.ts';
import { ask, dial, type Wire } from '../support/wire.ts';

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** Answers a load after a moment, so that there is always something under way. */
function worker(name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start(async (wire) => {
    for (;;) {
      const parsed = await wire.request(60_000);
      if (parsed.kind !== 'message') break;
      wire.forget();
      const id = valueOf(parsed.message, 'x-id') ?? '';
      await Bun.sleep(20);
      wire.send(plainAnswer(`${id} ok`, `X-Endpoint: ${name}\r\nX-Id: ${id}\r\n`));
    }
    wire.close();
  });
}

/** Answers requests with its name, but only from `open` on; joins tunnels at once. */
class Gate implements AsyncDisposable {
  readonly endpoint: ScriptedEndpoint;
  readonly #opened: PromiseWithResolvers<void>;

  private constructor(endpoint: ScriptedEndpoint, opened: PromiseWithResolvers<void>) {
    this.endpoint = endpoint;
    this.#opened = opened;
  }

  static async start(name: string): Promise<Gate> {
    const opened = Promise.withResolvers<void>();
    const endpoint = await ScriptedEndpoint.start(async (wire) => {
      for (;;) {
        const parsed = await wire.request(60_000);
        if (parsed.kind !== 'message') return;
        if (valueOf(parsed.message, 'upgrade') !== undefined) {
          wire.send(SWITCHED);
          await wire.untilEnd(60_000);
          wire.close();
          return;
        }
        if (parsed.message.target === '/slow') await opened.promise;
        wire.send(plainAnswer(name));
      }
    });
    return new Gate(endpoint, opened);
  }

  open(): void {
    this.#opened.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open();
    await this.endpoint[Symbol.asyncDispose]();
  }
}

function admin(pointsman: Pointsman, line: string): Promise<Ran> {
  return cli([...line.split(' '), '--admin', pointsman.admin]);
}

async function reportOf(pointsman: Pointsman, name: string): Promise<EndpointReport> {
  const response = await fetch(`${pointsman.admin}/api/v1/pools/web/endpoints/${name}`);
  return (await response.json()) as EndpointReport;
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await Bun.sleep(10);
  }
}

/** Pool `web` of `a` and `b`, in this order. */
async function startPair(a: ScriptedEndpoint, b: ScriptedEndpoint, more: object = {}): Promise<Pointsman> {
  return startFront([], {
    pool: {
      endpoints: [
        { name: 'a', address: a.name },
        { name: 'b', address: b.name },
      ],
      ...more,
    },
  });
}

async function openTunnel(pointsman: Pointsman): Promise<Wire> {
  const wire = await dial(pointsman.address());
  wire.send(UPGRADE);
  expect((await wire.answer()).status).toBe(101);
  return wire;
}

describe('rolling replacement', () => {
  test('of every endpoint under load: no request fails', async () => {
    const old = await Promise.all(['a', 'b', 'c'].map((name) => worker(name)));
    await using pointsman = await startPointsman({
      listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
      pools: [
        { name: 'web', endpoints: old.map(({ name: address }, index) => ({ name: `old${index}`, address })) },
      ],
    });
    const load = new Load({ address: pointsman.address(), ratePerSecond: 250 });
    const served = (name: string): number => load.shots.filter(({ endpoint }) => endpoint === name).length;
    const fresh: ScriptedEndpoint[] = [];
    for (const [index, endpoint] of old.entries()) {
      await eventually('its share', () => served(`${'abc'[index]}`) >= 20);
      expect(await admin(pointsman, `drain web/old${index} --wait --deadline 10s`)).toMatchObject({
        code: 0,
      });
      expect(endpoint.wires.every((wire) => wire.text.slice(wire.cursor) === '')).toBe(true);
      const replacement = await worker(`new${index}`);
      fresh.push(replacement);
      const added = await admin(pointsman, `endpoints add web ${replacement.name} --name new${index}`);
      expect(added).toEqual({ code: 0, out: `web/new${index}: added\n`, err: '' });
      expect(await admin(pointsman, `endpoints remove web/old${index} --wait`)).toMatchObject({ code: 0 });
      // Nobody needs it any more: its process may end.
      await endpoint[Symbol.asyncDispose]();
    }
    // Each of three is as likely as the others: that one has none while another has 40 has a chance of 2 x 2^-40.
    await eventually('the share of the last', () => served('new2') >= 40);
    const shots = await load.stop();
    expect(summary(failed(shots))).toBe('');
    // Nor was any saved by a second try.
    const pool = (await (await fetch(`${pointsman.admin}/api/v1/pools/web`)).json()) as PoolReport;
    expect(pool.retries.total).toBe(0);
    expect(shots.some(({ mixedUp }) => mixedUp)).toBe(false);
    for (const name of ['a', 'b', 'c', 'new0', 'new1', 'new2']) expect(served(name)).toBeGreaterThan(0);
    for (const endpoint of fresh) await endpoint[Symbol.asyncDispose]();
  }, 60_000);
});

describe('sticky clients', () => {
  test('keep their draining endpoint until the deadline, others go elsewhere', async () => {
    await using a = await Gate.start('a');
    await using b = await Gate.start('b');
    await using pointsman = await startPair(a.endpoint, b.endpoint, {
      affinity: { cookie: { name: 'SERVERID', secret: 'a secret of sixteen' } },
    });
    const visit = async (cookie = '') => {
      const answer = await ask(
        pointsman.address(),
        get('/', ...(cookie === '' ? [] : [`Cookie: ${cookie}`])),
      );
      const set = valuesOf(answer, 'set-cookie')[0]?.split(';')[0];
      return { at: answer.body.toString(), set, status: answer.status };
    };
    let bound = '';
    while (bound === '') {
      const first = await visit();
      if (first.at === 'a') bound = first.set!;
    }
    await admin(pointsman, 'drain web/a --deadline 10m');
    expect((await reportOf(pointsman, 'a')).drain).toMatchObject({ takesBound: true, empty: true });
    for (let client = 0; client < 6; client++) {
      expect(await visit()).toMatchObject({ at: 'b', status: 200 });
      expect(await visit(bound)).toEqual({ at: 'a', status: 200, set: undefined });
    }
    await admin(pointsman, 'drain web/a --deadline 100ms');
    await eventually('disabled', async () => (await reportOf(pointsman, 'a')).state.admin === 'disabled');
    const moved = await visit(bound);
    expect([moved.at, moved.status]).toEqual(['b', 200]);
    expect(await visit(moved.set)).toEqual({ at: 'b', status: 200, set: undefined });
    expect((await reportOf(pointsman, 'a')).drain).toMatchObject({ takesBound: false });
  });
});

describe('--wait', () => {
  test('returns when it is empty, and not before', async () => {
    await using a = await Gate.start('a');
    await using b = await Gate.start('b');
    await using pointsman = await startPair(a.endpoint, b.endpoint, { policy: 'first' });
    const request = ask(pointsman.address(), get('/slow'), 15_000);
    const tunnel = await openTunnel(pointsman);
    await eventually('both under way', async () => (await reportOf(pointsman, 'a')).active === 2);
    let done: Ran | undefined;
    const waiting = admin(pointsman, 'drain web/a --wait').then((ran) => (done = ran));
    await eventually('draining', async () => (await reportOf(pointsman, 'a')).drain !== null);
    expect((await reportOf(pointsman, 'a')).drain).toMatchObject({ requests: 1, tunnels: 1, empty: false });
    expect((await ask(pointsman.address(), get('/'))).body.toString()).toBe('b');
    await Bun.sleep(300);
    expect(done).toBeUndefined();
    a.open();
    expect((await request).status).toBe(200);
    await eventually('the tunnel alone', async () => (await reportOf(pointsman, 'a')).drain?.requests === 0);
    await Bun.sleep(300);
    expect(done).toBeUndefined();
    tunnel.close();
    expect(await waiting).toEqual({
      code: 0,
      out: 'web/a: draining, empty\n',
      err: expect.stringMatching(/^web\/a: 1 request, 1 tunnel left\n/),
    });
  });

  test('ends with 3 at the deadline and says who was left; tunnels are closed, requests finish', async () => {
    await using a = await Gate.start('a');
    await using b = await Gate.start('b');
    await using pointsman = await startPair(a.endpoint, b.endpoint, { policy: 'first' });
    const request = ask(pointsman.address(), get('/slow'), 15_000);
    const tunnels = [await openTunnel(pointsman), await openTunnel(pointsman)];
    await eventually('all under way', async () => (await reportOf(pointsman, 'a')).active === 3);
    const ran = await admin(pointsman, 'drain web/a --wait --deadline 400ms');
    expect(ran.code).toBe(3);
    expect(ran.err).toEndWith('web/a: 1 request, 2 tunnels left at the deadline\n');
    for (const tunnel of tunnels) {
      await tunnel.untilEnd();
      expect(tunnel.ending).toBe('fin');
      tunnel.close();
    }
    await eventually('tunnels gone', async () => (await reportOf(pointsman, 'a')).tunnels === 0);
    expect((await reportOf(pointsman, 'a')).drain).toMatchObject({
      requests: 1,
      tunnels: 0,
      left: { requests: 1, tunnels: 2, sessions: 0 },
    });
    a.open();
    expect((await request).body.toString()).toBe('a');
    expect((await reportOf(pointsman, 'a')).drain).toMatchObject({ empty: true });
  });

  test('of a removal returns when it has left', async () => {
    await using a = await Gate.start('a');
    await using b = await Gate.start('b');
    await using pointsman = await startPair(a.endpoint, b.endpoint, { policy: 'first' });
    const request = ask(pointsman.address(), get('/slow'), 15_000);
    await eventually('under way', async () => (await reportOf(pointsman, 'a')).active === 1);
    let done = false;
    const waiting = admin(pointsman, 'endpoints remove web/a --wait').finally(() => (done = true));
    await eventually('leaving', async () => (await reportOf(pointsman, 'a')).drain !== null);
    await Bun.sleep(300);
    expect(done).toBe(false);
    expect((await reportOf(pointsman, 'a')).drain).toMatchObject({ leaves: true, requests: 1 });
    a.open();
    expect(await waiting).toMatchObject({ code: 0, out: 'web/a: removed\n' });
    expect((await request).body.toString()).toBe('a');
    expect((await fetch(`${pointsman.admin}/api/v1/pools/web/endpoints/a`)).status).toBe(404);
  });

  test('of enable returns when health allows traffic', async () => {
    let status = '503 Service Unavailable';
    await using a = await ScriptedEndpoint.start(async (wire) => {
      while ((await wire.request(60_000)).kind === 'message') wire.send(plainAnswer('', '', status));
    });
    await using b = await Gate.start('b');
    await using pointsman = await startPair(a, b.endpoint, {
      healthCheck: {
        http: { path: '/' },
        interval: '50ms',
        fastInterval: '50ms',
        timeout: '50ms',
        fall: 1,
        rise: 1,
      },
    });
    await admin(pointsman, 'disable web/a');
    await eventually('unhealthy', async () => (await reportOf(pointsman, 'a')).state.health === 'unhealthy');
    let done = false;
    const waiting = admin(pointsman, 'enable web/a --wait').finally(() => (done = true));
    await Bun.sleep(300);
    expect(done).toBe(false);
    status = '200 OK';
    expect(await waiting).toMatchObject({ code: 0, out: expect.stringMatching(/^web\/a: open, /) });
  });
});

test('runtime changes stand over a reload until the file says otherwise', async () => {
  await using a = await Gate.start('a');
  await using b = await Gate.start('b');
  await using c = await Gate.start('c');
  const config = (endpoints: object[]) => ({
    listeners: [{ name: 'web', address: '127.0.0.1:0', routes: [{ pool: 'web' }] }],
    pools: [{ name: 'web', endpoints }],
  });
  const entry = (name: string, gate: Gate, more: object = {}) => ({
    name,
    address: gate.endpoint.name,
    ...more,
  });
  await using pointsman = await startPointsman(config([entry('a', a), entry('b', b)]) as never);
  await admin(pointsman, 'drain web/a');
  await admin(pointsman, 'weight web/b 9');
  await admin(pointsman, `endpoints add web ${c.endpoint.name} --name c`);
  await pointsman.reload(config([entry('a', a, { maxConnections: 5 }), entry('b', b)]) as never);
  expect((await reportOf(pointsman, 'a')).state.admin).toBe('draining');
  expect(await reportOf(pointsman, 'a')).toMatchObject({ maxConnections: 5 });
  expect((await reportOf(pointsman, 'b')).weight).toBe(9);
  expect((await reportOf(pointsman, 'c')).state.availability).toBe('open');
  await pointsman.reload(
    config([entry('a', a, { state: 'disabled' }), entry('b', b, { weight: 4 })]) as never,
  );
  expect((await reportOf(pointsman, 'a')).state.admin).toBe('disabled');
  expect((await reportOf(pointsman, 'b')).weight).toBe(4);
  expect((await reportOf(pointsman, 'c')).state.availability).toBe('open');
  const { changes } = (await (await fetch(`${pointsman.admin}/api/v1/changes`)).json()) as {
    changes: object[];
  };
  expect(changes).toMatchObject([{ endpoint: 'c', kind: 'added' }]);
});
