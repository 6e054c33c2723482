import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { FakeTime } from '../../test/support/fake-time.ts';
import { MemoryNetwork, type MemoryPeer } from '../../test/support/memory-connection.ts';
import { pool as poolSchema } from '../config/schema/pool.ts';
import { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { CloseCause, Connection } from '../net/connection.ts';
import { turnNowMs } from '../net/turn.ts';
import { Connector, type ConnectorSettings, type Session } from './connector.ts';
import type { SessionWaiter } from './endpoint-connector.ts';

let time: FakeTime;
let network: MemoryNetwork;
let endpoint: Endpoint;

beforeEach(() => {
  time = new FakeTime();
  network = new MemoryNetwork();
  const config = poolSchema.parse({ name: 'pool', endpoints: ['10.0.0.1:80'] });
  endpoint = new Endpoint('pool', config.endpoints[0]!);
});
afterEach(() => time.restore());

/** A connection as a codec would keep it. */
class Line implements Session {
  place = -1;
  readonly openedMs = turnNowMs();
  untouched = true;
  state: 'fresh' | 'idle' | 'retired' = 'fresh';
  readonly failures: FailureCode[] = [];
  readonly #connection: Connection;
  readonly #connector: Connector<Line>;

  constructor(connection: Connection, connector: Connector<Line>) {
    this.#connection = connection;
    this.#connector = connector;
  }

  rest(): void {
    this.state = 'idle';
  }
  retire(): void {
    this.state = 'retired';
    this.#connection.close();
  }
  failUnanswered(code: FailureCode): void {
    this.failures.push(code);
  }
  onData(): void {}
  onEnd(): void {}
  onCongested(): void {}
  onDrain(): void {}
  onClose(_cause: CloseCause): void {
    this.#connector.onGone(this);
  }
}

class Waiter implements SessionWaiter<Line> {
  careful = false;
  readonly heard: string[] = [];
  line: Line | undefined = undefined;

  onSession(session: Line): void {
    this.heard.push('session');
    this.line = session;
  }
  onDialFailed(code: string): void {
    this.heard.push(code);
  }
}

function connectorWith(settings: Partial<ConnectorSettings> = {}): Connector<Line> {
  return new Connector<Line>(
    endpoint,
    { connectTimeoutMs: 2000, maxAgeMs: 60_000, maxIdle: 4, ...settings },
    time.wheel,
    network.dial,
    (connection, connector) => new Line(connection, connector),
  );
}

/** Waits for a session and gets a dialled one. */
function dialled(connector: Connector<Line>): { line: Line; peer: MemoryPeer } {
  const waiter = new Waiter();
  connector.dial(waiter);
  const peer = network.pendingDials[0]!.accept();
  return { line: waiter.line!, peer };
}

describe('reuse', () => {
  test('takes the connection that was used last', () => {
    const connector = connectorWith();
    const lines = Array.from({ length: 3 }, () => dialled(connector).line);
    for (const line of lines) expect(connector.onIdle(line)).toBe(true);
    expect([
      connector.take(false),
      connector.take(false),
      connector.take(false),
      connector.take(false),
    ]).toEqual([lines[2], lines[1], lines[0], undefined]);
    expect(endpoint.stats.connectionsReused).toBe(3);
    expect(endpoint.stats.connectionsOpened).toBe(3);
  });

  test('keeps no more than it may, and none of those that are too old', () => {
    const connector = connectorWith({ maxIdle: 2, maxAgeMs: 1000 });
    const old = Array.from({ length: 2 }, () => dialled(connector).line);
    time.advance(600);
    const young = dialled(connector).line;
    expect([...old, young].map((line) => connector.onIdle(line))).toEqual([true, true, false]);
    expect(connector.idleCount).toBe(2);
    time.advance(500);
    expect(connector.take(false)).toBeUndefined();
    expect(old.map(({ state }) => state)).toEqual(['retired', 'retired']);
    expect(connector.idleCount).toBe(0);
  });

  test('gives to the careful only what nothing has come on; what something has come on is closed', () => {
    const connector = connectorWith();
    const [good, doubtful] = Array.from({ length: 2 }, () => dialled(connector).line);
    for (const line of [good!, doubtful!]) connector.onIdle(line);
    doubtful!.untouched = false;
    expect(connector.take(true)).toBe(good);
    expect([doubtful!.state, connector.take(false)]).toEqual(['retired', undefined]);
    const waiter = new Waiter();
    waiter.careful = true;
    connector.dial(waiter);
    good!.untouched = false;
    expect(connector.onIdle(good!)).toBe(false);
    network.pendingDials[0]!.accept();
    expect(waiter.heard).toEqual(['session']);
    expect(waiter.line).not.toBe(good);
  });

  test('with no idle connections allowed, still serves who waits', () => {
    const connector = connectorWith({ maxIdle: 0 });
    const { line } = dialled(connector);
    const waiter = new Waiter();
    connector.dial(waiter);
    expect(connector.onIdle(line)).toBe(true);
    expect(waiter.line).toBe(line);
    expect(connector.onIdle(line)).toBe(false);
  });

  test('forgets what is gone, idle or not', () => {
    const connector = connectorWith();
    const [one, two] = [dialled(connector), dialled(connector)];
    connector.onIdle(one.line);
    connector.onIdle(two.line);
    one.peer.reset();
    expect([connector.idleCount, connector.take(false), connector.take(false)]).toEqual([
      1,
      two.line,
      undefined,
    ]);
  });
});

describe('waiting', () => {
  test('who waits longest is served first, by whatever connection comes first', () => {
    const connector = connectorWith();
    const { line } = dialled(connector);
    const waiters = [new Waiter(), new Waiter(), new Waiter()];
    for (const waiter of waiters) connector.dial(waiter);
    connector.onIdle(line);
    expect(waiters.map(({ heard }) => heard)).toEqual([['session'], [], []]);
    network.pendingDials[2]!.accept();
    network.pendingDials[1]!.accept();
    expect(waiters.map(({ heard }) => heard)).toEqual([['session'], ['session'], ['session']]);
    // The dial of the first is still on its way: its connection is kept.
    network.pendingDials[0]!.accept();
    expect(connector.idleCount).toBe(1);
  });

  test('a failure reaches who asked', () => {
    const connector = connectorWith();
    const waiters = [new Waiter(), new Waiter()];
    for (const waiter of waiters) connector.dial(waiter);
    for (const dial of network.pendingDials) dial.fail('connect_refused');
    expect(waiters.map(({ heard }) => heard)).toEqual([['connect_refused'], ['connect_refused']]);
    expect(endpoint.stats.connectFailures).toBe(2);
  });

  test('the dial of one who was served by another connection, or left, fails nobody', () => {
    const connector = connectorWith();
    const { line } = dialled(connector);
    const [served, left, waits] = [new Waiter(), new Waiter(), new Waiter()];
    connector.dial(served);
    connector.dial(left);
    const [first, second] = network.pendingDials;
    connector.onIdle(line);
    connector.cancel(left);
    time.advance(1900);
    connector.dial(waits);
    first!.fail('connect_timeout');
    second!.fail('connect_timeout');
    expect([served.heard, left.heard, waits.heard]).toEqual([['session'], [], []]);
    network.pendingDials[0]!.fail('connect_refused');
    expect(waits.heard).toEqual(['connect_refused']);
  });

  test('a new connection that nobody waits for is kept, up to the limit', () => {
    const connector = connectorWith({ maxIdle: 1 });
    const waiters = [new Waiter(), new Waiter()];
    for (const waiter of waiters) connector.dial(waiter);
    for (const waiter of waiters) connector.cancel(waiter);
    const peers = network.pendingDials.map((dial) => dial.accept());
    expect(connector.idleCount).toBe(1);
    expect(peers.map(({ standing }) => standing)).toEqual(['open', 'closed']);
  });
});

describe('close', () => {
  test('closes what is idle now and what is in use when it is free; what is on its way serves its waiter', () => {
    const connector = connectorWith();
    const [idle, used] = [dialled(connector), dialled(connector)];
    connector.onIdle(idle.line);
    const [waits, left] = [new Waiter(), new Waiter()];
    connector.dial(waits);
    connector.dial(left);
    connector.close();
    expect([idle.line.state, used.line.state]).toEqual(['retired', 'fresh']);
    connector.cancel(left);
    const [first, second] = network.pendingDials.map((dial) => dial.accept());
    expect([waits.heard, first!.standing, second!.standing]).toEqual([['session'], 'open', 'closed']);
    expect(connector.onIdle(used.line)).toBe(false);
  });

  test('of an endpoint that is abandoned: idle ones close, others fail what is not answered', () => {
    const connector = connectorWith();
    const [one, two] = [dialled(connector).line, dialled(connector).line];
    connector.onIdle(one);
    connector.abandon('endpoint_unhealthy', '');
    expect([one.state, one.failures, two.failures]).toEqual(['retired', [], ['endpoint_unhealthy']]);
    expect([connector.onIdle(two), connector.idleCount]).toEqual([true, 1]);
  });
});

test('whatever happens, each waiter hears one thing, and only while it waits', () => {
  type Step = 'dial' | 'accept' | 'fail' | 'free' | 'cancel' | 'take' | 'break';
  const step = fc.tuple(
    fc.constantFrom<Step>('dial', 'dial', 'accept', 'fail', 'free', 'cancel', 'take', 'break'),
    fc.nat(100),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      network = new MemoryNetwork();
      const connector = connectorWith({ maxIdle: 2 });
      const waiting: Waiter[] = [];
      const all: Waiter[] = [];
      const peers: MemoryPeer[] = [];
      const used: Line[] = [];
      const settle = (): void => {
        for (const waiter of waiting.splice(0)) {
          if (waiter.heard.length === 0) waiting.push(waiter);
          else if (waiter.line !== undefined) used.push(waiter.line);
        }
      };
      for (const [what, pick] of steps) {
        const dial = network.pendingDials[pick % Math.max(1, network.pendingDials.length)];
        switch (what) {
          case 'dial': {
            const waiter = new Waiter();
            all.push(waiter);
            waiting.push(waiter);
            connector.dial(waiter);
            break;
          }
          case 'accept':
            if (dial !== undefined) peers.push(dial.accept());
            break;
          case 'fail':
            dial?.fail();
            break;
          case 'free': {
            const [line] = used.splice(pick % Math.max(1, used.length), 1);
            if (line?.state === 'fresh' || line?.state === 'idle') {
              if (!connector.onIdle(line)) line.retire();
            }
            break;
          }
          case 'cancel': {
            const [waiter] = waiting.splice(pick % Math.max(1, waiting.length), 1);
            if (waiter !== undefined) connector.cancel(waiter);
            break;
          }
          case 'take': {
            const line = connector.take(false);
            if (line !== undefined) used.push(line);
            break;
          }
          case 'break':
            peers[pick % Math.max(1, peers.length)]?.reset();
            break;
        }
        settle();
        expect(connector.idleCount).toBeLessThanOrEqual(2);
        // Nobody waits for nothing.
        expect(waiting.length).toBeLessThanOrEqual(network.pendingDials.length);
      }
      for (const dial of network.pendingDials) dial.fail();
      settle();
      expect(waiting).toEqual([]);
      expect(all.every(({ heard }) => heard.length <= 1)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
