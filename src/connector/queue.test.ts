import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { FakeTime } from '../../test/support/fake-time.ts';
import { samplePool } from '../../test/support/sample-runtime.ts';
import { pool as poolSchema } from '../config/schema/pool.ts';
import { Endpoint } from '../model/endpoint.ts';
import { Pool } from '../model/pool.ts';
import { Layout } from '../model/shared/layout.ts';
import { PrivateFile } from '../model/shared/shared-file.ts';
import { SharedState } from '../model/shared/shared-state.ts';
import { StateOwner } from '../model/shared/state-owner.ts';
import type { QueueTicket, QueueWaiter } from './queue-lines.ts';
import { PoolQueue } from './queue.ts';

let time: FakeTime;
let queue: PoolQueue;
/** What happened, in order. */
let events: string[];

beforeEach(() => {
  time = new FakeTime();
  queue = new PoolQueue(time.wheel, samplePool('pool', ['127.0.0.1:1']));
  events = [];
});
afterEach(() => time.restore());

/** Places that are free, and the endpoint that has them, for those who are bound to it. */
let room = 0;
let roomAt: Endpoint | undefined;
const config = poolSchema.parse({ name: 'pool', endpoints: ['127.0.0.1:1', '127.0.0.1:2'] });
const [one, two] = config.endpoints.map((endpoint) => new Endpoint('pool', endpoint));

class Waiter implements QueueWaiter {
  readonly name: string;
  waitsFor: Endpoint | undefined = undefined;
  asked = 0;
  onServed: () => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  onRoom(): boolean {
    this.asked++;
    events.push(`${this.name} asked`);
    const own = this.waitsFor;
    if (room === 0 || (own !== undefined && own !== roomAt)) return false;
    events.pop();
    room--;
    events.push(`${this.name} served`);
    this.onServed();
    return true;
  }

  onQueueTimeout(): void {
    events.push(`${this.name} late`);
  }
}

function enter(name: string, timeoutMs = 1000): { waiter: Waiter; ticket: QueueTicket | undefined } {
  const waiter = new Waiter(name);
  return { waiter, ticket: queue.enter(waiter, 3, timeoutMs) };
}

function wake(places: number): void {
  room = places;
  roomAt = undefined;
  queue.wake();
}

function wakeAt(endpoint: Endpoint, places: number): void {
  room = places;
  roomAt = endpoint;
  queue.wake(endpoint);
}

function bound(name: string, endpoint: Endpoint | undefined, size = 10_000): Waiter {
  const waiter = new Waiter(name);
  waiter.waitsFor = endpoint;
  queue.enter(waiter, size, 1000);
  return waiter;
}

