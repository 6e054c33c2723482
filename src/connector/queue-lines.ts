import type { Endpoint } from '../model/endpoint.ts';
import type { Deadline } from '../net/timer-wheel.ts';

/** A request or session that waits until an endpoint has room. */
export interface QueueWaiter {
  /** The one endpoint that it wants while that may be used; undefined when any will do. */
  readonly waitsFor: Endpoint | undefined;
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
  /** Rises from ticket to ticket. */
  readonly order: number;
  /** Where it stands; undefined when it has left. */
  line: QueueLine | undefined;
  previous: QueueTicket | undefined;
  next: QueueTicket | undefined;
}

/** Those who wait for the same endpoint, or for any, in their order. */
export class QueueLine {
  readonly endpoint: Endpoint | undefined;
  first: QueueTicket | undefined = undefined;
  /** Its endpoint may not be used: who stands here goes wherever there is room. */
  stray = false;
  /** In the round of serving that is under way nobody here can be served any more. */
  blocked = false;
  #last: QueueTicket | undefined = undefined;

  constructor(endpoint: Endpoint | undefined) {
    this.endpoint = endpoint;
  }

  /** Takes it in, in its order; nearly always that is at the end. */
  insert(ticket: QueueTicket): void {
    let before = this.#last;
    while (before !== undefined && before.order > ticket.order) before = before.previous;
    const behind = before === undefined ? this.first : before.next;
    ticket.line = this;
    ticket.previous = before;
    ticket.next = behind;
    if (before === undefined) this.first = ticket;
    else before.next = ticket;
    if (behind === undefined) this.#last = ticket;
    else behind.previous = ticket;
  }

  remove(ticket: QueueTicket): void {
    const { previous, next } = ticket;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    ticket.line = undefined;
    ticket.previous = undefined;
    ticket.next = undefined;
  }
}

/**
 * Everybody who waits in one queue: a line for each endpoint that somebody is bound to, and one for all others. Room at one endpoint
 * concerns its line and the general one, however many wait in the others.
 */
export class QueueLines {
  length = 0;
  readonly #general = new QueueLine(undefined);
  readonly #bound = new Map<Endpoint, QueueLine>();
  /** Lines of endpoints that could not be used at the last look at all of them. */
  #strays: QueueLine[] = [];
  #orders = 0;

  /** Places taken so far: the order of the next. */
  nextOrder(): number {
    return this.#orders++;
  }

  add(ticket: QueueTicket): void {
    this.length++;
    this.#lineOf(ticket.waiter.waitsFor).insert(ticket);
  }

  #lineOf(endpoint: Endpoint | undefined): QueueLine {
    if (endpoint === undefined) return this.#general;
    let line = this.#bound.get(endpoint);
    if (line === undefined) {
      line = new QueueLine(endpoint);
      this.#bound.set(endpoint, line);
    }
    return line;
  }

  /** False when it has left already. */
  remove(ticket: QueueTicket): boolean {
    const { line } = ticket;
    if (line === undefined) return false;
    this.length--;
    line.remove(ticket);
    if (line.first === undefined && line.endpoint !== undefined) this.#bound.delete(line.endpoint);
    return true;
  }

  /** Whoever has waited longest. */
  get first(): QueueTicket | undefined {
    let first = this.#general.first;
    for (const line of this.#bound.values()) first = earlier(first, line.first);
    return first;
  }

  /** The lines that room at `endpoint` concerns; all of them when it may be anywhere. Nobody in them is blocked. */
  concerned(endpoint: Endpoint | undefined): readonly QueueLine[] {
    let lines: QueueLine[];
    if (endpoint === undefined) {
      const bound = [...this.#bound.values()];
      for (const line of bound) line.stray = line.first?.waiter.waitsFor !== line.endpoint;
      this.#strays = bound.filter(({ stray }) => stray);
      lines = [this.#general, ...bound];
    } else {
      const own = this.#bound.get(endpoint);
      lines = own === undefined || own.stray ? [this.#general] : [this.#general, own];
      if (this.#strays.length > 0) lines.push(...this.#strays);
    }
    for (const line of lines) line.blocked = false;
    return lines;
  }

  /** It is in the wrong line: the endpoint that it is bound to may be used again. */
  regroup(ticket: QueueTicket): void {
    const { line } = ticket;
    line!.remove(ticket);
    this.#lineOf(ticket.waiter.waitsFor).insert(ticket);
  }
}

function earlier(one: QueueTicket | undefined, other: QueueTicket | undefined): QueueTicket | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.order < one.order ? other : one;
}

/** Who is next among `lines`; undefined when nobody is left that is not blocked. */
export function nextOf(lines: readonly QueueLine[]): QueueTicket | undefined {
  let next: QueueTicket | undefined;
  for (const line of lines) if (!line.blocked) next = earlier(next, line.first);
  return next;
}
