/** Something that a list by age can have; in one such list at a time. */
export interface Aged<T> {
  /** Its neighbours, and whether it has any: the list's own business. */
  older: T | undefined;
  younger: T | undefined;
  listed: boolean;
}

/** Members in the order in which they came, who go in any order: adding and removing one takes no memory (see `Roster`). */
export class AgeList<T extends Aged<T>> {
  #oldest: T | undefined = undefined;
  #youngest: T | undefined = undefined;

  get oldest(): T | undefined {
    return this.#oldest;
  }

  /** Adds one that is nowhere yet. */
  add(member: T): void {
    const before = this.#youngest;
    member.listed = true;
    member.older = before;
    this.#youngest = member;
    if (before === undefined) this.#oldest = member;
    else before.younger = member;
  }

  /** Removes one; without effect when it is not there. */
  delete(member: T): void {
    if (!member.listed) return;
    const { older, younger } = member;
    if (older === undefined) this.#oldest = younger;
    else older.younger = younger;
    if (younger === undefined) this.#youngest = older;
    else younger.older = older;
    // What is gone refers to nobody who is there.
    member.older = undefined;
    member.younger = undefined;
    member.listed = false;
  }
}
