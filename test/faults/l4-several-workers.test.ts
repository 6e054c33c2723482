import { describe, expect, test } from 'bun:test';

import type { EndpointReport } from '../../src/admin/pool-report.ts';
import { cli } from '../support/cli.ts';
import { type Pointsman, startPointsman } from '../support/pointsman.ts';
import { ScriptedEndpoint } from '../support/scripted-endpoint.ts';
import { untilTrue } from '../support/services.ts';
import { dial, type Wire } from '../support/wire.ts';

const PATIENCE_MS = 10_000;
/** Sessions that stay open all the while: enough that both workers have some (two to the power of minus 31 that one has none). */
const STANDING = 32;
const CALLERS = 4;

/** Says its name, then gives back whatever comes. */
function echoing(name: string): Promise<ScriptedEndpoint> {
  return ScriptedEndpoint.start((wire) => {
    wire.send(`${name}\n`);
    wire.socket.on('data', (bytes: Buffer) => wire.socket.write(bytes));
    wire.socket.on('end', () => wire.socket.end());
  });
}

/** A session whose endpoint has said its name. */
interface Session {
  readonly wire: Wire;
  readonly endpoint: string;
}

async function open(pointsman: Pointsman): Promise<Session> {
  const wire = await dial(pointsman.address());
  await wire.until(() => wire.text.includes('\n'));
  return { wire, endpoint: wire.text.trim() };
}

/** Whether what is said in a session comes back. */
async function lives({ wire }: Session, text: string): Promise<boolean> {
  if (wire.ending !== 'open') return false;
  wire.send(text);
  await wire.comes(() => wire.text.endsWith(text) || wire.ending !== 'open', PATIENCE_MS);
  return wire.text.endsWith(text);
}

/** Short sessions, one after the other by each of some callers, until it is stopped. */
class Calls {
  readonly endpoints: string[] = [];
  readonly failures: string[] = [];
  readonly #callers: Promise<void>[];
  #stopped = false;

  constructor(pointsman: Pointsman) {
    this.#callers = Array.from({ length: CALLERS }, async () => {
      while (!this.#stopped) await this.#call(pointsman);
    });
  }

  async #call(pointsman: Pointsman): Promise<void> {
    try {
      const session = await open(pointsman);
      if (!(await lives(session, 'again'))) this.failures.push('lost');
      else this.endpoints.push(session.endpoint);
      session.wire.close();
    } catch (error) {
      this.failures.push(error instanceof Error ? error.message : String(error));
    }
  }

  /** So many more have ended well. */
  async more(count: number): Promise<void> {
    const wanted = this.endpoints.length + count;
    await untilTrue(`${count} sessions`, () => this.endpoints.length >= wanted);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#callers);
  }
}

function front(...endpoints: readonly ScriptedEndpoint[]): Promise<Pointsman> {
  return startPointsman({
    workers: 2,
    listeners: [{ name: 'raw', address: '127.0.0.1:0', protocol: 'tcp', pool: 'raw' }],
    pools: [
      {
        name: 'raw',
        policy: 'least-connections',
        endpoints: endpoints.map(({ name }, index) => ({ name: 'ab'[index]!, address: name })),
        healthCheck: { tcp: {}, interval: '2s', timeout: '2s', fall: 2 },
        onEndpointDown: 'close',
      },
    ],
  });
}

async function sessionsOf({ admin }: Pointsman, name: string): Promise<number> {
  const response = await fetch(`${admin}/api/v1/pools/raw/endpoints/${name}`, { keepalive: false });
  return ((await response.json()) as EndpointReport).sessions;
}

async function standing(pointsman: Pointsman): Promise<Session[]> {
  return Promise.all(Array.from({ length: STANDING }, () => open(pointsman)));
}

describe('sessions of TCP under load, with two workers', () => {
  test('a worker that is killed takes its own with it, and nobody else is refused or cut', async () => {
    await using a = await echoing('a');
    await using pointsman = await front(a);
    const before = await standing(pointsman);
    const calls = new Calls(pointsman);
    await calls.more(50);
    process.kill(pointsman.workerPids[0]!, 'SIGKILL');
    await pointsman.line('worker-ready');
    await calls.more(50);
    await calls.stop();
    // Those that were under way in it.
    expect(calls.failures.length).toBeLessThanOrEqual(CALLERS);
    const alive = await Promise.all(before.map((session) => lives(session, 'still here')));
    const left = alive.filter(Boolean).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(STANDING);
    await untilTrue('the count of those that live', async () => (await sessionsOf(pointsman, 'a')) === left);
  }, 60_000);

  test('an endpoint that dies ends its own in both; new ones go elsewhere', async () => {
    await using a = await echoing('a');
    await using b = await echoing('b');
    await using pointsman = await front(a, b);
    const before = await standing(pointsman);
    const calls = new Calls(pointsman);
    await calls.more(50);
    await a[Symbol.asyncDispose]();
    await untilTrue('its being seen', () =>
      pointsman.lines('endpoint-unhealthy').some((line) => line.includes('endpoint=a ')),
    );
    await untilTrue('the end of its sessions', () =>
      before.every(({ endpoint, wire }) => endpoint === 'b' || wire.ending !== 'open'),
    );
    const from = calls.endpoints.length;
    await calls.more(50);
    await calls.stop();
    // Those that had begun before.
    expect(calls.endpoints.slice(from).filter((name) => name !== 'b').length).toBeLessThanOrEqual(CALLERS);
    expect(calls.failures.length).toBeLessThanOrEqual(CALLERS);
    for (const session of before.filter(({ endpoint }) => endpoint === 'b'))
      expect(await lives(session, 'still here')).toBe(true);
    await untilTrue('nothing at the dead one', async () => (await sessionsOf(pointsman, 'a')) === 0);
  }, 60_000);

  test('an endpoint that is drained keeps what it has, and is empty when that has ended', async () => {
    await using a = await echoing('a');
    await using b = await echoing('b');
    await using pointsman = await front(a, b);
    const before = await standing(pointsman);
    const calls = new Calls(pointsman);
    await calls.more(50);
    const drain = cli(['drain', 'raw/a', '--wait', '--admin', new URL(pointsman.admin).host]);
    await pointsman.line('endpoint-admin');
    const from = calls.endpoints.length;
    await calls.more(50);
    await calls.stop();
    // Those that had begun before.
    expect(calls.endpoints.slice(from).filter((name) => name !== 'b').length).toBeLessThanOrEqual(CALLERS);
    expect(calls.failures).toEqual([]);
    for (const session of before) expect(await lives(session, 'still here')).toBe(true);
    const leaving = before.filter(({ endpoint }) => endpoint === 'a');
    expect(await sessionsOf(pointsman, 'a')).toBe(leaving.length);
    for (const { wire } of leaving) wire.close();
    expect((await drain).code).toBe(0);
    expect(await sessionsOf(pointsman, 'a')).toBe(0);
  }, 60_000);
});
