import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';

/** A request that waits until an endpoint has room. */
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
  #waking = false;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  get length(): number {
    return this.#tickets.size;
  }

  /** Queues `waiter` for at most `timeoutMs`; undefined when `size` requests wait already. */
  enter(waiter: QueueWaiter, size: number, timeoutMs: number): QueueTicket | undefined {
    if (this.#tickets.size >= size) return undefined;
    const ticket: QueueTicket = {
      waiter,
      deadline: new Deadline(this.#wheel, {
        onDeadline: () => {
          this.#tickets.delete(ticket);
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
    this.#tickets.delete(ticket);
  }

  /** An endpoint has room, or the set of endpoints changed: serves in order until one cannot be served. */
  wake(): void {
    if (this.#waking) return;
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
