/** Something that a roster can have; in one roster at a time. */
export interface Enlisted {
  /** Where it stands; the roster's own business. -1 for nowhere. */
  place: number;
}

/**
 * Members in no order, who come and go all the time: adding and removing one takes no memory. A `Set` leaves its old tables behind, each
 * of which refers to the next, so that once the collector has taken one of them for old, everything that was ever added after it stays
 * until all of the heap is looked at.
 */
export class Roster<T extends Enlisted> implements Iterable<T> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  has(member: T): boolean {
    return this.#members[member.place] === member;
  }

  /** Adds a member that is nowhere yet. */
  add(member: T): void {
    member.place = this.#members.push(member) - 1;
  }

  /** Removes a member; without effect when it is not one. */
  delete(member: T): void {
    if (!this.has(member)) return;
    const last = this.#members.pop()!;
    if (last !== member) {
      this.#members[member.place] = last;
      last.place = member.place;
    }
    member.place = -1;
  }

  /** Those who are members now, whatever becomes of the roster meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return this.#members.slice().values();
  }
}