describe('the queue', () => {
  test('serves in the order of arrival, as far as there is room', () => {
    for (const name of ['a', 'b', 'c']) enter(name);
    wake(2);
    expect([events, queue.length]).toEqual([['a served', 'b served', 'c asked'], 1]);
    wake(5);
    expect([events, queue.length]).toEqual([['a served', 'b served', 'c asked', 'c served'], 0]);
  });

  test('stops at the first that gets none, but goes past those that want a certain endpoint', () => {
    enter('a').waiter.waitsFor = one;
    enter('b');
    enter('c');
    wake(1);
    expect([events, queue.length]).toEqual([['a asked', 'b served', 'c asked'], 2]);
    events = [];
    wake(0);
    enter('d');
    expect(events).toEqual(['a asked', 'c asked']);
  });

  test('room at an endpoint is for who waits for it and who waits for any, in their order', () => {
    bound('a', one);
    bound('b', two);
    bound('c', undefined);
    bound('d', two);
    wakeAt(two!, 3);
    expect(events).toEqual(['b served', 'c served', 'd served']);
    wakeAt(one!, 1);
    expect([events.at(-1), queue.length]).toEqual(['a served', 0]);
  });

  test('who waits for an endpoint that may not be used any more goes wherever there is room, in order', () => {
    const waiters = ['a', 'b'].map((name) => bound(name, one));
    bound('c', undefined);
    for (const waiter of waiters) waiter.waitsFor = undefined;
    // It is told of when the set of endpoints changes.
    wake(0);
    events = [];
    wakeAt(two!, 1);
    wakeAt(two!, 2);
    expect(events.filter((event) => event.endsWith('served'))).toEqual(['a served', 'b served', 'c served']);
  });

  test('who is bound to an endpoint that may be used again does not hold up those behind it', () => {
    const back = bound('a', undefined);
    bound('b', undefined);
    back.waitsFor = one;
    wakeAt(two!, 1);
    wakeAt(one!, 1);
    expect(events).toEqual(['a asked', 'b served', 'a served']);
  });

  test('however many wait for one endpoint, room elsewhere does not look at them', () => {
    const waiters = Array.from({ length: 5000 }, (_, index) => bound(`${index}`, one));
    for (let round = 0; round < 5000; round++) wakeAt(two!, 1);
    expect(waiters.reduce((sum, { asked }) => sum + asked, 0)).toBe(0);
    for (let round = 0; round < 5000; round++) wakeAt(one!, 1);
    // Each is asked when it is served, and once as the one behind it for which there was no more room.
    expect(waiters.reduce((sum, { asked }) => sum + asked, 0)).toBeLessThanOrEqual(10_000);
    expect(queue.length).toBe(0);
  });

  test('is bounded, also when it is of size 0', () => {
    expect(['a', 'b', 'c', 'd'].map((name) => enter(name).ticket !== undefined)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(queue.enter(new Waiter('e'), 0, 1000)).toBeUndefined();
    expect(queue.length).toBe(3);
  });

  test('lets each wait for its own time, and tells who waited too long once', () => {
    enter('a', 3000);
    enter('b', 1000);
    time.advance(1100);
    expect([events, queue.length]).toEqual([['b late'], 1]);
    wake(1);
    time.advance(10_000);
    expect(events).toEqual(['b late', 'a served']);
    expect(time.clock.pending).toBe(0);
  });

  test('forgets who leaves', () => {
    const { ticket } = enter('a');
    enter('b');
    queue.leave(ticket!);
    queue.leave(ticket!);
    wake(1);
    time.advance(5000);
    expect([events, queue.length]).toEqual([['b served'], 0]);
  });

  test('stays in order when others leave, enter, and wake it while it wakes', () => {
    const a = enter('a');
    const b = enter('b');
    enter('c');
    a.waiter.onServed = () => {
      queue.leave(b.ticket!);
      enter('d');
      // A place that comes free meanwhile is given out by the round that is under way.
      room++;
      queue.wake();
    };
    wake(2);
    expect(events).toEqual(['a served', 'c served', 'd served']);
    expect(queue.length).toBe(0);
  });

  test('serves the others after a defect in one', () => {
    const a = enter('a');
    enter('b');
    a.waiter.onServed = () => {
      throw new Error('broken');
    };
    expect(() => wake(2)).toThrow('broken');
    a.waiter.onServed = () => {};
    wake(2);
    expect(events).toContain('b served');
  });
});

describe('queues of several workers', () => {
  /** The queue of each of two workers for a pool with one endpoint that takes one. `called` collects whom somebody calls. */
  function workers() {
    const capacity = { pool: 1, endpoint: 1, listener: 1, route: 1, arenaBytes: 0 };
    const file = new PrivateFile(new Layout(2, capacity).sizeBytes);
    const owner = StateOwner.create(file, 2, () => {}, capacity);
    owner.assign({ pool: ['pool'], endpoint: ['e'], listener: [], route: [], regions: [] }, 0);
    const config = poolSchema.parse({
      name: 'pool',
      endpoints: [{ address: '127.0.0.1:1', maxConnections: 1 }],
    });
    const called: number[] = [];
    const queues = [0, 1].map((own) => {
      const state = SharedState.attach(file, own);
      state.call = (worker) => called.push(worker);
      const endpoint = new Endpoint('pool', config.endpoints[0]!, state.cells('endpoint', 0));
      const view = { all: [endpoint], available: [endpoint], picker: { pick: () => endpoint }, panic: false };
      return { queue: new PoolQueue(time.wheel, new Pool(config, view, state.cells('pool', 0))), endpoint };
    });
    return { first: queues[0]!, second: queues[1]!, called };
  }

  test('have one length', () => {
    const { first, second } = workers();
    expect(first.queue.enter(new Waiter('a'), 2, 1000)).toBeDefined();
    expect(second.queue.enter(new Waiter('b'), 2, 1000)).toBeDefined();
    expect(first.queue.enter(new Waiter('c'), 2, 1000)).toBeUndefined();
    expect(second.queue.enter(new Waiter('d'), 2, 1000)).toBeUndefined();
  });

  test('who makes room calls the worker where somebody has waited longest, and it passes on what it leaves', () => {
    const { first, second, called } = workers();
    expect(first.queue.othersFirst).toBe(false);
    second.queue.enter(new Waiter('b'), 9, 1000);
    expect([first.queue.othersFirst, second.queue.othersFirst]).toEqual([true, true]);
    time.clock.advance(10);
    first.queue.enter(new Waiter('a'), 9, 1000);
    room = 1;
    first.queue.wake();
    expect([called.splice(0), events.splice(0)]).toEqual([[1], []]);
    second.queue.called();
    expect([called.splice(0), events.splice(0)]).toEqual([[0], ['b served']]);
    room = 1;
    first.queue.called();
    expect([called, events, first.queue.othersFirst]).toEqual([[], ['a served'], false]);
  });

  test('one that is called when nobody waits any more passes it on', () => {
    const { first, second, called } = workers();
    second.queue.enter(new Waiter('b'), 9, 1000);
    first.queue.called();
    expect(called).toEqual([1]);
  });

  test('a worker that does not answer is waited for, not for ever', () => {
    const { first, second } = workers();
    second.queue.enter(new Waiter('b'), 9, 1000);
    time.clock.advance(1);
    first.queue.enter(new Waiter('a'), 9, 1000);
    room = 1;
    first.queue.wake();
    time.clock.advance(60);
    expect(events.filter((event) => event.endsWith('served'))).toEqual([]);
    time.clock.advance(100);
    expect(events).toContain('b served');
  });
});
