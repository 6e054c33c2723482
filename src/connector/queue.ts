import type { Pool } from '../model/pool.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';

/** A request or session that waits until an endpoint has room. */
export interface QueueWaiter {
  /** It wants one certain endpoint: others behind it need not wait for that one. */
  readonly waitsForOne: boolean;
  /** Some endpoint may have room. Returns whether the waiter is served, that is, leaves the queue. */
  onRoom(): boolean;
  /** It has waited for the queue's timeout, and has left the queue. */
  onQueueTimeout(): void;
}

/** The place of a waiter in the queue. */
export interface QueueTicket {
  readonly waiter: QueueWaiter;
  readonly deadline: Deadline;
  readonly sinceMs: number;
}

/**
 * How often it is looked whether there is room although nobody called, milliseconds. Only for when a worker that was called does not answer;
 * the supervisor sees to that worker.
 */
const LOOK_EVERY_MS = 50;

/**
 * First come, first served, bounded in length and time. Requests wait here only while every usable endpoint is at its
 * limit; one whose client has gone is taken out by its exchange.
 *
 * Each worker has its own queue, and those of one pool are as long as the limit together. Their order is that of those who stand first in
 * them: whoever makes room calls the worker whose first has waited longest, and a worker that was called passes the call on if it leaves
 * room.
 */
export class PoolQueue {
  readonly #tickets = new Set<QueueTicket>();
  readonly #wheel: TimerWheel;
  readonly #pool: Pool;
  readonly #lookout: Deadline;
  readonly #look = (): void => runTurn(() => this.wake());
  #waking = false;
  /** There was room at the last look: at once it is for others, but not for so long. */
  #sawRoom = false;

  constructor(wheel: TimerWheel, pool: Pool) {
    this.#wheel = wheel;
    this.#pool = pool;
    this.#lookout = new Deadline(wheel, { onDeadline: () => this.#lookOut() });
  }

  /** Requests of this process that wait. */
  get length(): number {
    return this.#tickets.size;
  }

  /** Whether somebody has waited longer than a request that comes now, and is not served before other workers have been asked. */
  get othersFirst(): boolean {
    const { line } = this.#pool.counts;
    return !line.alone && (this.#tickets.size > 0 || line.othersWait);
  }

  /** Queues `waiter` for at most `timeoutMs`; undefined when `size` requests wait already, in all workers. */
  enter(waiter: QueueWaiter, size: number, timeoutMs: number): QueueTicket | undefined {
    const { queued, line } = this.#pool.counts;
    if (!queued.take(size)) return undefined;
    const ticket: QueueTicket = {
      waiter,
      deadline: new Deadline(this.#wheel, {
        onDeadline: () => {
          this.#remove(ticket);
          waiter.onQueueTimeout();
        },
      }),
      sinceMs: turnNowMs(),
    };
    ticket.deadline.start(timeoutMs);
    this.#tickets.add(ticket);
    if (line.alone) return ticket;
    if (this.#tickets.size === 1) {
      line.stand(ticket.sinceMs);
      this.#lookout.start(LOOK_EVERY_MS);
    }
    // Another worker may have made room after it was looked and before it could see that somebody waits.
    queueMicrotask(this.#look);
    return ticket;
  }

  leave(ticket: QueueTicket): void {
    ticket.deadline.cancel();
    this.#remove(ticket);
  }

  #remove(ticket: QueueTicket): void {
    const first = this.#first();
    if (!this.#tickets.delete(ticket)) return;
    const { queued, line } = this.#pool.counts;
    queued.give();
    if (line.alone || ticket !== first) return;
    const next = this.#first();
    if (next === undefined) {
      line.leave();
      this.#lookout.cancel();
    } else line.stand(next.sinceMs);
  }

  #first(): QueueTicket | undefined {
    for (const ticket of this.#tickets) return ticket;
    return undefined;
  }

  /** An endpoint has room, or the set of endpoints changed: whoever has waited longest is served. */
  wake(): void {
    const { line } = this.#pool.counts;
    if (line.alone) this.#serve();
    else if (!this.#waking && !line.callOlder() && this.#tickets.size > 0) this.called();
  }

  /** Another worker calls: it is the turn of this one. */
  called(): void {
    const { line } = this.#pool.counts;
    const first = this.#first();
    if (first === undefined) {
      line.callOlder();
      return;
    }
    this.#serve();
    if (this.#hasRoom()) line.callNext(first.sinceMs);
  }

  /** Serves in order until one cannot be served. */
  #serve(): void {
    if (this.#waking || this.#tickets.size === 0) return;
    this.#waking = true;
    try {
      for (const ticket of this.#tickets) {
        if (ticket.waiter.onRoom()) this.leave(ticket);
        else if (!ticket.waiter.waitsForOne) break;
      }
    } finally {
      this.#waking = false;
    }
  }

  #hasRoom(): boolean {
    return this.#pool.view.available.some((endpoint) => !endpoint.full);
  }

  #lookOut(): void {
    this.#lookout.start(LOOK_EVERY_MS);
    const sawRoom = this.#sawRoom;
    this.#sawRoom = this.#hasRoom();
    if (sawRoom && this.#sawRoom) this.#serve();
  }
}
