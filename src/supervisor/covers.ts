import type { Log } from '../model/ports.ts';
import type { SocketPlan } from './held-listeners.ts';
import type { CoveredSocket } from './messages.ts';
import type { WorkerLink } from './worker-link.ts';
import type { Handed } from './worker-process.ts';
import type { WorkerSlot } from './worker-slot.ts';

/** Sockets that a worker takes for another are sent by numbers from here on; its own ones have smaller numbers. */
export const FIRST_COVER_HANDLE = 2 ** 31;

/** A worker that is not ready so long after its start is covered, milliseconds. */
const SLOW_START_MS = 1000;

interface Cover {
  readonly by: WorkerSlot;
  /** Of the process that covers: another process in its slot knows nothing of it. */
  readonly link: WorkerLink;
  /** Sockets that it was given. */
  readonly given: Set<number>;
}

export interface CoversDeps {
  readonly log: Log;
  /** Sockets in force. */
  held(): SocketPlan['held'];
}

function answers({ state, link }: WorkerSlot): boolean {
  return state === 'ready' && !link.warned;
}

function isAway({ state, link, restarts, upMs, vacant }: WorkerSlot): boolean {
  if (vacant) return true;
  if (state === 'ready') return link.warned;
  return state === 'waiting' || (state === 'starting' && restarts > 0 && upMs >= SLOW_START_MS);
}

/**
 * Who accepts for workers that are away. The kernel gives the sockets of a slot their share of the clients whether somebody fetches them or not,
 * so another worker fetches them until the slot has a worker that answers. When both do, whoever comes first has the connection.
 */
export class Covers {
  readonly #slots: readonly WorkerSlot[];
  readonly #deps: CoversDeps;
  /** By slot that is covered. */
  readonly #covers = new Map<WorkerSlot, Cover>();
  #handles = FIRST_COVER_HANDLE;

  constructor(slots: readonly WorkerSlot[], deps: CoversDeps) {
    this.#slots = slots;
    this.#deps = deps;
  }

  /** The worker that covers the slot, as people count; undefined when none does. */
  of(slot: WorkerSlot): number | undefined {
    return this.#covers.get(slot)?.by.number;
  }

  /** Covers who needs it now, and ends what is not needed any more. */
  look(): void {
    for (const slot of this.#slots) {
      const cover = this.#covers.get(slot);
      if (answers(slot)) {
        if (cover !== undefined) this.#end(slot, cover);
        continue;
      }
      const lost = cover !== undefined && (cover.by.link !== cover.link || !answers(cover.by));
      if (lost) this.#revoke(slot, cover);
      if (lost || (cover === undefined && isAway(slot))) this.#begin(slot);
    }
  }

  /** Gives those who cover what a new configuration has opened. What it has closed they close with their own. */
  refresh(): void {
    for (const [slot, cover] of this.#covers) this.#offer(slot, cover);
  }

  #begin(slot: WorkerSlot): void {
    const by = this.#leastBurdened(slot);
    if (by === undefined) return;
    const cover: Cover = { by, link: by.link, given: new Set() };
    this.#covers.set(slot, cover);
    this.#deps.log.warn('worker-covered', { worker: slot.number, by: by.number });
    this.#offer(slot, cover);
  }

  #end(slot: WorkerSlot, cover: Cover): void {
    this.#revoke(slot, cover);
    this.#deps.log.info('worker-cover-ended', { worker: slot.number, by: cover.by.number });
  }

  #revoke(slot: WorkerSlot, { by, link }: Cover): void {
    this.#covers.delete(slot);
    if (by.link === link) by.send({ type: 'uncover', slot: slot.index });
  }

  #leastBurdened(slot: WorkerSlot): WorkerSlot | undefined {
    const burden = (by: WorkerSlot): number =>
      [...this.#covers.values()].filter((cover) => cover.by === by).length;
    let best: WorkerSlot | undefined;
    for (const other of this.#slots) {
      if (other === slot || !answers(other)) continue;
      if (best === undefined || burden(other) < burden(best)) best = other;
    }
    return best;
  }

  #offer(slot: WorkerSlot, { by, given }: Cover): void {
    const sockets: CoveredSocket[] = [];
    const handed: Handed[] = [];
    for (const { id, sockets: held } of this.#deps.held().values()) {
      const fd = held?.descriptors[slot.index];
      if (fd === undefined || given.has(id)) continue;
      given.add(id);
      const handle = this.#handles++;
      sockets.push({ id, handle });
      handed.push({ id: handle, fd });
    }
    if (sockets.length > 0) by.send({ type: 'cover', slot: slot.index, sockets }, handed);
  }
}
