import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { FakeTime } from '../../test/support/fake-time.ts';
import { samplePool } from '../../test/support/sample-runtime.ts';
import { PoolQueue, type QueueTicket, type QueueWaiter } from './queue.ts';

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

/** Places that are free. */
let room = 0;

class Waiter implements QueueWaiter {
  readonly name: string;
  waitsForOne = false;
  onServed: () => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  onRoom(): boolean {
    events.push(`${this.name} asked`);
    if (room === 0 || this.waitsForOne) return false;
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
  queue.wake();
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
    enter('a').waiter.waitsForOne = true;
    enter('b');
    enter('c');
    wake(1);
    expect([events, queue.length]).toEqual([['a asked', 'b served', 'c asked'], 2]);
    events = [];
    wake(0);
    enter('d');
    expect(events).toEqual(['a asked', 'c asked']);
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
