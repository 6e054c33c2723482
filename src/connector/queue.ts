import type { Places } from '../model/shared/places.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';

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
}

/**
 * First come, first served, bounded in length and time. Requests wait here only while every usable endpoint is at its
 * limit; one whose client has gone is taken out by its exchange.
 */
export class PoolQueue {
  readonly #tickets = new Set<QueueTicket>();
  readonly #wheel: TimerWheel;
  readonly #queued: Places;
  #waking = false;

  /** @param queued Counts who waits, in all workers. */
  constructor(wheel: TimerWheel, queued: Places) {
    this.#wheel = wheel;
    this.#queued = queued;
  }

  /** Requests of this process that wait. */
  get length(): number {
    return this.#tickets.size;
  }

  /** Queues `waiter` for at most `timeoutMs`; undefined when `size` requests wait already, in all workers. */
  enter(waiter: QueueWaiter, size: number, timeoutMs: number): QueueTicket | undefined {
    if (!this.#queued.take(size)) return undefined;
    const ticket: QueueTicket = {
      waiter,
      deadline: new Deadline(this.#wheel, {
        onDeadline: () => {
          this.#remove(ticket);
          waiter.onQueueTimeout();
        },
      }),
    };
    ticket.deadline.start(timeoutMs);
    this.#tickets.add(ticket);
    return ticket;
  }

  leave(ticket: QueueTicket): void {
    ticket.deadline.cancel();
    this.#remove(ticket);
  }

  #remove(ticket: QueueTicket): void {
    if (this.#tickets.delete(ticket)) this.#queued.give();
  }

  /** An endpoint has room, or the set of endpoints changed: serves in order until one cannot be served. */
  wake(): void {
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
}
