import { afterEach, beforeEach, expect, test } from 'bun:test';
import * as fc from 'fast-check';

import { FakeTime } from '../../test/support/fake-time.ts';
import { MemoryNetwork } from '../../test/support/memory-connection.ts';
import { pool as poolSchema } from '../config/schema/pool.ts';
import { Endpoint } from '../model/endpoint.ts';
import type { FailureCode } from '../model/failures.ts';
import type { Connection } from '../net/connection.ts';
import { turnNowMs } from '../net/turn.ts';
import type { SessionWaiter } from './endpoint-connector.ts';
import { SharedConnector, type SharedConnectorSettings, type SharedSession } from './shared-connector.ts';

let time: FakeTime;
let network: MemoryNetwork;
let endpoint: Endpoint;
/** All connections, in the order in which they came. */
let lines: Line[];

beforeEach(() => {
  time = new FakeTime();
  network = new MemoryNetwork();
  lines = [];
  const config = poolSchema.parse({ name: 'pool', endpoints: ['10.0.0.1:80'] });
  endpoint = new Endpoint('pool', config.endpoints[0]!);
});
afterEach(() => time.restore());

class Use {
  readonly line: Line;
  constructor(line: Line) {
    this.line = line;
  }
  end(): void {
    this.line.uses--;
    if (this.line.uses === 0 && this.line.draining) this.line.close();
    else if (!this.line.draining) this.line.connector.onRoom(this.line);
  }
}

/** A shared connection as a codec would keep it. */
class Line implements SharedSession<Use> {
  readonly openedMs = turnNowMs();
  readonly connector: SharedConnector<Line, Use>;
  readonly #connection: Connection;
  capacity = 2;
  uses = 0;
  ready = false;
  draining = false;
  closed = false;
  readonly failures: string[] = [];

  constructor(connection: Connection, connector: SharedConnector<Line, Use>) {
    this.connector = connector;
    this.#connection = connection;
    lines.push(this);
  }

  get room(): number {
    return this.ready && !this.draining ? this.capacity - this.uses : 0;
  }
  get busy(): boolean {
    return this.uses > 0;
  }
  open(): Use {
    expect(this.room).toBeGreaterThan(0);
    this.uses++;
    return new Use(this);
  }
  greet(): this {
    this.ready = true;
    this.connector.onReady(this);
    return this;
  }
  drain(): void {
    this.draining = true;
    if (this.uses === 0) this.close();
  }
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.draining = true;
    this.#connection.close();
    if (this.ready) this.connector.onGone(this);
    else this.connector.onUnready(this, 'connect_failed', '');
  }
  failUnanswered(code: FailureCode): void {
    this.failures.push(code);
  }
  onData(): void {}
  onEnd(): void {}
  onCongested(): void {}
  onDrain(): void {}
  onClose(): void {}
}

class Waiter implements SessionWaiter<Use> {
  readonly careful = false;
  readonly heard: string[] = [];
  use: Use | undefined = undefined;

  onSession(use: Use): void {
    this.heard.push('session');
    this.use = use;
  }
  onDialFailed(code: string): void {
    this.heard.push(code);
  }
}

function connectorWith(settings: Partial<SharedConnectorSettings> = {}): SharedConnector<Line, Use> {
  return new SharedConnector<Line, Use>(
    endpoint,
    { connectTimeoutMs: 2000, maxAgeMs: 60_000, streams: 2, ...settings },
    time.wheel,
    network.dial,
    (connection, owner) => new Line(connection, owner),
  );
}

function wait(connector: SharedConnector<Line, Use>): Waiter {
  const waiter = new Waiter();
  connector.dial(waiter);
  return waiter;
}

function accept(): Line {
  network.pendingDials[0]!.accept();
  return lines.at(-1)!;
}

test('one connection is dialled for as many as it may carry, and serves them when it is ready', () => {
  const connector = connectorWith();
  expect(connector.take()).toBeUndefined();
  const waiters = [wait(connector), wait(connector)];
  expect(network.pendingDials).toHaveLength(1);
  const line = accept();
  expect(waiters.map(({ heard }) => heard)).toEqual([[], []]);
  line.greet();
  expect(waiters.map(({ use }) => use?.line)).toEqual([line, line]);
  expect([endpoint.stats.connectionsOpened, connector.idleCount]).toEqual([1, 0]);
});

test('what does not fit waits for another, or for room, whichever comes first', () => {
  const connector = connectorWith();
  const [first, , third] = [wait(connector), wait(connector), wait(connector)];
  expect(network.pendingDials).toHaveLength(2);
  accept().greet();
  expect(third.heard).toEqual([]);
  first.use!.end();
  expect(third.heard).toEqual(['session']);
  accept().greet();
  expect([connector.idleCount, connector.take()?.line]).toEqual([1, lines[1]!]);
});

