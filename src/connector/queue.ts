import type { Endpoint } from '../model/endpoint.ts';
import type { Pool } from '../model/pool.ts';
import { Deadline, type TimerWheel } from '../net/timer-wheel.ts';
import { runTurn, turnNowMs } from '../net/turn.ts';
import { nextOf, QueueLines, type QueueTicket, type QueueWaiter } from './queue-lines.ts';

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
  readonly #lines = new QueueLines();
  readonly #wheel: TimerWheel;
  readonly #pool: Pool;
  readonly #lookout: Deadline;
  readonly #look = (): void => runTurn(() => this.wake());
  #waking = false;
  /** Room was made while those who wait were being served. */
  #missed = false;
  /** There was room at the last look: at once it is for others, but not for so long. */
  #sawRoom = false;

  constructor(wheel: TimerWheel, pool: Pool) {
    this.#wheel = wheel;
    this.#pool = pool;
    this.#lookout = new Deadline(wheel, { onDeadline: () => this.#lookOut() });
  }

  /** Requests of this process that wait. */
  get length(): number {
    return this.#lines.length;
  }

  /** Whether somebody has waited longer than a request that comes now, and is not served before other workers have been asked. */
  get othersFirst(): boolean {
    const { line } = this.#pool.counts;
    return !line.alone && (this.#lines.length > 0 || line.othersWait);
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
      order: this.#lines.nextOrder(),
      line: undefined,
      previous: undefined,
      next: undefined,
    };
    ticket.deadline.start(timeoutMs);
    this.#lines.add(ticket);
    if (line.alone) return ticket;
    if (this.#lines.length === 1) {
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
    const { queued, line } = this.#pool.counts;
    // Whose turn it is matters to other workers alone.
    const wasFirst = !line.alone && ticket === this.#lines.first;
    if (!this.#lines.remove(ticket)) return;
    queued.give();
    if (!wasFirst) return;
    const next = this.#lines.first;
    if (next === undefined) {
      line.leave();
      this.#lookout.cancel();
    } else line.stand(next.sinceMs);
  }

  /** `endpoint` has room, or with undefined any may have, or the set of endpoints changed: whoever has waited longest is served. */
  wake(endpoint?: Endpoint): void {
    const { line } = this.#pool.counts;
    if (line.alone) this.#serve(endpoint);
    else if (!this.#waking && !line.callOlder() && this.#lines.length > 0) this.#ourTurn(endpoint);
  }

  /** Another worker calls: it is the turn of this one. */
  called(): void {
    this.#ourTurn(undefined);
  }

  #ourTurn(endpoint: Endpoint | undefined): void {
    const { line } = this.#pool.counts;
    const { first } = this.#lines;
    if (first === undefined) {
      line.callOlder();
      return;
    }
    this.#serve(endpoint);
    if (this.#hasRoom()) line.callNext(first.sinceMs);
  }

  #serve(endpoint: Endpoint | undefined): void {
    if (this.#waking) this.#missed = true;
    if (this.#waking || this.#lines.length === 0) return;
    this.#waking = true;
    try {
      this.#round(endpoint);
      while (this.#missed) {
        this.#missed = false;
        this.#round(undefined);
      }
    } finally {
      this.#waking = false;
      this.#missed = false;
    }
  }

  /** Serves in order until nobody can be served. Each of the lines concerned ends the round with one who cannot, or empty. */
  #round(endpoint: Endpoint | undefined): void {
    const lines = this.#lines.concerned(endpoint);
    for (let ticket = nextOf(lines); ticket !== undefined; ticket = nextOf(lines)) {
      const { waiter, line } = ticket;
      if (waiter.onRoom()) {
        this.leave(ticket);
        continue;
      }
      const { waitsFor } = waiter;
      // Those behind it do not want what it wants.
      if (waitsFor !== undefined && waitsFor !== line!.endpoint) this.#lines.regroup(ticket);
      else line!.blocked = true;
    }
  }

  #hasRoom(): boolean {
    return this.#pool.view.available.some((endpoint) => !endpoint.full);
  }

  #lookOut(): void {
    this.#lookout.start(LOOK_EVERY_MS);
    const sawRoom = this.#sawRoom;
    this.#sawRoom = this.#hasRoom();
    if (sawRoom && this.#sawRoom) this.#serve(undefined);
  }
}