test('an endpoint that allows fewer gets more connections; one that allows none is refused', () => {
  const connector = connectorWith();
  const [one, two] = [wait(connector), wait(connector)];
  const line = accept();
  line.capacity = 1;
  line.greet();
  expect([one.heard, two.heard, network.pendingDials.length]).toEqual([['session'], [], 1]);
  const none = accept();
  none.capacity = 0;
  none.greet();
  expect([two.heard, network.pendingDials.length]).toEqual([['stream_refused'], 0]);
});

test('a dial that fails, or does not get ready, fails those for whom no other is on its way', () => {
  const connector = connectorWith();
  const waiters = [wait(connector), wait(connector), wait(connector)];
  network.pendingDials[0]!.fail('connect_refused');
  expect(waiters.map(({ heard }) => heard)).toEqual([['connect_refused'], [], []]);
  accept().close();
  expect(waiters.map(({ heard }) => heard[0])).toEqual([
    'connect_refused',
    'connect_failed',
    'connect_failed',
  ]);
  expect(endpoint.stats.connectFailures).toBe(2);
});

test('the oldest with room is taken; one that is too old takes no more', () => {
  const connector = connectorWith({ maxAgeMs: 1000 });
  const uses = [wait(connector), wait(connector), wait(connector)];
  accept().greet();
  time.advance(600);
  accept().greet();
  expect(connector.take()?.line).toBe(lines[1]);
  uses[0]!.use!.end();
  expect(connector.take()?.line).toBe(lines[0]);
  uses[1]!.use!.end();
  time.advance(600);
  expect([connector.take(), lines[0]!.draining]).toEqual([undefined, true]);
});

test('abandon closes what is idle and fails what waits for an answer; close lets it end', () => {
  const connector = connectorWith();
  const use = wait(connector);
  wait(connector);
  wait(connector);
  accept().greet();
  accept().greet();
  lines[1]!.uses = 0;
  connector.abandon('endpoint_unhealthy', '');
  expect([lines[0]!.failures, lines[0]!.closed, lines[1]!.closed]).toEqual([
    ['endpoint_unhealthy'],
    false,
    true,
  ]);
  connector.close();
  expect([lines[0]!.draining, lines[0]!.closed]).toEqual([true, false]);
  use.use!.end();
  lines[0]!.uses = 0;
  lines[0]!.close();
  expect(connector.idleCount).toBe(0);
  const late = wait(connector);
  accept().greet();
  expect([late.heard, lines[2]!.draining]).toEqual([['session'], true]);
});

test('whatever happens, each waiter hears one thing, only while it waits, and none is forgotten', () => {
  const step = fc.constantFrom(
    'wait',
    'wait',
    'wait',
    'accept',
    'greet',
    'fail',
    'end',
    'end',
    'cancel',
    'close',
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat(50)), { maxLength: 80 }), (steps) => {
      network = new MemoryNetwork();
      lines = [];
      const connector = connectorWith();
      const all: Waiter[] = [];
      const cancelled = new Set<Waiter>();
      const ended = new Set<Use>();
      const pick = <T>(from: readonly T[], index: number): T | undefined => from[index % from.length];
      for (const [what, index] of steps) {
        if (what === 'wait') {
          const use = connector.take();
          const waiter = new Waiter();
          all.push(waiter);
          if (use === undefined) connector.dial(waiter);
          else waiter.onSession(use);
        } else if (what === 'accept') pick(network.pendingDials, index)?.accept();
        else if (what === 'fail') pick(network.pendingDials, index)?.fail('connect_refused');
        else if (what === 'greet')
          pick(
            lines.filter((line) => !line.ready && !line.closed),
            index,
          )?.greet();
        else if (what === 'end') {
          const use = pick(
            all.flatMap(({ use }) => (use === undefined || ended.has(use) || use.line.closed ? [] : [use])),
            index,
          );
          if (use !== undefined) {
            ended.add(use);
            use.end();
          }
        } else if (what === 'cancel') {
          const waiter = pick(
            all.filter(({ heard }) => heard.length === 0),
            index,
          );
          if (waiter !== undefined) {
            cancelled.add(waiter);
            connector.cancel(waiter);
          }
        } else {
          pick(
            lines.filter((line) => !line.closed && line.uses === 0),
            index,
          )?.close();
        }
      }
      // In the end whatever is on its way comes about.
      for (let round = 0; round < 200; round++) {
        for (const dial of network.pendingDials) dial.accept();
        for (const line of lines) if (!line.ready && !line.closed) line.greet();
      }
      for (const waiter of all) expect(waiter.heard).toHaveLength(cancelled.has(waiter) ? 0 : 1);
    }),
    { numRuns: 300 },
  );
});
